"""The benchmark's injector: one process that publishes in bulk when it is told to.

Lines of JSON on standard output, a line on standard input for each part: what is drawn at
random is drawn before, and does not count.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson

from jukinet_mq.clock import utc_now
from jukinet_mq.config import Settings
from jukinet_mq.errors import WorkerEndedError
from jukinet_mq.load.filing import file_patiently
from jukinet_mq.load.processes import own_environment
from jukinet_mq.load.sampler import Sampler
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.events import read_event
from jukinet_mq.room import open_room

CHUNK: Final = 200
"""Events in one transaction."""
END_WITHIN: Final = timedelta(seconds=10)


async def inject(given: Settings, parts: Sequence[int], *, seed: int, offset: int) -> None:
    """Publish *parts* of identity updates, each when a line comes in; end with the input."""
    sampler = Sampler(seed, at=utc_now(), offset=offset)
    drawn = [[orjson.dumps(e) for e in sampler.identity_updates(count)] for count in parts]
    async with open_room(given, Tier.MUNICIPALITY) as room:
        _say({"ready": list(parts)})
        for part in drawn:
            if not await asyncio.to_thread(sys.stdin.readline):
                return
            started = time.monotonic()
            for start in range(0, len(part), CHUNK):
                events = [read_event(content) for content in part[start : start + CHUNK]]
                await file_patiently(room, events)
            _say({"published": len(part), "seconds": time.monotonic() - started})
        await asyncio.to_thread(sys.stdin.readline)


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Injector:
    """The process, from its parent's side."""

    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    async def answer(self) -> dict[str, Any]:
        """Wait for its next line.

        Raises:
            WorkerEndedError: It has ended instead.
        """
        output = self.process.stdout
        line = b"" if output is None else await asyncio.to_thread(output.readline)
        if not line:
            raise WorkerEndedError(
                f"the injector has ended with exit code {self.process.wait()}; what it has said "
                "stands above"
            )
        found: dict[str, Any] = orjson.loads(line)
        return found

    def go(self) -> None:
        """Let it publish its next part."""
        if self.process.stdin is not None:
            self.process.stdin.write(b"go\n")
            self.process.stdin.flush()


@contextmanager
def running_injector(
    given: Settings, parts: Sequence[int], *, seed: int, offset: int
) -> Iterator[Injector]:
    """Start the injector through the real command line; end it with the block."""
    counts = [argument for part in parts for argument in ("--part", str(part))]
    process = subprocess.Popen(
        [sys.executable, "-m", "jukinet_mq", "bench", "inject", *counts, "--seed", str(seed),
         "--offset", str(offset)],
        env=own_environment(given, [Tier.MUNICIPALITY]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Injector(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(END_WITHIN.total_seconds())
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
