"""The pool and its transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final, Self, TypeVar

import asyncpg
import asyncpg.pool

from jukinet_mq.clock import Clock, utc_now
from jukinet_mq.errors import ConfigurationError
from jukinet_mq.store.repeating import repeated
from jukinet_mq.store.translation import UNAVAILABLE, connecting, translated

T = TypeVar("T")

CONNECT_TIMEOUT: Final = timedelta(seconds=5)
STATEMENT_TIMEOUT: Final = timedelta(seconds=30)

SCHEMA_LOCK: Final = 1786_0001
"""Advisory lock: a migration holds it alone, every transaction shares it. So a migration waits for
the transactions under way, and those after it wait holding nothing; neither can deadlock."""
_SHARE_SCHEMA: Final = f"SELECT pg_advisory_xact_lock_shared({SCHEMA_LOCK})"
_SESSION: Final = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "standard_conforming_strings": "on",
    "search_path": "public",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # Plans of batches are simple; compiling them costs more than it saves.
    "jit": "off",
}
"""What the statements rely on, whatever the server, database or role was set to. Time-outs are the
client's. A read-only database stays so: that is a way to stop all work, and counts as an outage."""

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


@cache
def sql(name: str) -> str:
    """Return the text of `store/sql/<name>.sql`."""
    return (
        resources.files("jukinet_mq.store")
        .joinpath("sql", f"{name}.sql")
        .read_text(encoding="utf-8")
    )


async def connect(url: str) -> asyncpg.Connection:
    """Open one connection outside any pool (migrations, listening)."""
    with connecting():
        return await asyncpg.connect(
            url, timeout=CONNECT_TIMEOUT.total_seconds(), server_settings=_SESSION
        )


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction; the first argument of everything that writes.

    Attributes:
        at: The instant that everything in this transaction shares.
    """

    connection: Connection
    at: datetime
    _late: dict[str, list[object]] = field(default_factory=dict, repr=False)

    def at_its_end(self, name: str, values: Iterable[object]) -> None:
        """Run the statement of `sql/<name>.sql` once, just before the commit, with all *values*.

        For rows that must be locked last, and in one statement (ADR 28). In a savepoint that is
        rolled back it is forgotten.
        """
        self._late.setdefault(name, []).extend(values)

    async def finish(self) -> None:
        """Run what was put off."""
        for name, values in self._late.items():
            if values:
                await self.execute(name, values)

    async def fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Run the statement of `sql/<name>.sql` and return its rows."""
        statement = sql(name)
        with translated():
            return await self.connection.fetch(statement, *arguments)

    async def execute(self, name: str, *arguments: object) -> None:
        """Run the statement of `sql/<name>.sql`."""
        statement = sql(name)
        with translated():
            await self.connection.execute(statement, *arguments)

    async def copy(self, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Add *rows* by COPY: the fastest way in, without any conflict handling."""
        if rows:
            with translated():
                await self.connection.copy_records_to_table(table, records=rows, columns=columns)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo only what happens inside if it raises."""
        with translated():
            mark = self.connection.transaction()
            await mark.start()
        before = {name: list(values) for name, values in self._late.items()}
        try:
            yield
        except BaseException:
            self._late.clear()
            self._late.update(before)
            with translated():
                await mark.rollback()
            raise
        with translated():
            await mark.commit()


async def _leave_as_is(_: object) -> None:
    """Do nothing to a connection that goes back to the pool."""


class Database:
    """A tier's database, reached through a bounded pool."""

    def __init__(self, url: str, *, connections_max: int = 8, clock: Clock = utc_now) -> None:
        self.url = url
        self.clock = clock
        self._connections_max = connections_max
        self._pool: asyncpg.Pool | None = None

    async def __aenter__(self) -> Self:
        """Open the pool; no connection is made before it is needed."""
        with connecting():
            self._pool = await asyncpg.create_pool(
                self.url,
                min_size=0,
                max_size=self._connections_max,
                timeout=CONNECT_TIMEOUT.total_seconds(),
                command_timeout=STATEMENT_TIMEOUT.total_seconds(),
                max_inactive_connection_lifetime=60,
                # No session state is ever set here, so there is none to undo: a round trip saved.
                reset=_leave_as_is,
                server_settings=_SESSION,
                statement_cache_size=300,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool; statements under way end first, within 5 seconds."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT.total_seconds()):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def run(self, work: Callable[[Transaction], Awaitable[T]], *, name: str) -> T:
        """Return what *work* returns in a transaction of its own.

        If PostgreSQL rolls it back for others beside it, it is done again in a new one: *work* must
        have no effects but those in its transaction. *name* is what the log calls it.

        Raises:
            DatabaseUnavailableError: As `transaction`.
        """

        async def once() -> T:
            async with self.transaction() as tx:
                return await work(tx)

        return await repeated(once, name=name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction: committed at the end of the block, rolled back if it raises.

        Raises:
            DatabaseUnavailableError: PostgreSQL is away, read-only or full; nothing was
                written, or the commit's answer was lost and a repetition must be harmless.
        """
        pool = self._pool
        if pool is None:
            raise ConfigurationError("the database is used before it was opened")
        with connecting():
            connection = await pool.acquire(timeout=CONNECT_TIMEOUT.total_seconds())
        try:
            block = connection.transaction()
            with translated():
                await block.start()
            try:
                with translated():
                    await connection.execute(_SHARE_SCHEMA)
                tx = Transaction(connection, self.clock())
                yield tx
                await tx.finish()
            except BaseException:
                with suppress(*UNAVAILABLE):
                    await block.rollback()
                raise
            with translated():
                await block.commit()
        finally:
            with suppress(*UNAVAILABLE):
                await pool.release(connection)
