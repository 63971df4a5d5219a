"""How long receipts gather."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

from jukinet_mq.consumers.receipts import LINGER_MAX, linger, wait_for_more


def test_nobody_waits_for_a_single_receipt() -> None:
    """On a quiet day a receipt's envelope holds the next ones up for some milliseconds only."""
    assert linger(1) <= timedelta(milliseconds=50)


def test_a_round_for_many_senders_is_followed_by_a_longer_pause() -> None:
    """The more envelopes a round takes, the more receipts gather for the next one."""
    assert linger(40) == 40 * linger(1)


def test_pause_is_bounded() -> None:
    """However many senders wait, none waits longer than some seconds."""
    assert LINGER_MAX == linger(100_000)


async def test_nobody_waits_for_more_when_nothing_is_kept_any_more() -> None:
    """At the end of a burst its receipts go at once, however long they could have gathered."""
    kept, stop = asyncio.Event(), asyncio.Event()
    kept.set()
    began = time.monotonic()
    await wait_for_more(kept, within=timedelta(minutes=1), stop=stop)
    assert time.monotonic() - began < 10


async def test_receipts_gather_while_something_is_being_kept() -> None:
    """Under load the whole pause is used."""
    kept, stop = asyncio.Event(), asyncio.Event()

    async def keep() -> None:
        while True:
            kept.set()
            await asyncio.sleep(0)

    keeping = asyncio.create_task(keep())
    began = time.monotonic()
    await wait_for_more(kept, within=timedelta(seconds=1.5), stop=stop)
    keeping.cancel()
    assert time.monotonic() - began >= 1.5


async def test_a_stop_ends_the_wait() -> None:
    """Shutdown waits for no receipts."""
    kept, stop = asyncio.Event(), asyncio.Event()
    stop.set()
    kept.set()
    async with asyncio.timeout(10):
        await wait_for_more(kept, within=timedelta(minutes=1), stop=stop)
