"""When a batch waits for more, and what ends a pause."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from jukinet_mq.pausing import BUSY, FULL_ENOUGH, is_worth_filling, pause


def test_what_comes_by_itself_never_waits() -> None:
    """A single update on a quiet day passes at once."""
    assert not is_worth_filling(last=0, here=1)
    assert not is_worth_filling(last=BUSY - 1, here=1)


def test_under_load_a_small_batch_waits_and_a_full_one_does_not() -> None:
    """A batch costs about the same for one as for hundreds."""
    assert is_worth_filling(last=BUSY, here=1)
    assert not is_worth_filling(last=500, here=FULL_ENOUGH)


async def test_a_stop_ends_a_pause() -> None:
    """Shutdown never waits for a pause to be over."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    began = time.monotonic()
    await pause(timedelta(minutes=5), stop=stop)
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("turns_between", range(4))
async def test_cancellation_that_comes_with_a_stop_is_not_lost(turns_between: int) -> None:
    """A task that is cancelled while its pause ends is cancelled, and goes on with nothing."""
    stop = asyncio.Event()
    gone_on = asyncio.Event()

    async def work() -> None:
        await pause(timedelta(minutes=5), stop=stop)
        await _turns(5)
        gone_on.set()

    task = asyncio.create_task(work())
    await _turns(3)
    stop.set()
    await _turns(turns_between)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not gone_on.is_set()


async def _turns(count: int) -> None:
    """Let the loop come round *count* times."""
    for _ in range(count):
        await asyncio.sleep(0)
