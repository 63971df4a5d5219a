"""Workers and the schema of their databases: changed under them, or not the one they know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jukinet_mq.nodes import Tier
from jukinet_mq.store.database import SCHEMA_LOCK, Connection, connect
from tests.fixtures.filing import inject_updates, move, ndjson, update
from tests.fixtures.installation import DEADLINE, Installation
from tests.fixtures.proving import nothing_held_against_any

RECORDED = "SELECT count(DISTINCT message_id) FROM register_history"


@asynccontextmanager
async def owning(installation: Installation, tier: Tier) -> AsyncIterator[Connection]:
    """Have a connection of a database's owner."""
    connection = await connect(installation.databases[tier].owner_url)
    try:
        yield connection
    finally:
        await connection.close()


async def change(owner: Connection, *statements: str) -> None:
    """Change the schema as a migration does."""
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
        for statement in statements:
            await owner.execute(statement)


async def test_migration_under_running_workers_is_survived(
    fresh_installation: Installation,
) -> None:
    """Columns change their type under prepared statements: all goes on, and no worker ends."""
    installation = fresh_installation
    with installation.workers() as workers:
        await asyncio.to_thread(inject_updates, installation, range(1, 41))
        for tier in Tier:
            async with owning(installation, tier) as owner:
                for type_ in ("varchar(80)", "text"):
                    await change(
                        owner,
                        f"ALTER TABLE receipt_given ALTER COLUMN reason TYPE {type_}",
                        f"ALTER TABLE inbox ALTER COLUMN key_id TYPE {type_}, "
                        f"ALTER COLUMN state TYPE {type_}",
                        f"ALTER TABLE trust_store ALTER COLUMN node TYPE {type_}",
                    )
                    await asyncio.to_thread(inject_updates, installation, range(41, 61))
            upgraded = installation.jukinet("db", "upgrade", "--tier", tier.value)
            assert 0 == upgraded.returncode, upgraded.stderr
        await installation.settled()
        assert [0, 0, 0] == [worker.terminate() for worker in workers.values()]
    await nothing_held_against_any(installation)
    await installation.holds(Tier.NATIONAL, RECORDED, [(160,)])


async def test_worker_on_another_schema_ends_with_one_clear_error(
    fresh_installation: Installation,
) -> None:
    """It exits 78 and says what to do; the service manager must not start it again and again."""
    installation = fresh_installation
    async with owning(installation, Tier.NATIONAL) as owner:
        with installation.worker(Tier.NATIONAL) as worker:
            await change(owner, "ALTER TABLE inbox RENAME COLUMN due_at TO due_on")
            try:
                code = await asyncio.to_thread(worker.popen.wait, DEADLINE.total_seconds())
            finally:
                await change(owner, "ALTER TABLE inbox RENAME COLUMN due_on TO due_at")

    assert 78 == code
    said = [line for line in worker.log.read_text().splitlines() if line.startswith("jukinet: ")]
    [line] = said
    assert "[schema_version_mismatch]" in line
    assert "jukinet db check" in line


async def test_line_that_the_database_refuses_is_listed_and_the_others_are_filed(
    fresh_installation: Installation,
) -> None:
    """What no check before the database has found is no outage, and stops no other line."""
    installation = fresh_installation
    events = ndjson([update(1), move(2), update(3)])
    async with owning(installation, Tier.MUNICIPALITY) as owner:
        await change(
            owner, "ALTER TABLE filed_event ADD CONSTRAINT no_moves CHECK (kind <> 'move')"
        )
        try:
            done = await asyncio.to_thread(
                installation.jukinet, "inject", "-", "--errors", "refused.ndjson", given=events
            )
        finally:
            await change(owner, "ALTER TABLE filed_event DROP CONSTRAINT no_moves")

    assert 65 == done.returncode, done.stderr
    [refused] = map(json.loads, (installation.home / "refused.ndjson").read_text().splitlines())
    assert (2, "data_refused") == (refused["line"], refused["reason"])
    assert "no_moves" in refused["text"]
    await installation.holds(
        Tier.MUNICIPALITY, "SELECT count(*) FROM filed_event WHERE kind <> 'move'", [(2,)]
    )
