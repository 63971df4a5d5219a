"""The main job on the whole nation, stage by stage, and the proof that it was done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Final

import uvloop

from jukinet_mq.broker.depths import depths
from jukinet_mq.clock import utc_now
from jukinet_mq.config import Settings
from jukinet_mq.identifiers import SYNTHETIC_COUNT
from jukinet_mq.load import installation
from jukinet_mq.load.filing import Filings, divert, file_sample
from jukinet_mq.load.installation import Servers
from jukinet_mq.load.measure import Meter
from jukinet_mq.load.processes import check_all, running_workers, wait_until_ready
from jukinet_mq.load.progress import Country, Following, Reached, open_country
from jukinet_mq.load.proof import Proof, prove
from jukinet_mq.load.sampler import Sampler
from jukinet_mq.load.stages import Stages, View
from jukinet_mq.load.tally import KindTally, tally
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.room import open_room
from jukinet_mq.store.proof import Mark
from jukinet_mq.topology.build import build

MEASURE_EVERY: Final = timedelta(seconds=1)
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
    seconds: Mapping[StrEnum, float]
    memory: int
    servers: Servers

    @property
    def holds(self) -> bool:
        """Whether all events were filed and the proof holds."""
        return self.filed.filed == self.plan.events and self.proof.holds


@dataclass(slots=True)
class _Run(Stages):
    plan: Plan = field(kw_only=True)
    filed: Filings = field(default_factory=Filings)


def run(plan: Plan, given: Settings, view: View) -> Report:
    """Do the whole of *plan*; what was started is stopped however it ends.

    Raises:
        JukinetError: A stage could not be done. That the proof does not hold is no error
            here: the report says it.
    """
    this = _Run(view, plan=plan)
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
        following = Following(
            country,
            marks,
            check=partial(check_all, workers),
            tell=lambda reached: this.view.reached(this.filed.filed, reached),
        )
        filing = asyncio.create_task(_file(this, given, marks[Tier.MUNICIPALITY], following.check))
        try:
            await following.until(filing.done)
            await filing
            with this.stage(Stage.ARRIVE) as note:
                note.append(_said(await following.until_complete()))
        finally:
            filing.cancel()
        with this.stage(Stage.STOP):
            stack.close()


def _said(reached: Reached) -> str:
    if not reached.complete:
        return "nothing has moved for long, and not all has arrived"
    return f"{reached.published:,} envelopes, {reached.receipts[0]:,} receipts"


async def _file(this: _Run, given: Settings, mark: Mark, check: Callable[[], None]) -> None:
    with this.stage(Stage.FILE) as note:
        room_for = this.plan.events * NUMBERS_PER_EVENT
        # Earlier runs have used a number per outbox row at the most: residents are new ones.
        offset = mark.position % max(1, SYNTHETIC_COUNT - room_for)
        sampler = Sampler(this.plan.seed, at=utc_now(), offset=offset)
        events = divert(sampler.events(this.plan.events), seed=this.plan.seed)
        async with open_room(given, Tier.MUNICIPALITY) as room:
            await file_sample(room, events, filed=this.filed, check=check)
        note.append(f"{this.filed.filed:,} events")


async def _prove(
    given: Settings, country: Country, marks: Mapping[Tier, Mark]
) -> tuple[Proof, list[KindTally]]:
    queues = await depths(given.broker_urls[0], [q.name for q in build(directory()).queues])
    books = await country.books(marks)
    since = {tier: mark.position for tier, mark in marks.items()}
    return prove(books, queues, since=since), tally(books, since)
