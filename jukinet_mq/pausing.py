"""Pauses that a stop ends, and when one is worth it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

BUSY: Final = 8
FULL_ENOUGH: Final = 200


async def pause(length: timedelta, *, stop: asyncio.Event) -> None:
    """Return after *length*, or as soon as *stop* is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(length.total_seconds()):
            await stop.wait()


def sleep_until(stop: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    """Return what sleeps for a number of seconds, or until *stop* is set."""

    async def sleep(seconds: float) -> None:
        await pause(timedelta(seconds=seconds), stop=stop)

    return sleep


def is_worth_filling(*, last: int, here: int) -> bool:
    """Say whether a batch with *here* in it should wait for more (ADR 23).

    Where the *last* one held several more is on its way, and a batch costs about the same for
    one as for hundreds. What comes by itself never waits.
    """
    return last >= BUSY and here < FULL_ENOUGH
