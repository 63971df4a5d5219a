"""How fast identity updates pass all three tiers, with all guarantees, and where the time goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final
from uuid import UUID

import uvloop

from jukinet_mq.clock import utc_now
from jukinet_mq.config import Settings
from jukinet_mq.errors import DeadlineExceededError
from jukinet_mq.identifiers import SYNTHETIC_COUNT
from jukinet_mq.load import installation
from jukinet_mq.load.filing import file_patiently
from jukinet_mq.load.injector import Injector, running_injector
from jukinet_mq.load.installation import Servers
from jukinet_mq.load.measure import (
    Meter,
    Percentiles,
    load_average,
    peak_resident_bytes,
    percentiles,
)
from jukinet_mq.load.processes import (
    WorkerProcess,
    check_all,
    running_workers,
    wait_until_ready,
)
from jukinet_mq.load.progress import Country, Following, Reached, open_country
from jukinet_mq.load.sampler import Sampler
from jukinet_mq.load.stages import Stages, View
from jukinet_mq.messages import IdentityUpdate
from jukinet_mq.nodes import NATIONAL_NODE, Tier
from jukinet_mq.producers.events import read_event
from jukinet_mq.room import open_room
from jukinet_mq.store import proof
from jukinet_mq.store.proof import Mark, Span

LOOK_EVERY_MAX: Final = timedelta(seconds=10)
"""Counting costs processor time that is then not there for what is measured."""
LOOK_PER_UPDATE: Final = timedelta(milliseconds=1)
"""Few updates are soon through; who measures them does not wait long."""
SINGLES_FIRST: Final = 5
"""Not counted: the first ones open connections."""
SINGLE_WITHIN: Final = timedelta(seconds=20)
SINGLE_POLL: Final = timedelta(milliseconds=1)
NUMBERS_PER_UPDATE: Final = 2
KEPT_AT_NATIONAL: Final = "kept at J-LIS"


class Stage(StrEnum):
    """What a benchmark does, in this order."""

    SERVERS = "Start RabbitMQ and PostgreSQL"
    PREPARE = "Schema, keys and topology of the nation"
    PROCESSES = "Start the workers and the injector"
    WARM_UP = "Warm up"
    RUN = "Publish, and wait for the last receipt"
    IDLE = "Publish single updates, one after the other"
    DOWN = "Stop everything"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        count: Updates that are counted.
        warm_up: Updates before, that are not.
        singles: Updates one after the other on the idle system.
        processes: Workers of each tier, side by side.
    """

    count: int
    warm_up: int
    seed: int
    singles: int = 50
    processes: int = 1


@dataclass(frozen=True, slots=True)
class StageRate:
    """One stage, from the first transaction to the last one, in seconds after the start."""

    name: str
    count: int
    first: float
    last: float

    @property
    def per_second(self) -> float | None:
        """How many a second between its first and its last; None of a single batch."""
        return self.count / (self.last - self.first) if self.last > self.first else None


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Instants are those of transactions' beginnings, as the databases hold them.

    Attributes:
        kept_seconds: From the first publish to the last update kept at J-LIS.
        receipted_seconds: From the first publish to the last receipt.
        complete: Whether everything had arrived when measuring ended.
        publish_seconds: What the injector needed for its transactions.
        cpu_seconds: By group of processes, from the start to the last receipt.
        worker_peaks: Bytes resident at the most, by worker.
        idle: From filing one update to seeing it kept at J-LIS, nothing else under way but
            receipts of those before.
        load_before: Load average of the machine before the run: other work distorts.
    """

    plan: Plan
    stages: Sequence[StageRate]
    kept_seconds: float
    receipted_seconds: float
    complete: bool
    publish_seconds: float
    cpu_seconds: Mapping[str, float]
    worker_peaks: Mapping[str, int]
    idle: Percentiles | None
    load_before: float


def run(plan: Plan, given: Settings, view: View) -> Result:
    """Measure *plan*; what was started is stopped however it ends.

    Raises:
        JukinetError: It could not be measured.
    """
    stages = Stages(view)
    with ExitStack() as stack:
        with stages.stage(Stage.SERVERS):
            servers = stack.enter_context(installation.servers(given))
        result = uvloop.run(_Bench(plan, stages, servers).run())
        with stages.stage(Stage.DOWN):
            stack.close()
    return result


@dataclass(frozen=True, slots=True)
class _Bench:
    plan: Plan
    stages: Stages
    servers: Servers

    async def run(self) -> Result:
        with self.stages.stage(Stage.PREPARE):
            await installation.prepare(self.servers.settings)
        async with open_country(self.servers.settings) as country:
            marks = await country.marks()
            offset = self._offset(marks[Tier.MUNICIPALITY].position)
            with ExitStack() as stack:
                with self.stages.stage(Stage.PROCESSES):
                    workers, injector = self._start(stack, offset)
                    await wait_until_ready(workers)
                    await injector.answer()
                with self.stages.stage(Stage.WARM_UP):
                    await self._pass(injector, self._following(country, marks, workers))
                measured = await self._measure(country, workers, injector)
                with self.stages.stage(Stage.IDLE):
                    idle = await self._singles(country, offset)
                    await self._following(country, marks, workers).until_complete()
                return replace(measured, idle=idle, worker_peaks=_peaks(workers))

    def _start(self, stack: ExitStack, offset: int) -> tuple[list[WorkerProcess], Injector]:
        given, parts = self.servers.settings, (self.plan.warm_up, self.plan.count)
        workers = stack.enter_context(running_workers(given, of_each=self.plan.processes))
        injector = stack.enter_context(
            running_injector(given, parts, seed=self.plan.seed, offset=offset)
        )
        return workers, injector

    def _offset(self, position: int) -> int:
        """Return a number of the test range that earlier runs have not used."""
        needed = NUMBERS_PER_UPDATE * (
            self.plan.count + self.plan.warm_up + self.plan.singles + SINGLES_FIRST
        )
        return position % max(1, SYNTHETIC_COUNT - needed)

    def _following(
        self, country: Country, marks: Mapping[Tier, Mark], workers: Sequence[WorkerProcess]
    ) -> Following:
        return Following(
            country,
            marks,
            check=partial(check_all, workers),
            tell=self._tell,
            every=min(LOOK_EVERY_MAX, self.plan.count * LOOK_PER_UPDATE),
        )

    def _tell(self, reached: Reached) -> None:
        self.stages.view.reached(None, reached)

    async def _pass(self, injector: Injector, following: Following) -> tuple[float, Reached]:
        """Publish the next part and wait until all of it has arrived."""
        injector.go()
        published = asyncio.create_task(injector.answer())
        await following.until(published.done)
        return (await published)["seconds"], await following.until_complete()

    async def _measure(
        self, country: Country, workers: Sequence[WorkerProcess], injector: Injector
    ) -> Result:
        meter = Meter(_groups(workers, injector, self.servers))
        marks = await country.marks()
        load_before, cpu_before = load_average(), meter.cpu_seconds()
        with self.stages.stage(Stage.RUN):
            seconds, reached = await self._pass(injector, self._following(country, marks, workers))
        cpu = {name: used - cpu_before[name] for name, used in meter.cpu_seconds().items()}
        rates = await _rates(country, marks)
        return Result(
            plan=self.plan,
            stages=rates,
            kept_seconds=max(r.last for r in rates if r.name == KEPT_AT_NATIONAL),
            receipted_seconds=max(r.last for r in rates),
            complete=reached.complete,
            publish_seconds=seconds,
            cpu_seconds=cpu,
            worker_peaks={},
            idle=None,
            load_before=load_before,
        )

    async def _singles(self, country: Country, offset: int) -> Percentiles | None:
        """Time single updates from filing to seeing them kept at J-LIS."""
        count = self.plan.singles + SINGLES_FIRST
        behind = NUMBERS_PER_UPDATE * (self.plan.count + self.plan.warm_up)
        sampler = Sampler(self.plan.seed, at=utc_now(), offset=offset + behind)
        taken: list[float] = []
        async with open_room(self.servers.settings, Tier.MUNICIPALITY) as room:
            for mapping in sampler.identity_updates(count):
                started = time.perf_counter()
                event = read_event(mapping)
                [outcome] = await file_patiently(room, [event])
                await _seen(country, outcome.envelopes[0])
                taken.append(time.perf_counter() - started)
        return percentiles(taken[SINGLES_FIRST:])


async def _seen(country: Country, message_id: UUID) -> None:
    """Return as soon as J-LIS has kept an update.

    Raises:
        DeadlineExceededError: It has not in time.
    """
    try:
        async with asyncio.timeout(SINGLE_WITHIN.total_seconds()):
            while True:
                if await country.is_kept(message_id, NATIONAL_NODE):
                    return
                await asyncio.sleep(SINGLE_POLL.total_seconds())
    except TimeoutError:
        raise DeadlineExceededError(
            f"update {message_id} is not kept at J-LIS after {SINGLE_WITHIN.total_seconds():g} s; "
            f"run `jukinet status {message_id}`"
        ) from None


def _groups(
    workers: Sequence[WorkerProcess], injector: Injector, servers: Servers
) -> dict[str, list[int]]:
    groups = {"injector": [injector.pid]}
    for worker in workers:
        groups.setdefault(f"{worker.tier.value} worker", []).append(worker.pid)
    for name in ("rabbitmq", "postgresql"):
        if name in servers.pids:
            groups[name] = [servers.pids[name]]
    return groups


def _peaks(workers: Sequence[WorkerProcess]) -> dict[str, int]:
    return {worker.log.stem: peak_resident_bytes(worker.pid) for worker in workers}


async def _rates(country: Country, marks: Mapping[Tier, Mark]) -> list[StageRate]:
    """Read from the databases when the stages' first and last transactions were."""
    kind = IdentityUpdate.kind
    here, above, top = (marks[tier] for tier in Tier)
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        published, relayed = await proof.outbox_spans(tx, here, kind)
        receipts = await proof.answer_span(tx, here.at)
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        at_prefecture = await proof.arrival_span(tx, above.at, kind)
    async with country.databases[Tier.NATIONAL].transaction() as tx:
        at_national = await proof.arrival_span(tx, top.at, kind)
    spans = {
        "published": published,
        "relayed": relayed,
        "kept at the prefectures": at_prefecture,
        KEPT_AT_NATIONAL: at_national,
        "receipts received": receipts,
    }
    start = published.first or here.at
    return [_rate(name, span, start) for name, span in spans.items()]


def _rate(name: str, span: Span, start: datetime) -> StageRate:
    first, last = span.first or start, span.last or start
    return StageRate(
        name, span.count, (first - start).total_seconds(), (last - start).total_seconds()
    )
