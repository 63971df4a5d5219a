"""`db upgrade`: what it makes, what it refuses, and what it lives through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq import telemetry
from jukinet_mq.errors import ConfigurationError, DatabaseUnavailableError, SchemaVersionError
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store import archive, migrations, sequences
from jukinet_mq.store import trust as trust_table
from jukinet_mq.store.archive import Copy
from jukinet_mq.store.database import SCHEMA_LOCK, Connection, Database, Transaction, connect
from jukinet_mq.store.migrations.partitions import PARTITIONED, month_after
from jukinet_mq.store.repeating import repeated
from jukinet_mq.store.translation import translated
from tests.fixtures.databases import DatabaseMaker
from tests.fixtures.telling import Told

BOUNDS = (
    "SELECT c.relname::text, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i "
    "JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass ORDER BY 1"
)
COLUMNS = (
    "SELECT attname::text, attstorage, attnotnull FROM pg_attribute WHERE attnum > 0 AND attrelid ="
)
RULES = "SELECT contype, conkey FROM pg_constraint WHERE conrelid ="
ALL_NAMES = [migration.name for migration in migrations.migrations()]


@pytest.fixture
async def owner(database: DatabaseEndpoint) -> AsyncIterator[Connection]:
    """A connection of the owner to a migrated database."""
    connection = await connect(database.owner_url)
    yield connection
    await connection.close()


def name_of(endpoint: DatabaseEndpoint) -> str:
    """Return the name of a database."""
    return urlsplit(endpoint.owner_url).path.lstrip("/")


async def tables(url: str) -> int:
    """Return how many tables a database has."""
    connection = await connect(url)
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        return int(found)
    finally:
        await connection.close()


async def bounds_of(connection: Connection, table: str) -> dict[str, str]:
    """Return the bounds of a table's partitions."""
    return {row[0]: row[1] for row in await connection.fetch(BOUNDS, table)}


# --- Partitions ---------------------------------------------------------------------------


async def test_partitions_are_bounded_in_utc_whatever_the_database_says(
    database_maker: DatabaseMaker, empty_database: DatabaseEndpoint
) -> None:
    """A database in Japan's time has the same months as any other."""
    name = name_of(empty_database)
    await database_maker.admin.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    await database_maker.admin.execute(f"ALTER DATABASE {name} SET search_path = 'nowhere'")
    await database_maker.admin.execute(f"ALTER DATABASE {name} SET datestyle = 'German'")

    assert ALL_NAMES == await migrations.upgrade(empty_database.owner_url)
    assert [] == await migrations.upgrade(empty_database.owner_url)

    connection = await connect(empty_database.owner_url)
    for table in PARTITIONED:
        bounds = await bounds_of(connection, table)
        assert "DEFAULT" == bounds.pop(f"{table}_default")
        assert all(text.count("-01 00:00:00+00'") == 2 for text in bounds.values()), bounds
    await connection.close()


async def test_months_that_were_bounded_in_another_time_zone_are_gone_on_from(
    owner: Connection, database: DatabaseEndpoint
) -> None:
    """An earlier release took the session's time zone: the next begins where its last ends."""
    today = datetime.now(UTC).date()
    last = [month_after(today, ahead) for ahead in (22, 23, 24, 25)]
    for table in PARTITIONED:
        for month in last[:3]:
            await owner.execute(f"DROP TABLE {table}_{month:%Y%m}")
        await owner.execute(
            f"CREATE TABLE {table}_{last[0]:%Y%m} PARTITION OF {table} "
            f"FOR VALUES FROM ('{last[0]} 00:00+00') TO ('{last[1]} 00:00-08')"
        )

    await migrations.upgrade(database.owner_url)

    for table in PARTITIONED:
        bounds = await bounds_of(owner, table)
        assert f"FROM ('{last[1]} 08:00:00+00')" in bounds[f"{table}_{last[1]:%Y%m}"]
        assert f"FROM ('{last[2]} 00:00:00+00')" in bounds[f"{table}_{last[2]:%Y%m}"]


async def test_rows_of_a_month_without_a_partition_move_into_it(
    owner: Connection, database: DatabaseEndpoint
) -> None:
    """Nobody has run `db upgrade` for two years; what was kept meanwhile blocks nothing."""
    month = month_after(datetime.now(UTC).date(), 3)
    for table in PARTITIONED:
        await owner.execute(f"DROP TABLE {table}_{month:%Y%m}")
    at = datetime(month.year, month.month, 15, tzinfo=UTC)
    copies = [Copy(uuid7(), "010006", "131016", bytes(32), b"signed") for _ in range(3)]
    async with Database(database.worker_url, clock=lambda: at) as store:
        async with store.transaction() as tx:
            await archive.add(tx, copies)
        assert 3 == await owner.fetchval("SELECT count(*) FROM archive_default")

        await migrations.upgrade(database.owner_url)

        assert 0 == await owner.fetchval("SELECT count(*) FROM archive_default")
        kept = await owner.fetch(f"SELECT message_id, signed FROM archive_{month:%Y%m}")
        assert {(c.message_id, c.signed) for c in copies} == {tuple(row) for row in kept}
        async with store.transaction() as tx:
            await archive.add(tx, [Copy(uuid7(), "010006", "131016", bytes(32), b"later")])
    assert 4 == await owner.fetchval(f"SELECT count(*) FROM archive_{month:%Y%m}")


async def test_moved_partition_is_like_any_other(
    owner: Connection, database: DatabaseEndpoint
) -> None:
    """Keys, storage and rules are the parent's: a doubled row is refused, nothing is compressed."""
    month = month_after(datetime.now(UTC).date(), 3)
    await owner.execute(f"DROP TABLE archive_{month:%Y%m}")
    await migrations.upgrade(database.owner_url)

    made, other = [
        [await owner.fetch(f"{question} '{name}'::regclass") for question in (COLUMNS, RULES)]
        for name in (f"archive_{month_after(month, n):%Y%m}" for n in (0, 1))
    ]
    assert other == made


# --- Refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_JP", "LATIN1"])
async def test_database_that_is_not_in_utf_8_is_refused(
    database_maker: DatabaseMaker, encoding: str
) -> None:
    """It could not hold every name; nothing is made in it, and the text says what to do."""
    name = f"jukinet_test_{encoding.lower()}"
    options = ("TEMPLATE template0", f"ENCODING '{encoding}'", "LOCALE 'C'")
    made = await database_maker.make(name, *options)
    try:
        before = await tables(made.owner_url)
        for work in (migrations.upgrade(made.owner_url), migrations.check(made.worker_url)):
            with pytest.raises(ConfigurationError, match=f"{name} is encoded in {encoding}.*UTF8"):
                await work
        assert before == await tables(made.owner_url)
    finally:
        await database_maker.admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("version", [9, 12, 14])
def test_server_that_is_too_old_is_refused(version: int) -> None:
    """Its statements would fail one by one; the text names both versions."""
    with pytest.raises(ConfigurationError, match=f"PostgreSQL {version}; this program needs 15"):
        migrations.require_server(version, "national", "UTF8")


@pytest.mark.parametrize("version", [15, 16, 17, 18])
def test_supported_server_is_accepted(version: int) -> None:
    """From the oldest that Debian 12 has."""
    migrations.require_server(version, "national", "UTF8")


# --- At once, interrupted, under workers --------------------------------------------------


async def test_several_upgrades_at_once_apply_each_file_once(
    empty_database: DatabaseEndpoint,
) -> None:
    """One works, the others find nothing left."""
    applied = await asyncio.gather(
        *(migrations.upgrade(empty_database.owner_url) for _ in range(3))
    )

    assert [[], [], ALL_NAMES] == sorted(applied)
    await migrations.check(empty_database.worker_url)


async def test_interrupted_upgrade_changes_nothing_and_can_be_repeated(
    database_maker: DatabaseMaker, empty_database: DatabaseEndpoint
) -> None:
    """All of it is one transaction, wherever it ends."""
    blocker = await connect(empty_database.owner_url)
    await blocker.execute(migrations.LEDGER)
    before = await tables(empty_database.owner_url)
    # So the first file's tables are made, and writing that down has to wait.
    await blocker.execute("BEGIN; LOCK TABLE schema_migration IN SHARE MODE")
    upgrade = asyncio.create_task(migrations.upgrade(empty_database.owner_url))
    await _until_waiting(database_maker, name_of(empty_database))
    await database_maker.admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name_of(empty_database)}' AND wait_event_type = 'Lock'"
    )
    with pytest.raises(DatabaseUnavailableError):
        await upgrade
    await blocker.close()
    assert before == await tables(empty_database.owner_url)

    assert ALL_NAMES == await migrations.upgrade(empty_database.owner_url)


async def _until_waiting(maker: DatabaseMaker, name: str) -> None:
    async with asyncio.timeout(20):
        while not await maker.admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = $1 AND wait_event_type = 'Lock' AND pg_sleep(0.01) IS NOT NULL",
            name,
        ):
            pass


async def test_changed_result_type_is_survived_by_a_repetition(
    owner: Connection, database: DatabaseEndpoint, told: Told
) -> None:
    """A migration under a worker invalidates its prepared statements; the work is done again."""
    async with Database(database.worker_url, connections_max=1) as store:
        assert [] == await store.run(trust_table.load, name="load")
        await owner.execute("ALTER TABLE trust_store ALTER COLUMN node TYPE varchar(20)")
        assert [] == await store.run(trust_table.load, name="load")

    assert ["load"] == [event["work"] for event in told.named(telemetry.TRANSACTION_REPEATED)]


async def test_work_goes_on_while_tables_change_under_it(
    owner: Connection, database: DatabaseEndpoint
) -> None:
    """Twenty migrations beside transactions that write: none of them fails."""
    source = sequences.Source("010006", "131016", "010006", "identity")
    over = asyncio.Event()

    async def work(first: int) -> int:
        done = 0

        async def note(tx: Transaction) -> None:
            await sequences.note(tx, [(source, first + done)], refused=[])
            await sequences.open_gaps(tx, None, limit=10)

        while not over.is_set():
            await store.run(note, name="note")
            done += 1
        return done

    async with Database(database.worker_url) as store, asyncio.TaskGroup() as tasks:
        workers = [tasks.create_task(work(n * 1_000_000)) for n in range(1, 5)]
        for n in range(20):
            await repeated(partial(_change_tables, owner), name=f"migration {n}")
        over.set()

    assert all(worker.result() for worker in workers)


async def _change_tables(owner: Connection) -> None:
    with translated():
        async with owner.transaction():
            await owner.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
            for table in ("sequence_gap", "sequence_seen"):
                await owner.execute(f"ALTER TABLE {table} ADD COLUMN extra text")
                await owner.execute(f"ALTER TABLE {table} DROP COLUMN extra")


async def test_statement_that_a_newer_schema_does_not_know_names_what_to_do(
    owner: Connection, database: DatabaseEndpoint
) -> None:
    """A worker of an older release ends with one clear error, exit 78, and not with an outage."""
    async with Database(database.worker_url) as store:
        await store.run(trust_table.load, name="load")
        await owner.execute("ALTER TABLE trust_store RENAME COLUMN node TO code")
        try:
            with pytest.raises(SchemaVersionError, match="jukinet db check") as refused:
                await store.run(trust_table.load, name="load")
        finally:
            await owner.execute("ALTER TABLE trust_store RENAME COLUMN code TO node")

    assert 78 == refused.value.exit_code
