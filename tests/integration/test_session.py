"""What a database administrator may set is not what this program relies on."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store.database import Connection, Database, connect
from tests.fixtures.databases import DatabaseMaker

ODD_SETTINGS = {
    "timezone": "Asia/Tokyo",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "lc_messages": "C",
    "lc_time": "C",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "array_nulls": "off",
    "search_path": "somewhere, elsewhere",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "lock_timeout": "1",
    "statement_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "idle_session_timeout": "1",
    "client_encoding": "EUC_JP",
    "extra_float_digits": "-5",
    "xmloption": "document",
}


@pytest.fixture
async def odd_database(
    database_maker: DatabaseMaker, empty_database: DatabaseEndpoint
) -> DatabaseEndpoint:
    """An empty database with every odd setting, for all who connect."""
    name = urlsplit(empty_database.owner_url).path.lstrip("/")
    for setting, value in ODD_SETTINGS.items():
        quoted = value if setting == "search_path" else f"'{value}'"
        await database_maker.admin.execute(f"ALTER DATABASE {name} SET {setting} = {quoted}")
    return empty_database


async def settings_of(connection: Connection) -> dict[str, str]:
    """Return the session's settings that statements rely on."""
    names = ("timezone", "standard_conforming_strings", "search_path",
             "default_transaction_isolation", "statement_timeout", "client_encoding")  # fmt: skip
    return {n: await connection.fetchval("SELECT current_setting($1)", n) for n in names}


EXPECTED = {
    "timezone": "UTC",
    "standard_conforming_strings": "on",
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "statement_timeout": "0",
    "client_encoding": "UTF8",
}


async def test_session_is_set_whatever_the_database_says(odd_database: DatabaseEndpoint) -> None:
    """Migrations and workers have the session that their statements were written for."""
    connection = await connect(odd_database.owner_url)
    try:
        assert EXPECTED == await settings_of(connection)
    finally:
        await connection.close()
    async with Database(odd_database.worker_url) as store, store.transaction() as tx:
        assert EXPECTED == await settings_of(tx.connection)
        stamp = datetime(2026, 4, 1, tzinfo=UTC)
        assert stamp == await tx.connection.fetchval("SELECT '2026-04-01'::timestamptz")
