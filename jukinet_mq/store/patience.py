"""Work that waits for PostgreSQL instead of failing with it, and says so once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

import tenacity

from jukinet_mq import telemetry
from jukinet_mq.errors import DatabaseUnavailableError
from jukinet_mq.pausing import sleep_until
from jukinet_mq.store.repeating import repeated

T = TypeVar("T")

SETTLED: Final = timedelta(seconds=2)
"""A server that goes down takes its connections one by one, and what works in between is no
recovery."""
_PAUSES: Final = tenacity.wait_exponential(0.1, max=4.5) + tenacity.wait_random(0, 0.5)


@dataclass(slots=True)
class _Outage:
    """Since when some work fails, which still does, and when none did any more."""

    since: float
    failing: set[object] = field(default_factory=set)
    over: float | None = None


class Patience:
    """Does work again, with growing pauses of up to 5 seconds, until the database lets it be done.

    All that works beside each other on one database shares one. An outage begins with the first
    work that fails; it is over when all that failed is done and nothing has failed again for
    *settled*, and the next work done says so. Only the work itself can show that (ADR 26): a
    volume may be full under one table while another can be written.
    """

    def __init__(
        self,
        *,
        stop: asyncio.Event,
        settled: timedelta = SETTLED,
        clock: Callable[[], float] = time.monotonic,
        **who: str,
    ) -> None:
        self._stop = stop
        self._settled = settled.total_seconds()
        self._clock = clock
        self._who = who
        self._outage: _Outage | None = None

    async def __call__(self, work: Callable[[], Awaitable[T]], *, name: str) -> T:
        """Return what *work* returns; *name* is what the log calls it.

        What PostgreSQL rolled back for others beside it is repeated at once, and is no outage.
        Nothing is counted against any envelope meanwhile, and deliveries in hand stay in hand:
        the prefetch bound is what stops the consumption.

        Raises:
            DatabaseUnavailableError: It still fails after *stop* was set.
        """
        one = object()

        def note_failure(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self._begin(name, error).failing.add(one)

        try:
            result: T = await tenacity.AsyncRetrying(
                wait=_PAUSES,
                retry=tenacity.retry_if_exception_type(DatabaseUnavailableError),
                stop=lambda _: self._stop.is_set(),
                sleep=sleep_until(self._stop),
                before_sleep=note_failure,
                reraise=True,
            )(partial(repeated, work, name=name))
        finally:
            self._leave(one)
        self._end_if_settled()
        return result

    def _begin(self, name: str, error: BaseException | None) -> _Outage:
        """Return the outage that there is; its first failure is the one that is said."""
        if self._outage is None:
            self._outage = _Outage(self._clock())
            telemetry.emit(
                telemetry.CONSUMING_PAUSED,
                needs="postgresql",
                work=name,
                error=str(error),
                **self._who,
            )
        self._outage.over = None
        return self._outage

    def _leave(self, one: object) -> None:
        """Count a work as failing no more: it is done, or nobody waits for it any longer."""
        if self._outage is not None and one in self._outage.failing:
            self._outage.failing.remove(one)
            if not self._outage.failing:
                self._outage.over = self._clock()

    def _end_if_settled(self) -> None:
        outage = self._outage
        if outage is None or outage.over is None:
            return
        if self._clock() - outage.over >= self._settled:
            self._outage = None
            telemetry.emit(
                telemetry.CONSUMING_RESUMED,
                paused_seconds=round(outage.over - outage.since, 1),
                **self._who,
            )
