"""Servers that stop, refuse and come back under the real processes (G4, G5)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from signal import SIGINT, SIGKILL, Signals

import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.doctoring import doctor_on
from tests.fixtures.filing import flowing
from tests.fixtures.installation import DEADLINE, Process
from tests.fixtures.outages import (
    database_of,
    filed,
    flow,
    numbers,
    one_clear_error,
    outage,
    said_once,
    surviving,
    waiting,
)
from tests.fixtures.own_servers import World

RECORDED = "SELECT count(DISTINCT message_id) FROM register_history"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def workers(world: World) -> Iterator[dict[Tier, Process]]:
    """A worker of each tier."""
    _, installation = world
    with surviving(installation) as processes:
        yield processes


async def test_broker_restarts_lose_and_double_nothing(
    world: World, workers: dict[Tier, Process]
) -> None:
    """Stopped in order once and killed once under load: every update is everywhere once."""
    servers, installation = world
    [[before]] = await installation.fetch(Tier.NATIONAL, RECORDED)
    updates = 0
    async with outage(installation, workers) as now:
        for stop in (servers.stop_broker, servers.kill_broker):
            resumed = workers[Tier.NATIONAL].from_now()
            async with flowing(installation, itertools.count(next(numbers))) as filing:
                await waiting(installation, resumed, "batch.committed")
                await stop()
                await servers.start()
            updates += filing.filed
    [[after]] = await installation.fetch(Tier.NATIONAL, RECORDED)

    assert 0 < updates == after - before
    assert len(now[Tier.NATIONAL].events("worker.started")) >= 2


@pytest.mark.parametrize("signal", [SIGINT, SIGKILL])
async def test_database_restart_pauses_and_counts_against_nothing(
    world: World, workers: dict[Tier, Process], signal: Signals
) -> None:
    """Stopped fast, at once or killed: workers pause, go on by themselves, nothing is retried."""
    servers, installation = world
    async with outage(installation, workers) as now:
        await flow(installation)
        await servers.end_database(signal)
        for worker in now.values():
            await waiting(installation, worker, "consuming.paused")
        code, said = await asyncio.to_thread(filed, installation)
        await servers.start()
        for worker in now.values():
            await waiting(installation, worker, "consuming.resumed")
        await flow(installation)

    one_clear_error(code, said)
    for worker in now.values():
        said_once(worker)


REFUSALS = {
    "read-only": (
        "ALTER DATABASE {name} SET default_transaction_read_only = on",
        "ALTER DATABASE {name} RESET default_transaction_read_only",
    ),
    "out of connections": (
        "ALTER DATABASE {name} CONNECTION LIMIT 0",
        "ALTER DATABASE {name} CONNECTION LIMIT -1",
    ),
}
SAID_BY_DOCTOR = {"read-only": "read-only", "out of connections": "TooManyConnectionsError"}
END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = '{name}' AND usename = 'jukinet_worker'"
)


@pytest.mark.parametrize("tier", [Tier.MUNICIPALITY, Tier.NATIONAL])
@pytest.mark.parametrize("why", REFUSALS)
async def test_refusing_database_pauses_its_worker(
    world: World, workers: dict[Tier, Process], tier: Tier, why: str
) -> None:
    """Read-only or out of connections is as good as away; publishers say so and keep nothing."""
    servers, installation = world
    name = database_of(installation, tier)
    begin, end = (statement.format(name=name) for statement in REFUSALS[why])
    async with outage(installation, workers) as now:
        await servers.sql(begin, END_SESSIONS.format(name=name))
        try:
            if tier is Tier.MUNICIPALITY:
                code, said = await asyncio.to_thread(filed, installation)
                one_clear_error(code, said)
            else:
                await flow(installation)
            await waiting(installation, now[tier], "consuming.paused")
            found = await asyncio.to_thread(doctor_on, f"database {tier}", installation)
        finally:
            await servers.sql(end, END_SESSIONS.format(name=name))
        await waiting(installation, now[tier], "consuming.resumed")
        await flow(installation)

    said_once(now[tier])
    assert not found["ok"], found
    assert SAID_BY_DOCTOR[why] in found["said"]


ALARMS = {
    "disk": (("set_disk_free_limit", "100000GB"), ("set_disk_free_limit", "256MB")),
    "memory": (
        ("set_vm_memory_high_watermark", "absolute", "1MiB"),
        ("set_vm_memory_high_watermark", "absolute", "1536MiB"),
    ),
}


@pytest.mark.parametrize("alarm", ALARMS)
async def test_broker_alarm_pauses_the_relay_and_filing_goes_on(
    world: World, workers: dict[Tier, Process], alarm: str
) -> None:
    """RabbitMQ takes nothing: the outbox waits, no event is refused, and then all goes out."""
    servers, installation = world
    begin, end = ALARMS[alarm]
    async with outage(installation, workers) as now:
        await servers.rabbitmqctl(*begin)
        try:
            # The broker says it is blocked to who publishes; it may take what comes before.
            async with asyncio.timeout(DEADLINE.total_seconds()):
                while not now[Tier.MUNICIPALITY].events("relay.paused"):
                    await flow(installation)
        finally:
            await servers.rabbitmqctl(*end)
        await waiting(installation, now[Tier.MUNICIPALITY], "relay.resumed")
