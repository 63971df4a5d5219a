"""The main job on the whole nation, stage by stage, and the proof that it was done."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

import uvloop

from jukinet_mq import app
from jukinet_mq.broker.depths import depths
from jukinet_mq.clock import utc_now
from jukinet_mq.config import Settings
from jukinet_mq.identifiers import SYNTHETIC_COUNT
from jukinet_mq.load import installation
from jukinet_mq.load.filing import Filings, divert, file_sample
from jukinet_mq.load.installation import Servers
from jukinet_mq.load.measure import Meter
from jukinet_mq.load.processes import WorkerProcess, running_workers, wait_until_ready
from jukinet_mq.load.progress import Country, Reached, open_country
from jukinet_mq.load.proof import Proof, prove
from jukinet_mq.load.sampler import Sampler
from jukinet_mq.load.tally import KindTally, tally
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.store.proof import Mark
from jukinet_mq.topology.build import build

LOOK_EVERY: Final = timedelta(seconds=0.3)
LOOK_SHARE_MAX: Final = 0.2
"""Counting takes no more than this share of the time, however large the books have grown."""
MEASURE_EVERY: Final = timedelta(seconds=1)
STALLED_AFTER: Final = timedelta(seconds=45)
NUMBERS_PER_EVENT: Final = 4


class Stage(StrEnum):
    """What a run does, in this order; keys and topology at the same time."""

    SERVERS = "Start RabbitMQ and PostgreSQL"
    SCHEMA = "Bring three databases to the schema"
    KEYS = "Make keys of all nodes, enrol them in each tier"
    TOPOLOGY = "Give the broker the nation's queues, and check"
    WORKERS = "Start a worker process per tier"
    FILE = "File events at the counters"
    ARRIVE = "Wait until all is kept, handled and receipted"
    STOP = "Stop the workers"
    PROVE = "Count in three databases and the broker"
    DOWN = "Stop RabbitMQ and PostgreSQL"


class View(Protocol):
    """Who watches a run."""

    def began(self, stage: Stage) -> None:
        """*stage* has begun."""

    def ended(self, stage: Stage, note: str, seconds: float) -> None:
        """*stage* has ended well; *note* says with what."""

    def reached(self, filed: int, reached: Reached) -> None:
        """The run is this far."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        events: How many to file.
        keep: Let private servers go on running.
    """

    events: int
    seed: int
    keep: bool = False


@dataclass(slots=True)
class Report:
    """What a run has done.

    Attributes:
        seconds: By stage.
        memory: Most that all processes together held, in bytes; of foreign servers nothing.
    """

    plan: Plan
    filed: Filings
    kinds: Sequence[KindTally]
    proof: Proof
    seconds: Mapping[Stage, float]
    memory: int
    servers: Servers

    @property
    def holds(self) -> bool:
        """Whether all events were filed and the proof holds."""
        return self.filed.filed == self.plan.events and self.proof.holds


@dataclass(slots=True)
class _Run:
    plan: Plan
    view: View
    seconds: dict[Stage, float] = field(default_factory=dict)
    filed: Filings = field(default_factory=Filings)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[list[str]]:
        """Tell the view of *stage*; the block appends what the stage has ended with."""
        note: list[str] = []
        self.view.began(stage)
        started = time.monotonic()
        yield note
        self.seconds[stage] = time.monotonic() - started
        self.view.ended(stage, ", ".join(note), self.seconds[stage])


def run(plan: Plan, given: Settings, view: View) -> Report:
    """Do the whole of *plan*; what was started is stopped however it ends.

    Raises:
        JukinetError: A stage could not be done. That the proof does not hold is no error
            here: the report says it.
    """
    this = _Run(plan, view)
    with ExitStack() as stack:
        with this.stage(Stage.SERVERS) as note:
            servers = stack.enter_context(installation.servers(given, keep=plan.keep))
            note.append("private, on loopback" if servers.private else "those of the environment")
        report = uvloop.run(_work(this, servers))
        with this.stage(Stage.DOWN) as note:
            stack.close()
            note.append("they go on running" if servers.stays else "their data stays")
    return report


async def _work(this: _Run, servers: Servers) -> Report:
    meter = Meter({"all": [os.getpid(), *servers.pids.values()]})
    measuring = asyncio.create_task(_measure(meter))
    try:
        await _prepare(this, servers.settings)
        async with open_country(servers.settings) as country:
            marks = await country.marks()
            await _file_and_follow(this, servers.settings, country, marks)
            with this.stage(Stage.PROVE) as note:
                proof, kinds = await _prove(servers.settings, country, marks)
                note.append(f"{proof.envelopes:,} envelopes, {proof.copies:,} copies")
    finally:
        measuring.cancel()
    return Report(
        plan=this.plan,
        filed=this.filed,
        kinds=kinds,
        proof=proof,
        seconds=this.seconds,
        memory=meter.peak_bytes,
        servers=servers,
    )


async def _measure(meter: Meter) -> None:
    while True:
        await asyncio.to_thread(meter.look)
        await asyncio.sleep(MEASURE_EVERY.total_seconds())


async def _prepare(this: _Run, given: Settings) -> None:
    with this.stage(Stage.SCHEMA):
        await installation.migrate(given)
    # The broker works on its queues while we make keys.
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keys(this, given))
        tasks.create_task(_topology(this, given))


async def _keys(this: _Run, given: Settings) -> None:
    with this.stage(Stage.KEYS) as note:
        note.append(f"{await installation.enrol_keys(given):,} keys")


async def _topology(this: _Run, given: Settings) -> None:
    with this.stage(Stage.TOPOLOGY) as note:
        note.append(f"{await installation.apply_topology(given):,} queues")


async def _file_and_follow(
    this: _Run, given: Settings, country: Country, marks: Mapping[Tier, Mark]
) -> None:
    with ExitStack() as stack:
        with this.stage(Stage.WORKERS) as note:
            workers = stack.enter_context(running_workers(given))
            await wait_until_ready(workers)
            note.append("process " + ", ".join(f"{w.pid} {w.tier.value}" for w in workers))
        following = _Following(this, country, marks, workers)
        filing = asyncio.create_task(_file(this, given, marks[Tier.MUNICIPALITY], following.check))
        try:
            await following.until(filing.done)
            await filing
            with this.stage(Stage.ARRIVE) as note:
                note.append(await following.until_complete())
        finally:
            filing.cancel()
        with this.stage(Stage.STOP):
            stack.close()


async def _file(this: _Run, given: Settings, mark: Mark, check: Callable[[], None]) -> None:
    with this.stage(Stage.FILE) as note:
        room_for = this.plan.events * NUMBERS_PER_EVENT
        # Earlier runs have used a number per outbox row at the most: residents are new ones.
        offset = mark.position % max(1, SYNTHETIC_COUNT - room_for)
        sampler = Sampler(this.plan.seed, at=utc_now(), offset=offset)
        events = divert(sampler.events(this.plan.events), seed=this.plan.seed)
        async with app.open_room(given, Tier.MUNICIPALITY) as room:
            await file_sample(room, events, filed=this.filed, check=check)
        note.append(f"{this.filed.filed:,} events")


@dataclass(slots=True)
class _Following:
    """Watches the databases until a run is at its end."""

    this: _Run
    country: Country
    marks: Mapping[Tier, Mark]
    workers: Sequence[WorkerProcess]

    def check(self) -> None:
        """Raise WorkerEndedError if a worker has ended."""
        for worker in self.workers:
            worker.check()

    async def look(self) -> Reached:
        """Count once, tell the view, and pause."""
        self.check()
        started = time.monotonic()
        reached = await self.country.progress(self.marks)
        self.this.view.reached(self.this.filed.filed, reached)
        taken = time.monotonic() - started
        await asyncio.sleep(max(LOOK_EVERY.total_seconds(), taken / LOOK_SHARE_MAX))
        return reached

    async def until(self, ended: Callable[[], bool]) -> None:
        """Look until *ended*."""
        while not ended():
            await self.look()

    async def until_complete(self) -> str:
        """Look until nothing is under way twice in a row, or nothing has moved for long.

        The three databases are not read at one instant; what is complete and has not changed
        between two looks was complete in between. If it never is, the proof says what lacks.
        """
        before, moved = await self.look(), time.monotonic()
        while time.monotonic() - moved < STALLED_AFTER.total_seconds():
            now = await self.look()
            if now != before:
                before, moved = now, time.monotonic()
            elif now.complete:
                return f"{now.published:,} envelopes published, {now.receipts[0]:,} receipts"
        return "nothing has moved for long; not all has arrived"


async def _prove(
    given: Settings, country: Country, marks: Mapping[Tier, Mark]
) -> tuple[Proof, list[KindTally]]:
    queues = await depths(given.broker_urls[0], [q.name for q in build(directory()).queues])
    books = await country.books(marks)
    since = {tier: mark.position for tier, mark in marks.items()}
    return prove(books, queues, since=since), tally(books, since)
