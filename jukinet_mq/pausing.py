"""Pauses that a stop ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta


async def pause(length: timedelta, *, stop: asyncio.Event) -> None:
    """Return after *length*, or as soon as *stop* is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), length.total_seconds())
