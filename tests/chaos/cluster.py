"""Chaos on a broker of three nodes: they die, are cut off, hand over and come back (G1, G2)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

from tests.chaos.crew import Flow, crewed
from tests.chaos.run import Course, Report, play
from tests.fixtures.broker_cluster import BrokerCluster
from tests.fixtures.installation import Installation

PER_SECOND = 250
PARTITION_SECONDS = (10, 30)

Fault = Callable[[BrokerCluster, random.Random], Awaitable[None]]


async def node_killed(cluster: BrokerCluster, chance: random.Random) -> None:
    """One node dies."""
    await asyncio.to_thread(chance.choice(cluster.nodes).kill)
    await asyncio.sleep(chance.uniform(0, 10))


async def node_drained(cluster: BrokerCluster, chance: random.Random) -> None:
    """One node hands its queues and clients over, and is stopped in order."""
    node = chance.choice(cluster.nodes)
    await asyncio.to_thread(node.drain)
    await asyncio.to_thread(node.stop)


async def minority_cut_off(cluster: BrokerCluster, chance: random.Random) -> None:
    """One node loses the two others, and keeps its clients."""
    cluster.network.isolate(chance.choice(cluster.nodes).machine)
    await asyncio.sleep(chance.choice(PARTITION_SECONDS))


async def node_out_of_reach(cluster: BrokerCluster, chance: random.Random) -> None:
    """One node loses the two others and its clients."""
    machine = chance.choice(cluster.nodes).machine
    cluster.network.isolate(machine)
    cluster.network.cut(machine, cluster.network.host)
    await asyncio.sleep(chance.choice(PARTITION_SECONDS))


async def all_cut_from_all(cluster: BrokerCluster, chance: random.Random) -> None:
    """There is no majority anywhere."""
    for node in cluster.nodes:
        cluster.network.isolate(node.machine)
    await asyncio.sleep(chance.choice(PARTITION_SECONDS))


async def two_cut_from_each_other(cluster: BrokerCluster, chance: random.Random) -> None:
    """Two nodes lose each other, and both still see the third."""
    one, other = chance.sample(cluster.network.machines, 2)
    cluster.network.cut(one, other)
    await asyncio.sleep(chance.choice(PARTITION_SECONDS))


FAULTS: tuple[Fault, ...] = (
    node_killed,
    node_drained,
    minority_cut_off,
    node_out_of_reach,
    all_cut_from_all,
    two_cut_from_each_other,
)


async def run(
    cluster: BrokerCluster,
    installation: Installation,
    *,
    seed: int,
    chaos: timedelta,
    settle_within: timedelta,
    per_second: int = PER_SECOND,
) -> Report:
    """Let nodes and workers fail at random, all mended after each fault; then count."""
    chance = random.Random(seed)
    faults = _without_end(chance)
    with crewed(installation, chance) as crew:

        async def strike() -> str:
            fault = next(faults)
            await fault(cluster, chance)
            await cluster.mend()
            return fault.__name__

        course = Course(crew, Flow(installation, per_second), strike, cluster.mend)
        return await play(course, seed=seed, chaos=chaos, settle_within=settle_within)


def _without_end(chance: random.Random) -> Iterator[Fault]:
    """Yield each fault once before any comes again."""
    while True:
        yield from chance.sample(FAULTS, len(FAULTS))
