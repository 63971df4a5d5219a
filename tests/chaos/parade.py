"""A worker that dies at one named step after the other, under work that keeps coming."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Iterator

from jukinet_mq.nodes import Tier
from tests.chaos.crashing import POINTS
from tests.fixtures.filing import Event, inject, move, ndjson, update
from tests.fixtures.installation import Installation, Process

UPDATES = 40
ROUNDS_MAX = 6
DEATH_WITHIN_SECONDS = 40.0
MORE_AFTER_SECONDS = 2.0

# Synthetic residents have six digits; a run starts again at the first.
_numbers = itertools.cycle(range(20_000, 900_000, 50))


def points_of(tier: Tier) -> list[str]:
    """Return the worker's steps at a tier, in the order of a delivery's way."""
    return [
        name for name, point in POINTS.items() if tier in point.tiers and point.command == "worker"
    ]


def every_case() -> Iterator[tuple[str, Tier]]:
    """Yield each step of a worker at each tier that takes it."""
    for tier in Tier:
        for name in points_of(tier):
            yield name, tier


def some_events(number: int) -> list[Event]:
    """Return some forty updates at Chiyoda, and a move from there to Sapporo."""
    return [*map(update, range(number, number + UPDATES)), move(number)]


async def work(installation: Installation) -> None:
    """File some events that nobody has filed before."""
    start = next(_numbers)
    await asyncio.to_thread(inject, installation, some_events(start))


async def die_at(installation: Installation, tier: Tier, point: str, *, times: int) -> None:
    """Run the tier's worker until it has died at *point*, passing it *times* times.

    Fails when it ends in any other way, or not at all although there is work.
    """
    launcher = ("tests.chaos.crashing", point, str(times), "--")
    with installation.worker(tier, launcher=launcher) as worker:
        for _ in range(ROUNDS_MAX):
            await work(installation)
            if await _ended(worker, within=MORE_AFTER_SECONDS):
                break
        assert await _ended(worker, within=DEATH_WITHIN_SECONDS), (
            f"the {tier} worker does not come to the step {point}: {worker.log.read_text()[-2000:]}"
        )
        assert -signal.SIGKILL == worker.popen.returncode, (
            f"the {tier} worker was to die at {point}: {worker.log.read_text()[-2000:]}"
        )


async def _ended(worker: Process, *, within: float) -> bool:
    until = time.monotonic() + within
    while worker.popen.poll() is None and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return worker.popen.returncode is not None


def inject_and_die(installation: Installation, point: str, *, number: int) -> str:
    """File in bulk until the injector dies at *point*; return the lines that it was given."""
    lines = ndjson(some_events(number))
    launcher = ("tests.chaos.crashing", point, "1", "--")
    done = installation.jukinet("inject", "-", given=lines, launcher=launcher)
    assert -signal.SIGKILL == done.returncode, done.stderr
    return lines


async def die_filing(installation: Installation, point: str) -> None:
    """File in bulk until the injector dies at *point*, then file the same again."""
    lines = await asyncio.to_thread(inject_and_die, installation, point, number=next(_numbers))
    again = await asyncio.to_thread(installation.jukinet, "inject", "-", given=lines)
    assert 0 == again.returncode, again.stderr
