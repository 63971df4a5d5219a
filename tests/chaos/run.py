"""One run of chaos: faults at random under a flow of events, then quiet, then counting."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from jukinet_mq.load.proof import Proof
from jukinet_mq.nodes import Tier
from tests.chaos.crew import Crew, Flow, fielded
from tests.chaos.faults import choose, kill_workers, look_after_workers
from tests.fixtures.installation import Installation
from tests.fixtures.own_servers import OwnServers

PER_SECOND = 50
FILED = "SELECT count(*) FROM filed_event"


@dataclass
class Report:
    """What happened, and what counting has found.

    Attributes:
        missing_events: Events that were accepted and are not in the municipality's books.
        strange: Processes that ended as nobody had told them.
    """

    seed: int
    seconds: float
    settled_seconds: float
    filed: int
    refusals: int
    missing_events: int
    proof: Proof
    faults: Counter[str] = field(default_factory=Counter)
    deaths: dict[str, int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Return what must be nothing, by name."""
        return {
            **{name: len(found) for name, found in self.proof.findings.items()},
            "left in queues": sum(self.proof.left_in_queues.values()),
            "left in databases": sum(self.proof.left.values()),
            "events not filed": self.missing_events,
            "strange ends": len(self.strange),
        }

    @property
    def good(self) -> bool:
        """Whether everything that must be nothing is nothing."""
        return not any(self.counts.values())

    def __str__(self) -> str:
        proof = self.proof
        causes = ", ".join(f"{name} {n}" for name, n in self.faults.most_common())
        deaths = ", ".join(f"{name} {n}" for name, n in sorted(self.deaths.items()))
        lines = [
            f"seed {self.seed}: {self.seconds:.0f} s of chaos",
            f"settled after {self.settled_seconds:.1f} s more",
            f"events {self.filed}, filing repeated {self.refusals} times",
            f"envelopes {proof.envelopes}, copies {proof.copies}, effects {proof.effects}",
            f"receipts {proof.receipts}",
            f"faults: {causes}",
            f"deaths of workers: {deaths}",
            *(f"{name}: {count}" for name, count in self.counts.items()),
            *self.strange,
            *(f"{name}: {found[:3]}" for name, found in proof.findings.items() if found),
            *(f"left: {name} {count}" for name, count in proof.left.items()),
            *(f"left in queue: {name} {count}" for name, count in proof.left_in_queues.items()),
        ]
        return "\n".join(lines)


async def run(
    servers: OwnServers,
    installation: Installation,
    *,
    seed: int,
    chaos: timedelta,
    settle_within: timedelta,
    per_second: int = PER_SECOND,
) -> Report:
    """Let there be chaos, then quiet; then count."""
    chance = random.Random(seed)
    async with fielded(servers, installation, chance, per_second=per_second) as ground:

        async def strike() -> str:
            fault = choose(ground)
            await fault(ground)
            return fault.__name__

        course = Course(ground.crew, ground.flow, strike, ground.heal)
        return await play(course, seed=seed, chaos=chaos, settle_within=settle_within)


@dataclass(frozen=True, slots=True)
class Course:
    """One run: who works, what is filed, what strikes them, and how all is mended."""

    crew: Crew
    flow: Flow
    strike: Callable[[], Awaitable[str]]
    heal: Callable[[], Awaitable[None]]


async def play(course: Course, *, seed: int, chaos: timedelta, settle_within: timedelta) -> Report:
    """Strike for as long as *chaos*, let it settle, end everybody, and count."""
    installation = course.flow.installation
    [[before]] = await installation.fetch(Tier.MUNICIPALITY, FILED)
    began = time.monotonic()
    faults = await _chaos(course, chaos)
    quiet = time.monotonic()
    with suppress(TimeoutError, AssertionError):
        await installation.settled(within=settle_within)
    settled = time.monotonic()
    await course.crew.end()
    [[after]] = await installation.fetch(Tier.MUNICIPALITY, FILED)
    return Report(
        seed=seed,
        seconds=quiet - began,
        settled_seconds=settled - quiet,
        filed=course.flow.filed,
        refusals=course.flow.refusals,
        missing_events=course.flow.filed - (after - before),
        proof=await installation.proof(),
        faults=faults,
        deaths=course.crew.deaths,
        strange=course.crew.strange,
    )


async def _chaos(course: Course, duration: timedelta) -> Counter[str]:
    """Return which faults there were; afterwards every event is filed and all workers are well."""
    faults: Counter[str] = Counter()
    crew = course.crew
    ends = time.monotonic() + duration.total_seconds()
    told = asyncio.Event()
    looking = asyncio.create_task(look_after_workers(crew))
    killing = asyncio.create_task(kill_workers(crew))
    flowing = asyncio.create_task(course.flow.run(told))
    try:
        while time.monotonic() < ends and not _any_ended(looking, killing, flowing):
            faults[await course.strike()] += 1
            await asyncio.sleep(crew.chance.uniform(0, 2))
        killing.cancel()
        await course.heal()
        told.set()
        await flowing
        crew.doomed = False
        for tier in Tier:
            crew.kill(tier)
        crew.look_after()
    finally:
        for task in (looking, killing, flowing):
            task.cancel()
        ended = await asyncio.gather(looking, killing, flowing, return_exceptions=True)
    for end in ended:
        if isinstance(end, Exception):
            raise end
    return faults


def _any_ended(*tasks: asyncio.Task[None]) -> bool:
    return any(task.done() for task in tasks)
