"""Faults between the real processes and their servers; afterwards the books are counted."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.faults import HEARTBEAT, before_the_broker, before_the_database
from tests.fixtures.filing import flowing
from tests.fixtures.installation import Installation, Process
from tests.fixtures.outages import flow, numbers, said_once, waiting
from tests.fixtures.proving import nothing_held_against_any, proved
from tests.fixtures.proxy import Proxy


async def terminated(workers: dict[Tier, Process]) -> list[int]:
    """End the workers; the loop goes on meanwhile, since the proxy between them runs in it."""
    return [await asyncio.to_thread(worker.terminate) for worker in workers.values()]


Fault = Callable[[Proxy, random.Random], Awaitable[None]]


async def cuts(proxy: Proxy, chance: random.Random) -> None:
    """Reset everything five times, at odd moments."""
    for _ in range(5):
        proxy.cut_after = chance.randrange(20_000, 400_000)
        await asyncio.sleep(0.4)
        proxy.cut()


async def stall(proxy: Proxy, chance: random.Random) -> None:
    """A black hole for longer than anybody waits."""
    proxy.stall()
    await asyncio.sleep(2.5 * int(HEARTBEAT))
    proxy.flow()


async def slowness(proxy: Proxy, chance: random.Random) -> None:
    """Every chunk comes late."""
    proxy.delay = timedelta(milliseconds=chance.randrange(20, 60))
    await asyncio.sleep(2)
    proxy.delay = timedelta(0)


@pytest.mark.parametrize("fault", [cuts, stall, slowness])
async def test_broken_connections_to_the_broker_lose_and_double_nothing(
    installation: Installation, fault: Fault
) -> None:
    """Cut, stalled or slow: when it is over every update is everywhere once, and receipted."""
    chance = random.Random(fault.__name__)
    async with before_the_broker(installation) as (proxy, far):
        with installation.workers(**far) as workers:
            await waiting(installation, workers[Tier.NATIONAL], "worker.started")
            async with flowing(installation, itertools.count(next(numbers))):
                await fault(proxy, chance)
            await installation.settled()
            codes = await terminated(workers)

    assert [0, 0, 0] == codes
    await proved(installation)


@pytest.mark.parametrize("tier", [Tier.PREFECTURE, Tier.NATIONAL])
async def test_absent_database_pauses_its_worker_and_counts_against_no_envelope(
    installation: Installation, tier: Tier
) -> None:
    """Nothing is retried or parked while PostgreSQL is away; all is normal when it is back."""
    async with before_the_database(installation, tier) as (proxy, far):
        with installation.workers(**far) as workers:
            await waiting(installation, workers[tier], "worker.started")
            await flow(installation, parts=1)
            proxy.go_away()
            await flow(installation, parts=2)
            await waiting(installation, workers[tier], "consuming.paused")
            proxy.flow()
            await waiting(installation, workers[tier], "consuming.resumed")
            await installation.settled()
            codes = await terminated(workers)

    assert [0, 0, 0] == codes
    said_once(workers[tier])
    await nothing_held_against_any(installation)
    await proved(installation)


async def test_frozen_database_pauses_its_worker(installation: Installation) -> None:
    """A database that takes statements and never answers is as good as one that is away."""
    tier = Tier.NATIONAL
    async with before_the_database(installation, tier) as (proxy, far):
        with installation.workers(**far) as workers:
            await waiting(installation, workers[tier], "worker.started")
            proxy.stall()
            await flow(installation, parts=1)
            proxy.cut()
            proxy.flow()
            await installation.settled()
            await terminated(workers)

    await proved(installation)


async def test_worker_started_while_its_database_is_away_waits_for_it(
    installation: Installation,
) -> None:
    """After a power cut the order in which things come back does not matter."""
    tier = Tier.NATIONAL
    async with before_the_database(installation, tier) as (proxy, far):
        proxy.go_away()
        with installation.workers(**far) as workers:
            await waiting(installation, workers[tier], "consuming.paused")
            await flow(installation, parts=1)
            proxy.flow()
            await waiting(installation, workers[tier], "worker.started")
            await installation.settled()
            codes = await terminated(workers)

    assert [0, 0, 0] == codes
    await proved(installation)


async def test_worker_told_to_end_while_its_database_is_away_exits_0(
    installation: Installation,
) -> None:
    """Nothing was begun, so nothing has to be finished."""
    tier = Tier.PREFECTURE
    async with before_the_database(installation, tier) as (proxy, far):
        proxy.go_away()
        with installation.worker(tier, **far) as worker:
            await waiting(installation, worker, "consuming.paused")
            codes = await terminated({tier: worker})

    assert [0] == codes
