"""Workers as processes of their own, through the real command line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import orjson

from jukinet_mq.config import Settings
from jukinet_mq.errors import DeadlineExceededError, WorkerEndedError
from jukinet_mq.nodes import Tier
from jukinet_mq.telemetry import WORKER_STARTED

READY_WITHIN: Final = timedelta(seconds=60)
STOP_WITHIN: Final = timedelta(seconds=20)
POLL: Final = timedelta(milliseconds=50)
LAST_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One running worker.

    Attributes:
        log: Its standard error, one JSON object a line, after those of earlier runs.
        begins: Where in the log this run begins.
    """

    tier: Tier
    process: subprocess.Popen[bytes]
    log: Path
    begins: int

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def is_ready(self) -> bool:
        """Say whether it has declared that it consumes from its queues.

        Raises:
            WorkerEndedError: It has ended instead.
        """
        self.check()
        return any(line.get("event") == WORKER_STARTED.name for line in map(_parsed, self._lines()))

    def check(self) -> None:
        """Raise WorkerEndedError if it has ended."""
        code = self.process.poll()
        if code is not None:
            last = " / ".join(self._lines()[-LAST_LINES:])
            raise WorkerEndedError(
                f"the {self.tier.value} worker has ended by itself with exit code {code}; "
                f"{self.log} says why: {last or '(nothing)'}"
            )

    def _lines(self) -> list[str]:
        with self.log.open("rb") as file:
            file.seek(self.begins)
            return file.read().decode(errors="replace").splitlines()


@contextmanager
def running_workers(
    given: Settings, tiers: Sequence[Tier] = tuple(Tier), *, of_each: int = 1
) -> Iterator[list[WorkerProcess]]:
    """Start *of_each* workers of every tier, each with all nodes of it; stop them at the end.

    They end however the block ends: SIGTERM first, so that they finish what is under way, and
    SIGKILL after `STOP_WITHIN`, which loses nothing either.
    """
    started: list[WorkerProcess] = []
    try:
        for tier in tiers:
            for number in range(of_each):
                started += [_start(given, tier, number)]
        yield started
    finally:
        stop(started)


async def wait_until_ready(
    workers: Sequence[WorkerProcess], *, within: timedelta = READY_WITHIN
) -> None:
    """Return when every worker consumes from all its queues.

    Raises:
        WorkerEndedError: One has ended.
        DeadlineExceededError: One has not begun in time.
    """
    try:
        async with asyncio.timeout(within.total_seconds()):
            while True:
                # All are asked each time: one that has ended must not hide behind a late one.
                ready = [worker.is_ready() for worker in workers]
                if all(ready):
                    return
                await asyncio.sleep(POLL.total_seconds())
    except TimeoutError:
        late = ", ".join(str(w.log) for w in workers if not w.is_ready())
        raise DeadlineExceededError(
            f"after {within.total_seconds():g} s not every worker consumes from its queues; "
            f"read {late}"
        ) from None


def check_all(workers: Sequence[WorkerProcess]) -> None:
    """Raise WorkerEndedError if any of *workers* has ended."""
    for worker in workers:
        worker.check()


def stop(workers: Sequence[WorkerProcess], *, within: timedelta = STOP_WITHIN) -> None:
    """Stop *workers*, and return when none of them is left."""
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.process.terminate()
    deadline = time.monotonic() + within.total_seconds()
    for worker in workers:
        try:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


def own_environment(given: Settings, tiers: Sequence[Tier] = tuple(Tier)) -> dict[str, str]:
    """Return the environment of a process that needs the broker and these tiers' databases.

    No process gets the owners' logins or the broker administrator's management address.
    """
    return {
        **_others(os.environ),
        "JUKINET_HOME": str(given.home.absolute()),
        "JUKINET_AMQP_URL": given.amqp_url or "",
        **{f"JUKINET_{tier.name}_DATABASE_URL": given.database_url(tier) for tier in tiers},
        "JUKINET_LOG_LEVEL": "info",
        "JUKINET_LOG_FORMAT": "json",
    }


def _others(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("JUKINET_")}


def _start(given: Settings, tier: Tier, number: int) -> WorkerProcess:
    logs = given.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / (f"{tier.value}.log" if number == 0 else f"{tier.value}-{number + 1}.log")
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        begins = os.fstat(handle).st_size
        process = subprocess.Popen(
            [sys.executable, "-m", "jukinet_mq", "worker", tier.value, "--all"],
            env=own_environment(given, [tier]),
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=handle,
            # Our terminal's Ctrl-C is ours: they are told in order, and once.
            start_new_session=True,
        )
    finally:
        os.close(handle)
    return WorkerProcess(tier, process, log, begins)


def _parsed(line: str) -> dict[str, object]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
