"""A log that is full, closed or not read stops no worker."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from jukinet_mq.nodes import Tier
from tests.fixtures.filing import answered, inject_updates, injected, update
from tests.fixtures.installation import CHIYODA, DEADLINE, JLIS, TOKYO, Installation

NODES = {Tier.MUNICIPALITY: CHIYODA, Tier.PREFECTURE: TOKYO, Tier.NATIONAL: JLIS}
RECORDED = "SELECT count(*) FROM register_history"
PIPE_BYTES = 4096


@contextmanager
def workers(installation: Installation, log: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """Run a worker of each tier that logs to *log*."""
    with ExitStack() as stack:
        started = []
        for tier, node in NODES.items():
            words = ["worker", tier.value, "--node", node]
            process = subprocess.Popen(
                [sys.executable, "-m", "jukinet_mq", *words],
                env=installation.environment,
                cwd=installation.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
            stack.callback(_kill, process)
            started.append(process)
        yield started


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def codes_at_end(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Ask workers to end, and return their exit codes."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    return [process.wait(timeout=DEADLINE.total_seconds()) for process in processes]


def lines_of(data: bytes) -> list[dict[str, Any]]:
    """Return the events of a log, each of which must be whole."""
    return [json.loads(line) for line in data.decode().splitlines()]


async def recorded(installation: Installation) -> int:
    """Return how many updates J-LIS holds."""
    return int((await installation.fetch(Tier.NATIONAL, RECORDED))[0][0])


async def test_full_log_stops_no_worker(installation: Installation) -> None:
    """A full disk under the log: all tiers do their work and end with 0."""
    full = os.open("/dev/full", os.O_WRONLY)
    with workers(installation, full) as running:
        os.close(full)
        await answered(installation, injected(installation, update(1)), 2)
        assert [0, 0, 0] == codes_at_end(running)

    assert [] == list(installation.home.glob("crash-*"))


async def test_closed_log_pipe_under_load_stops_no_worker(installation: Installation) -> None:
    """Whoever read the log is gone in the middle of the work, which goes on to its end."""
    before = await recorded(installation)
    read, write = os.pipe()
    with workers(installation, write) as running:
        os.close(write)
        inject_updates(installation, range(5000, 5200))
        assert os.read(read, 1)
        os.close(read)
        await installation.holds(Tier.NATIONAL, RECORDED, [(before + 200,)])
        assert [0, 0, 0] == codes_at_end(running)

    assert [] == list(installation.home.glob("crash-*"))


async def test_log_pipe_that_nobody_reads_delays_no_worker(installation: Installation) -> None:
    """The pipe is full and the work goes on; who reads later finds every line whole."""
    before = await recorded(installation)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with workers(installation, write) as running:
        os.close(write)
        inject_updates(installation, range(6000, 6200))
        await installation.holds(Tier.NATIONAL, RECORDED, [(before + 200,)])
        assert PIPE_BYTES - 1024 < _held(read)
        for process in running:
            process.send_signal(signal.SIGTERM)
        with os.fdopen(read, "rb") as file:
            events = lines_of(file.read())
        assert [0, 0, 0] == [p.wait(timeout=DEADLINE.total_seconds()) for p in running]

    assert 3 == sum(event["event"] == "worker.stopped" for event in events)


def _held(fd: int) -> int:
    held = bytearray(4)
    fcntl.ioctl(fd, termios.FIONREAD, held)
    return int.from_bytes(held, sys.byteorder)
