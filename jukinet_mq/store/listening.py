"""Hear when something waits in the outbox, at once and without asking again and again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import asyncpg

from jukinet_mq.errors import DatabaseUnavailableError
from jukinet_mq.store.database import connect
from jukinet_mq.store.translation import translated

LOOK_ANYWAY: Final = timedelta(seconds=1)
"""A notification can be lost with its connection; nothing may wait longer than this for it."""


class Bell:
    """PostgreSQL's LISTEN on one channel, as something to wait for.

    A lost connection is made anew by the next wait; meanwhile the bell rings once a second.
    """

    def __init__(self, url: str, channel: str = "outbox") -> None:
        self._url = url
        self._channel = channel
        self._rung = asyncio.Event()
        self._connection: asyncpg.Connection | None = None

    def ring(self) -> None:
        """Ring it from within this process."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when the bell has rung since the last wait, or after a second."""
        await self._listen()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_ANYWAY.total_seconds()):
                await self._rung.wait()
        self._rung.clear()

    async def _listen(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            return
        try:
            connection = await connect(self._url)
            with translated():
                await connection.add_listener(self._channel, lambda *_: self._rung.set())
        except DatabaseUnavailableError:
            return
        self._connection = connection
        self._rung.set()

    async def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            with suppress(DatabaseUnavailableError), translated():
                await self._connection.close(timeout=1)
