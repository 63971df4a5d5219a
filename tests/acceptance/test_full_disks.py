"""Volumes of PostgreSQL's that run full under the real processes (G13). Mounts them: needs root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import asyncpg
import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.installation import Process
from tests.fixtures.outages import (
    database_of,
    filed,
    flow,
    one_clear_error,
    outage,
    said_once,
    surviving,
    waiting,
)
from tests.fixtures.own_servers import OwnServers, SmallVolume, World, small_volume

ON_SMALL_VOLUMES = (Tier.MUNICIPALITY, Tier.NATIONAL)
FULL_WITHIN_SECONDS = 40
SEVERAL_TRIES = 4

pytestmark = [pytest.mark.timeout(180), pytest.mark.needs_root]


@pytest.fixture(scope="module")
async def volumes(world: World) -> AsyncIterator[dict[Tier, SmallVolume]]:
    """Small volumes, each with the database of one tier on it."""
    servers, installation = world
    with ExitStack() as stack:
        mounted = {
            tier: stack.enter_context(small_volume(servers, tier.value, mebibytes=256))
            for tier in ON_SMALL_VOLUMES
        }
        for tier, volume in mounted.items():
            name = database_of(installation, tier)
            await servers.sql(
                f"CREATE TABLESPACE small_{tier.value} LOCATION '{volume.path}'",
                f"ALTER DATABASE {name} SET TABLESPACE small_{tier.value}",
            )
        yield mounted
        for tier in mounted:
            name = database_of(installation, tier)
            await servers.sql(
                f"ALTER DATABASE {name} SET TABLESPACE pg_default",
                f"DROP TABLESPACE small_{tier.value}",
            )


@pytest.fixture(scope="module")
async def log_volume(world: World) -> AsyncIterator[SmallVolume]:
    """A small volume with PostgreSQL's write-ahead log on it."""
    servers, _ = world
    with small_volume(servers, "log", mebibytes=256) as volume:
        async with servers.log_kept_in(volume.path / "log"):
            yield volume


@pytest.fixture(scope="module")
def workers(
    world: World, log_volume: SmallVolume, volumes: dict[Tier, SmallVolume]
) -> Iterator[dict[Tier, Process]]:
    """A worker of each tier."""
    _, installation = world
    with surviving(installation) as processes:
        yield processes


def refused_for_want_of_room(servers: OwnServers) -> int:
    """Return how many statements PostgreSQL has logged that it had no room for."""
    return servers.database.log.read_text(encoding="utf-8").count("No space left on device")


async def test_full_disk_under_an_archive_pauses_its_worker(
    world: World, volumes: dict[Tier, SmallVolume], workers: dict[Tier, Process]
) -> None:
    """J-LIS has no room: it keeps nothing by halves, the others go on, and then it catches up.

    It says so once, however often it tries, though all but its archive can be written.
    """
    servers, installation = world
    tier = Tier.NATIONAL
    before = refused_for_want_of_room(servers)
    async with outage(installation, workers) as now:
        volumes[tier].fill()
        try:
            async with asyncio.timeout(FULL_WITHIN_SECONDS):
                while refused_for_want_of_room(servers) < before + SEVERAL_TRIES:
                    await flow(installation, parts=1, size=200)
        finally:
            volumes[tier].make_room()
        await waiting(installation, now[tier], "consuming.resumed")

    said_once(now[tier])
    assert [] == now[Tier.PREFECTURE].events("consuming.paused")
    assert [] == now[Tier.MUNICIPALITY].events("consuming.paused")


async def test_full_disk_under_an_outbox_refuses_with_one_clear_error(
    world: World, volumes: dict[Tier, SmallVolume], workers: dict[Tier, Process]
) -> None:
    """Nothing of a refused event is left; with room again the same command succeeds."""
    _, installation = world
    volume = volumes[Tier.MUNICIPALITY]
    async with outage(installation, workers):
        volume.fill()
        try:
            async with asyncio.timeout(FULL_WITHIN_SECONDS):
                code, said = 0, [""]
                while not code:
                    code, said = await asyncio.to_thread(filed, installation, 100)
        finally:
            volume.make_room()
        again, _ = await asyncio.to_thread(filed, installation, 100)

    one_clear_error(code, said)
    assert 0 == again


async def test_full_disk_under_the_log_pauses_all_workers(
    world: World, workers: dict[Tier, Process], log_volume: SmallVolume
) -> None:
    """PostgreSQL crashes rather than promise what it cannot write; with room again all goes on."""
    servers, installation = world
    before = refused_for_want_of_room(servers)
    async with outage(installation, workers) as now:
        log_volume.fill()
        try:
            async with asyncio.timeout(FULL_WITHIN_SECONDS):
                code, said = 0, [""]
                while not code:
                    code, said = await asyncio.to_thread(filed, installation, 100)
                    with suppress(OSError, asyncpg.PostgresError):  # The next file of the log.
                        await servers.sql("SELECT pg_switch_wal()")
            for worker in now.values():
                await waiting(installation, worker, "consuming.paused")
        finally:
            log_volume.make_room()
        await servers.start()
        for worker in now.values():
            await waiting(installation, worker, "consuming.resumed")
        await flow(installation)

    one_clear_error(code, said)
    assert refused_for_want_of_room(servers) > before
