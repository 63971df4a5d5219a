"""What waits for PostgreSQL: how long an outage lasts, what is said of it, how often it tries."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from jukinet_mq import telemetry
from jukinet_mq.errors import BrokerUnavailableError, DatabaseUnavailableError, RolledBackError
from jukinet_mq.store.patience import Patience
from jukinet_mq.store.repeating import TRIES_MAX
from tests.fixtures.telling import Told

SETTLED = timedelta(seconds=2)


@dataclass
class Trial:
    """Patience with a clock that is set by hand."""

    seconds: float = 0.0
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.patiently = Patience(
            stop=self.stop, settled=SETTLED, clock=lambda: self.seconds, login="131016"
        )

    async def do(self, *, failures: int = 0, name: str = "keep") -> str:
        """Do a work that fails so many times before it is done."""
        return await self.patiently(failing(failures), name=name)

    async def settle(self) -> None:
        """Let the time pass after which an outage is over, and do a work."""
        self.seconds += SETTLED.total_seconds()
        await self.do()


def failing(times: int, error: Exception | None = None) -> Callable[[], Awaitable[str]]:
    """Return a work that fails so many times, then is done."""
    errors = iter([error or DatabaseUnavailableError("no room")] * times)

    async def work() -> str:
        for one in errors:
            raise one
        return "done"

    return work


async def test_work_is_done_again_until_the_database_lets_it(told: Told) -> None:
    """Three failures are one outage, said once when it begins and once when it is over."""
    trial = Trial()

    assert "done" == await trial.do(failures=3)
    assert [] == told.named(telemetry.CONSUMING_RESUMED)
    await trial.settle()

    [paused] = told.named(telemetry.CONSUMING_PAUSED)
    assert {"needs": "postgresql", "work": "keep", "error": "no room", "login": "131016"} == paused
    assert [{"paused_seconds": 0.0, "login": "131016"}] == told.named(telemetry.CONSUMING_RESUMED)


async def test_pauses_grow() -> None:
    """Three tries take at least 0.1 and 0.2 and 0.4 seconds: no database is hammered."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    await Trial().do(failures=3)

    assert loop.time() - start >= 0.7


async def test_failure_soon_after_a_recovery_belongs_to_the_same_outage(told: Told) -> None:
    """A server that goes down takes its connections one by one."""
    trial = Trial()

    await trial.do(failures=1)
    trial.seconds += 1.9
    await trial.do(failures=1, name="relay")
    trial.seconds += 1.9
    await trial.do()

    assert 1 == len(told.named(telemetry.CONSUMING_PAUSED))
    assert [] == told.named(telemetry.CONSUMING_RESUMED)
    await trial.settle()
    [resumed] = told.named(telemetry.CONSUMING_RESUMED)
    assert 1.9 == resumed["paused_seconds"], "up to when the last work was done"


async def test_outage_lasts_while_any_of_its_work_fails(told: Told) -> None:
    """That other work is done shows nothing: one table's volume is full, another's is not."""
    trial = Trial()
    full, tried = True, asyncio.Event()

    async def keep() -> None:
        if full:
            tried.set()
            raise DatabaseUnavailableError("no room")

    keeping = asyncio.create_task(trial.patiently(keep, name="keep"))
    for _ in range(3):
        tried.clear()
        await asyncio.wait_for(tried.wait(), 10)
        await trial.settle()
    assert [] == told.named(telemetry.CONSUMING_RESUMED)

    full = False
    await asyncio.wait_for(keeping, 10)
    await trial.settle()
    assert 1 == len(told.named(telemetry.CONSUMING_PAUSED))
    assert 1 == len(told.named(telemetry.CONSUMING_RESUMED))


async def test_next_outage_is_said_again(told: Told) -> None:
    """Each has its two lines."""
    trial = Trial()

    for _ in range(2):
        await trial.do(failures=1)
        await trial.settle()

    assert 2 == len(told.named(telemetry.CONSUMING_PAUSED))
    assert 2 == len(told.named(telemetry.CONSUMING_RESUMED))


async def test_work_that_nobody_waits_for_any_longer_holds_no_outage_up(told: Told) -> None:
    """A batch is given up with its connection; what is delivered again is other work."""
    trial = Trial()
    tried = asyncio.Event()

    async def keep() -> None:
        tried.set()
        raise DatabaseUnavailableError("away")

    keeping = asyncio.create_task(trial.patiently(keep, name="keep"))
    await asyncio.wait_for(tried.wait(), 10)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping
    await trial.settle()

    assert 1 == len(told.named(telemetry.CONSUMING_RESUMED))


async def test_told_to_stop_it_gives_up(told: Told) -> None:
    """After the try that was under way, and with the database's error."""
    trial = Trial()

    async def keep() -> None:
        trial.stop.set()
        raise DatabaseUnavailableError("away")

    with pytest.raises(DatabaseUnavailableError):
        await trial.patiently(keep, name="keep")

    assert [] == told


async def test_stop_ends_a_pause() -> None:
    """Nobody waits for a pause of 0.8 seconds or more to be over to end a worker."""
    trial = Trial()
    tries, tried_often = itertools.count(1), asyncio.Event()

    async def keep() -> None:
        if next(tries) == 4:
            tried_often.set()
        raise DatabaseUnavailableError("away")

    keeping = asyncio.create_task(trial.patiently(keep, name="keep"))
    await asyncio.wait_for(tried_often.wait(), 10)
    trial.stop.set()

    with pytest.raises(DatabaseUnavailableError):
        await asyncio.wait_for(keeping, 0.7)


async def test_other_errors_are_not_waited_for(told: Told) -> None:
    """They are somebody else's to mend."""
    with pytest.raises(BrokerUnavailableError):
        await Trial().patiently(failing(1, BrokerUnavailableError("nack")), name="relay")

    assert [] == told


async def test_rolled_back_work_is_repeated_and_is_no_outage(told: Told) -> None:
    """A deadlock costs milliseconds and one line in the log, not a pause of everything."""
    trial = Trial()

    done = await trial.patiently(failing(2, RolledBackError("deadlock")), name="keep")

    assert "done" == done
    assert [] == told.named(telemetry.CONSUMING_PAUSED)
    assert [1, 2] == [fields["tries"] for fields in told.named(telemetry.TRANSACTION_REPEATED)]


async def test_work_that_is_always_rolled_back_becomes_an_outage(told: Told) -> None:
    """Repetition is bounded: then the worker pauses, says so, and goes on by itself."""
    trial = Trial()

    done = await trial.patiently(failing(TRIES_MAX, RolledBackError("deadlock")), name="keep")

    assert "done" == done
    assert 1 == len(told.named(telemetry.CONSUMING_PAUSED))
    assert TRIES_MAX - 1 == len(told.named(telemetry.TRANSACTION_REPEATED))
