"""PostgreSQL's errors, told apart by what must happen next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    DataRefusedError,
    SchemaVersionError,
)
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store.database import Database, connect

AT = datetime(2026, 4, 1, tzinfo=UTC)
RARE = "".join(map(chr, range(0x4E00, 0x4E00 + 9_000)))


@pytest.fixture
async def store(database: DatabaseEndpoint) -> AsyncIterator[Database]:
    """A pool on a fresh database, with a worker's rights."""
    async with Database(database.worker_url) as opened:
        yield opened


def gap(sequence: Any, *, sender: str = "131016") -> tuple[Any, ...]:
    """Return one row of sequence_gap."""
    return ("010006", sender, "010006", "identity", sequence, AT, AT)


GAP_COLUMNS = ("node", "sender", "recipient", "plane", "sequence", "noticed_at", "due_at")
COPIES = {
    "a number beyond 63 bits": [gap(2**63)],
    "a number of twenty digits": [gap(99_999_999_999_999_999_999)],
    "NUL in a text": [gap(1, sender="13\x001016")],
    "half a surrogate pair": [gap(1, sender="\ud800")],
    "a text too long for an index": [gap(1, sender=RARE)],
    "one key twice": [gap(1), gap(1)],
}
SEEN = ("010006", "131016", "010006", "identity")
STATEMENTS: dict[str, tuple[str, tuple[object, ...]]] = {
    "a number beyond 63 bits": ("sequences/close_gaps", (*([x] for x in SEEN), [2**63], AT)),
    "NUL in a text": ("sequences/close_gaps", (["\0"], *([x] for x in SEEN[1:]), [1], AT)),
    "half a surrogate pair": (
        "sequences/close_gaps", (["\udc00"], *([x] for x in SEEN[1:]), [1], AT),
    ),
    "no timestamp": ("sequences/close_gaps", (*([x] for x in SEEN), [1], "yesterday")),
    "a number against a rule": (
        "sequences/give", (["131016"], ["010006"], ["identity"], [-1], [False], AT, [], [], []),
    ),
    "JSON that is none": ("register/upsert", (
        ["1"], ["010006"], [True], ["131016"], ["new"], ["new"], [AT], [uuid7()], ["{"], AT,
    )),
    "JSON with NUL": ("register/upsert", (
        ["1"], ["010006"], [True], ["131016"], ["new"], ["new"], [AT], [uuid7()],
        ['{"name": "\\u0000"}'], AT,
    )),
    "one key twice in one statement": ("register/upsert", (
        ["1"] * 2, ["010006"] * 2, [True] * 2, ["131016"] * 2, ["new"] * 2, ["new"] * 2, [AT] * 2,
        [uuid7()] * 2, ["{}"] * 2, AT,
    )),
    "a number too large for its column": ("inbox/settle", (
        [uuid7()], ["010006"], ["131016"], ["done"], [40_000], [None], [None], AT,
    )),
}  # fmt: skip


@pytest.mark.parametrize("rows", COPIES.values(), ids=COPIES)
async def test_copied_data_that_cannot_be_stored_is_refused(
    store: Database, rows: list[tuple[Any, ...]]
) -> None:
    """Data that PostgreSQL cannot store counts as no outage, and the next transaction works."""
    with pytest.raises(DataRefusedError) as refused:
        async with store.transaction() as tx:
            await tx.copy("sequence_gap", GAP_COLUMNS, rows)

    assert not isinstance(refused.value, DatabaseUnavailableError)
    async with store.transaction() as tx:
        assert [] == await tx.fetch("sequences/open", None, 10)


@pytest.mark.parametrize(("name", "arguments"), STATEMENTS.values(), ids=STATEMENTS)
async def test_data_of_a_statement_that_cannot_be_stored_is_refused(
    store: Database, name: str, arguments: tuple[object, ...]
) -> None:
    """The same for statements, and for a savepoint: what came before it stays."""
    async with store.transaction() as tx:
        await tx.copy("sequence_gap", GAP_COLUMNS, [gap(7)])
        with pytest.raises(DataRefusedError):
            async with tx.savepoint():
                await tx.execute(name, *arguments)

    async with store.transaction() as tx:
        [row] = await tx.fetch("sequences/open", None, 10)
        assert 7 == row["first"]


async def test_refusal_shows_no_value(store: Database) -> None:
    """PostgreSQL's own text would show the value, which may be personal data."""
    with pytest.raises(DataRefusedError) as refused:
        async with store.transaction() as tx:
            await tx.execute("relocation/erase_due", None, date(2026, 4, 1), "山田太郎")

    assert "山田" not in str(refused.value)


async def test_missing_table_is_another_schema(empty_database: DatabaseEndpoint) -> None:
    """A worker on a database without its tables is told to compare the schemas."""
    async with Database(empty_database.worker_url) as store:
        with pytest.raises(SchemaVersionError, match="jukinet db check"):
            async with store.transaction() as tx:
                await tx.fetch("trust/load")


@pytest.mark.parametrize("url", ["postgresql://h:port/db", "mysql://h/db", "postgresql://[::1/db"])
async def test_unreadable_url_is_no_outage(url: str) -> None:
    """Waiting for a database whose URL cannot be read would never end."""
    with pytest.raises(ConfigurationError):
        await connect(url)
    async with Database(url) as store:
        with pytest.raises(ConfigurationError):
            async with store.transaction():
                pass
