"""Servers that stop, refuse, fill up and come back under the real processes (G4, G5, G13)."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from signal import SIGINT, SIGKILL, Signals

import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.doctoring import doctor_on
from tests.fixtures.filing import flowing, inject_updates, ndjson, update
from tests.fixtures.installation import DEADLINE, Installation, Process
from tests.fixtures.own_servers import OwnServers, SmallVolume, World, small_volume

RECORDED = "SELECT count(DISTINCT message_id) FROM register_history"
ON_SMALL_VOLUMES = (Tier.MUNICIPALITY, Tier.NATIONAL)
FULL_WITHIN_SECONDS = 40
SEVERAL_TRIES = 4
_numbers = itertools.count(10_000, 1_000)

pytestmark = pytest.mark.timeout(180)


async def flow(installation: Installation, *, parts: int = 2, size: int = 60) -> None:
    """Inject updates in several parts."""
    for _ in range(parts):
        start = next(_numbers)
        await asyncio.to_thread(inject_updates, installation, range(start, start + size))


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
def workers(world: World, volumes: dict[Tier, SmallVolume]) -> Iterator[dict[Tier, Process]]:
    """A worker of each tier that lives through every outage of the module."""
    _, installation = world
    with installation.workers() as processes:
        yield processes
        assert [0, 0, 0] == [process.terminate() for process in processes.values()]


@asynccontextmanager
async def outage(
    installation: Installation, workers: dict[Tier, Process]
) -> AsyncIterator[dict[Tier, Process]]:
    """Gives the workers as they are from now on; when it is over, all settles and is counted.

    Nothing may have been retried or parked on account of the outage.
    """
    for worker in workers.values():
        await waiting(installation, worker, "worker.started")
    yield {tier: worker.from_now() for tier, worker in workers.items()}
    await installation.settled()
    for tier in Tier:
        assert [] == await installation.fetch(tier, "SELECT * FROM inbox WHERE attempts > 1")
        assert [] == await installation.fetch(tier, "SELECT * FROM parked")
    proof = await installation.proof()
    assert proof.holds, (proof.findings, proof.left_in_queues, proof.left)


def said_once(worker: Process) -> None:
    """Assert that the worker said of each login once that it paused and once that it resumed."""
    for name in ("consuming.paused", "consuming.resumed"):
        logins = [event["login"] for event in worker.events(name)]
        assert sorted(set(logins)) == sorted(logins), f"one {name} per outage, not per try"


async def waiting(installation: Installation, process: Process, name: str, times: int = 1) -> None:
    """Wait until a process has logged an event of this name so many times."""

    async def said() -> bool:
        return len(process.events(name)) >= times

    await installation.until(said)


def filed(installation: Installation, count: int = 1) -> tuple[int, list[str]]:
    """File events in bulk; return the exit code and the lines on standard error."""
    start = next(_numbers)
    lines = ndjson(map(update, range(start, start + count)))
    done = installation.jukinet("inject", "-", given=lines)
    return done.returncode, done.stderr.splitlines()


def refused_for_want_of_room(servers: OwnServers) -> int:
    """Return how many statements PostgreSQL has logged that it had no room for."""
    return servers.database.log.read_text(encoding="utf-8").count("No space left on device")


def database_of(installation: Installation, tier: Tier) -> str:
    """Return the name of a tier's database."""
    found = re.search(r"/(jukinet_test_\d+)", installation.databases[tier].owner_url)
    assert found is not None
    return found[1]


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
            async with flowing(installation, itertools.count(next(_numbers))) as filing:
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

    assert 75 == code
    assert 1 == len(said), said
    assert "[database_unavailable]" in said[0]
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
                assert 75 == code
                assert "[database_unavailable]" in said[0]
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

    assert 75 == code
    assert 1 == len(said), said
    assert "[database_unavailable]" in said[0]
    assert 0 == again


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
