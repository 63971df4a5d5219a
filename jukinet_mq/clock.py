"""The one clock: aware UTC, and tests may give another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

Clock = Callable[[], datetime]
JAPAN: Final = timezone(timedelta(hours=9), "JST")


def utc_now() -> datetime:
    """Return the present instant; what everything uses unless a test gives another clock."""
    return datetime.now(UTC)


def today_in_japan(at: datetime) -> date:
    """Return the calendar day of *at* where the counters are."""
    return at.astimezone(JAPAN).date()
