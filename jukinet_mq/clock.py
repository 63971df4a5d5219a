"""The one clock: aware UTC, and tests may give another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

Clock = Callable[[], datetime]
SKEW_MAX: Final = timedelta(minutes=10)
"""How far ahead of its own clock a node believes another machine's, of a counter or a sender."""
JAPAN: Final = timezone(timedelta(hours=9), "JST")


def utc_now() -> datetime:
    """Return the present instant; what everything uses unless a test gives another clock."""
    return datetime.now(UTC)


def today_in_japan(at: datetime) -> date:
    """Return the calendar day of *at* where the counters are."""
    return at.astimezone(JAPAN).date()


def latest_today_in_japan(at: datetime) -> date:
    """Return the last day that a clock as far ahead as is believed can have at *at*."""
    return today_in_japan(at + SKEW_MAX)
