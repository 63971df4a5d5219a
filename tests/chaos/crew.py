"""What chaos works on: a worker of each tier that comes back however it ends, and a flow."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace

from jukinet_mq.nodes import Tier
from tests.chaos.parade import points_of
from tests.fixtures.faults import before_the_broker, before_the_database
from tests.fixtures.filing import Event, move, ndjson, update
from tests.fixtures.installation import Installation, Process
from tests.fixtures.own_servers import OwnServers
from tests.fixtures.proxy import Proxy

DOOMED_SHARE = 0.4
"""Of the workers that are started while there is chaos, those that carry a deadly step in them."""
PASSAGES_MAX = 6
BATCH_MAX = 2_000
RESIDENTS = 900_000
TRIES_SECONDS_MAX = 300.0


@dataclass
class Crew:
    """The workers of all tiers. Who dies of what it was given is started again.

    Attributes:
        doomed: Whether new ones may carry a deadly step.
        deaths: How often which end came, to be told at the end.
        strange: Ends that nobody has caused; each is a fault of the program.
    """

    installation: Installation
    chance: random.Random
    doomed: bool = True
    deaths: dict[str, int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    _running: dict[Tier, Process] = field(default_factory=dict)
    _ends: dict[Tier, ExitStack] = field(default_factory=dict)
    _fates: dict[Tier, str | None] = field(default_factory=dict)

    def start(self, tier: Tier) -> None:
        """Start the worker of a tier, maybe one with a deadly step in it."""
        fate = None
        launcher: tuple[str, ...] = ("jukinet_mq",)
        if self.doomed and self.chance.random() < DOOMED_SHARE:
            fate = self.chance.choice(points_of(tier))
            times = self.chance.randint(1, PASSAGES_MAX)
            launcher = ("tests.chaos.crashing", fate, str(times), "--")
        stack = ExitStack()
        worker = self.installation.worker(tier, launcher=launcher)
        self._running[tier] = stack.enter_context(worker)
        self._ends[tier], self._fates[tier] = stack, fate

    def kill(self, tier: Tier) -> None:
        """Kill the worker of a tier, if it lives."""
        worker = self._running[tier]
        if worker.popen.poll() is None:
            worker.popen.send_signal(signal.SIGKILL)
            worker.popen.wait()
            self._fates[tier] = "SIGKILL"

    def look_after(self) -> None:
        """Start again whoever has ended."""
        for tier, worker in self._running.items():
            if (code := worker.popen.poll()) is not None:
                self._note(tier, code, worker)
                self._ends[tier].close()
                self.start(tier)

    def _note(self, tier: Tier, code: int, worker: Process) -> None:
        fate = self._fates[tier]
        if code != -signal.SIGKILL or fate is None:
            self.strange.append(f"{tier}: ended with {code}; see {worker.log}")
        self.deaths[fate or "?"] = self.deaths.get(fate or "?", 0) + 1

    async def end(self) -> None:
        """End everybody in order; whoever does not is noted."""
        for tier, worker in self._running.items():
            code = await asyncio.to_thread(worker.terminate)
            if code != 0:
                self.strange.append(f"{tier}: SIGTERM gave {code}; see {worker.log}")
            self._ends[tier].close()

    def abandon(self) -> None:
        """Leave nobody behind when the run itself has failed."""
        for stack in self._ends.values():
            stack.close()


@contextmanager
def crewed(installation: Installation, chance: random.Random) -> Iterator[Crew]:
    """Have a worker of each tier."""
    crew = Crew(installation, chance)
    try:
        for tier in Tier:
            crew.start(tier)
        yield crew
    finally:
        crew.abandon()


@dataclass
class Flow:
    """Files events at a rate; what is refused is filed again, as a client that must would."""

    installation: Installation
    per_second: int
    filed: int = 0
    refusals: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def run(self, stop: asyncio.Event) -> None:
        """File until *stop* is set; returns when every event so far is filed."""
        began = time.monotonic()
        while not stop.is_set():
            due = int((time.monotonic() - began) * self.per_second) - self.filed
            await self.file(max(20, min(BATCH_MAX, due)))
            if due <= 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 20 / self.per_second)

    async def file(self, count: int) -> None:
        """File *count* events, one of twenty a move, the others updates."""
        events: list[Event] = []
        for number in itertools.islice(self.numbers, count):
            resident = number % RESIDENTS + 1
            events.append(move(resident) if number % 20 == 0 else update(resident))
        given = ndjson(events)
        async with asyncio.timeout(TRIES_SECONDS_MAX):
            while not await asyncio.to_thread(self._accepted, given):
                self.refusals += 1
        self.filed += count

    def _accepted(self, given: str) -> bool:
        try:
            done = self.installation.jukinet("inject", "-", given=given)
        except subprocess.TimeoutExpired:
            return False
        assert done.returncode in {0, os.EX_TEMPFAIL}, done.stderr
        return done.returncode == 0


@dataclass
class Field:
    """The servers, what stands between them and the processes, and the processes."""

    servers: OwnServers
    installation: Installation
    broker: Proxy
    databases: dict[Tier, Proxy]
    crew: Crew
    flow: Flow
    chance: random.Random

    async def heal(self) -> None:
        """Let everything pass again, at once."""
        for proxy in (self.broker, *self.databases.values()):
            proxy.heal()


@asynccontextmanager
async def fielded(
    servers: OwnServers, installation: Installation, chance: random.Random, *, per_second: int
) -> AsyncIterator[Field]:
    """Have a crew whose connections all go through proxies."""
    async with AsyncExitStack() as stack:
        broker, far = await stack.enter_async_context(before_the_broker(installation))
        databases = {}
        for tier in Tier:
            databases[tier], more = await stack.enter_async_context(
                before_the_database(installation, tier)
            )
            far |= more
        led_through = replace(installation, environment=installation.environment | far)
        crew = stack.enter_context(crewed(led_through, chance))
        flow = Flow(led_through, per_second)
        yield Field(servers, installation, broker, databases, crew, flow, chance)
