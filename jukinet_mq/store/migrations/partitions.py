"""The monthly partitions of the tables that only grow, bounded in UTC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

import asyncpg

PARTITIONED: Final = {"archive": "kept_at", "register_history": "recorded_at"}
"""Table → what its rows are divided by."""
MONTHS_AHEAD: Final = 24
_WHOLE_ROWS: Final = "WITH (toast_tuple_target = 8160)"
"""Rows up to a page stay in one piece: most envelopes are a little over 2 kB, where PostgreSQL
would begin to move them out."""
_BOUNDS: Final = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")


class Span(NamedTuple):
    """From an instant up to before another."""

    start: datetime
    end: datetime


def missing(month: date, existing: Iterable[Span]) -> Span | None:
    """Return the part of *month*, in UTC, that no partition holds; None if there is no such part.

    A partition that an earlier release has bounded in another time zone begins or ends some hours
    off; the next one then begins or ends with it.
    """
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    after = month_after(month, 1)
    end = datetime(after.year, after.month, 1, tzinfo=UTC)
    for span in sorted(existing):
        if span.start <= start < span.end:
            start = span.end
        elif start < span.start < end:
            end = span.start
    return Span(start, end) if start < end else None


def month_after(day: date, count: int) -> date:
    """Return the first day of the month that comes *count* months after *day*'s."""
    index = day.year * 12 + day.month - 1 + count
    return date(index // 12, index % 12 + 1, 1)


async def add_partitions(connection: asyncpg.Connection, *, today: date) -> None:
    """Make the partitions from last month to two years ahead, where they are missing.

    A row whose month had no partition lies in the default one; it is moved when its month gets one.
    The session's time zone must be UTC.
    """
    for table in PARTITIONED:
        # A month without its own partition must not stop anybody from keeping an envelope.
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table}_default PARTITION OF {table} DEFAULT {_WHOLE_ROWS}"
        )
        existing = await _spans(connection, table)
        for ahead in range(-1, MONTHS_AHEAD + 1):
            month = month_after(today, ahead)
            span = missing(month, existing)
            if span is not None:
                await _add(connection, table, f"{table}_{month:%Y%m}", span)


async def _spans(connection: asyncpg.Connection, table: str) -> list[Span]:
    rows = await connection.fetch(
        "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits AS i "
        "JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass",
        table,
    )
    found = (_BOUNDS.fullmatch(row[0]) for row in rows)
    return [Span(*map(datetime.fromisoformat, match.groups())) for match in found if match]


async def _add(connection: asyncpg.Connection, table: str, name: str, span: Span) -> None:
    """Make a partition and move into it what the default one holds of its time."""
    key = PARTITIONED[table]
    await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL) {_WHOLE_ROWS}")
    await connection.execute(
        f"WITH moved AS (DELETE FROM {table}_default WHERE {key} >= $1 AND {key} < $2 RETURNING *) "  # noqa: S608
        f"INSERT INTO {name} SELECT * FROM moved",
        *span,
    )
    await connection.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{span.start.isoformat()}') TO ('{span.end.isoformat()}')"
    )
