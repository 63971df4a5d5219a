"""The schema's plain numbered files, applied once each, in order, by the owner's role."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from typing import Final

import asyncpg

from jukinet_mq.errors import ConfigurationError, SchemaVersionError
from jukinet_mq.store.database import SCHEMA_LOCK, connect
from jukinet_mq.store.migrations.partitions import add_partitions
from jukinet_mq.store.repeating import repeated
from jukinet_mq.store.translation import translated

SERVER_VERSION_MIN: Final = 15
ENCODING: Final = "UTF8"
_WORKER_ROLE: Final = "jukinet_worker"
LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text        PRIMARY KEY,
    digest     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text: an applied file must never change."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return the files that this program was written for, in order."""
    folder = resources.files(__name__)
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    return tuple(Migration(n, folder.joinpath(n).read_text(encoding="utf-8")) for n in names)


async def upgrade(owner_url: str) -> list[str]:
    """Bring the database at *owner_url* to this program's schema; return the files applied.

    Safe to run twice and by two at once: an advisory lock lets one work, the other finds
    nothing left. All in one transaction: it is done, or nothing has changed. Also makes the
    monthly partitions of the next two years. Workers may run: they wait meanwhile.

    Raises:
        SchemaVersionError: An applied file has changed, or the database is newer.
        ConfigurationError: The server is too old, the database is not in UTF-8, or the login lacks
            rights.
        DatabaseUnavailableError: PostgreSQL cannot be reached.
    """
    return await repeated(partial(_upgrade, owner_url), name="upgrade")


async def _upgrade(owner_url: str) -> list[str]:
    connection = await connect(owner_url)
    try:
        with translated():
            await _check_server(connection)
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", SCHEMA_LOCK)
                await connection.execute(LEDGER)
                waiting = _waiting(await _applied(connection))
                for migration in waiting:
                    await _apply(connection, migration)
                await connection.execute(f"GRANT SELECT ON schema_migration TO {_WORKER_ROLE}")
                await add_partitions(connection, today=datetime.now(UTC).date())
        return [m.name for m in waiting]
    finally:
        await connection.close()


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO schema_migration (name, digest) VALUES ($1, $2)",
        migration.name,
        migration.digest,
    )


async def _check_server(connection: asyncpg.Connection) -> None:
    [facts] = await connection.fetch(
        "SELECT current_database() AS name, current_setting('server_encoding') AS encoding, "
        "EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS has_worker",
        _WORKER_ROLE,
    )
    require_server(connection.get_server_version().major, facts["name"], facts["encoding"])
    if not facts["has_worker"]:
        raise ConfigurationError(
            f"the server has no role {_WORKER_ROLE}, to which the schema gives rights; make it "
            f"with `CREATE ROLE {_WORKER_ROLE} LOGIN PASSWORD ...`"
        )


def require_server(version: int, database: str, encoding: str) -> None:
    """Refuse a server or database on which this program's promises would not hold.

    Raises:
        ConfigurationError: Says what was found, and what to do.
    """
    if version < SERVER_VERSION_MIN:
        raise ConfigurationError(
            f"the server of database {database} is PostgreSQL {version}; this program needs "
            f"{SERVER_VERSION_MIN} or later"
        )
    if encoding != ENCODING:
        raise ConfigurationError(
            f"database {database} is encoded in {encoding}, which cannot hold every name; make "
            f"one with `CREATE DATABASE ... TEMPLATE template0 ENCODING '{ENCODING}'` and set the "
            "URLs to it"
        )


async def check(url: str) -> None:
    """Raise SchemaVersionError unless the database holds exactly this program's schema."""
    connection = await connect(url)
    try:
        with translated():
            await _check_server(connection)
            known = await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL")
            waiting = _waiting(await _applied(connection) if known else {})
    finally:
        await connection.close()
    if waiting:
        raise SchemaVersionError(
            f"the database lacks {', '.join(m.name for m in waiting)}; run `jukinet db upgrade`"
        )


async def _applied(connection: asyncpg.Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, digest FROM schema_migration")
    return {row["name"]: row["digest"] for row in rows}


def _waiting(applied: dict[str, str]) -> list[Migration]:
    ours = migrations()
    if newer := applied.keys() - {m.name for m in ours}:
        raise SchemaVersionError(
            f"the database holds {', '.join(sorted(newer))}, which this program does not know; "
            "it belongs to a newer version: upgrade the program"
        )
    for migration in ours:
        if applied.get(migration.name, migration.digest) != migration.digest:
            raise SchemaVersionError(
                f"{migration.name} was applied with another text than this program's; "
                "restore the released version of the program"
            )
    return [m for m in ours if m.name not in applied]
