"""The schema's plain numbered files, applied once each, in order, by the owner's role."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import resources
from typing import Final

import asyncpg

from jukinet_mq.errors import SchemaVersionError
from jukinet_mq.store.database import connect

PARTITIONED: Final = ("archive", "register_history")
MONTHS_AHEAD: Final = 24
_WHOLE_ROWS: Final = "WITH (toast_tuple_target = 8160)"
"""Rows up to a page stay in one piece: most envelopes are a little over 2 kB, where PostgreSQL
would begin to move them out."""
_LOCK: Final = 1786_0001
_LEDGER: Final = """
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
    monthly partitions of the next two years.

    Raises:
        SchemaVersionError: An applied file has changed, or the database is newer.
        DatabaseUnavailableError: PostgreSQL cannot be reached.
    """
    connection = await connect(owner_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(_LEDGER)
            waiting = _waiting(await _applied(connection))
            for migration in waiting:
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migration (name, digest) VALUES ($1, $2)",
                    migration.name,
                    migration.digest,
                )
            await connection.execute("GRANT SELECT ON schema_migration TO jukinet_worker")
            await _add_partitions(connection, today=datetime.now(UTC).date())
        return [m.name for m in waiting]
    finally:
        await connection.close()


async def check(url: str) -> None:
    """Raise SchemaVersionError unless the database holds exactly this program's schema."""
    connection = await connect(url)
    try:
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


async def _add_partitions(connection: asyncpg.Connection, *, today: date) -> None:
    first = today.replace(day=1)
    months = [_month_after(first, n) for n in range(-1, MONTHS_AHEAD + 1)]
    for table in PARTITIONED:
        for month in months:
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{month:%Y%m} PARTITION OF {table} "
                f"FOR VALUES FROM ('{month}') TO ('{_month_after(month, 1)}') {_WHOLE_ROWS}"
            )
        # A month without its own partition must not stop anybody from keeping an envelope.
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT {_WHOLE_ROWS}"
        )


def _month_after(day: date, count: int) -> date:
    index = day.year * 12 + day.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)
