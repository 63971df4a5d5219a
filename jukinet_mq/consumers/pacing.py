"""How fast an operator lets many things go again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

BATCH_MAX: Final = 500
"""Things that one transaction moves: its locks are gone within a second."""


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `per_second` on average, from the first on; None: as fast as they go.

    Attributes:
        batch_max: Things that one transaction may move, 1 or more.
    """

    per_second: float | None = None
    batch_max: int = BATCH_MAX

    @property
    def batch(self) -> int:
        """How many one transaction moves: no more than a second's worth."""
        if self.per_second is None:
            return self.batch_max
        return max(1, min(self.batch_max, int(self.per_second)))

    def pause(self, done: int, elapsed: timedelta) -> timedelta:
        """Return how long to wait before the next batch, after *done* within *elapsed*."""
        if self.per_second is None:
            return timedelta()
        return max(timedelta(), timedelta(seconds=done / self.per_second) - elapsed)


class Pacer:
    """Lets one batch after another go when its time has come, after its user has counted `done`."""

    def __init__(self, pace: Pace) -> None:
        self.done = 0
        self._pace = pace
        self._started = time.monotonic()

    async def wait(self) -> None:
        """Return when the next batch may go."""
        elapsed = timedelta(seconds=time.monotonic() - self._started)
        await asyncio.sleep(self._pace.pause(self.done, elapsed).total_seconds())
