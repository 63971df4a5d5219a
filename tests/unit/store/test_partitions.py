"""Which part of a month a new partition may hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.store.migrations.partitions import Span, missing, month_after

JANUARY = date(2026, 1, 1)
months = st.integers(-1, 24).map(lambda ahead: month_after(JANUARY, ahead))
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))


def bounded_in(zone: tzinfo, first: date, count: int) -> list[Span]:
    """Return the partitions that a release bounded in *zone* has made."""
    starts = [month_after(first, n) for n in range(count + 1)]
    instants = [datetime(day.year, day.month, 1, tzinfo=zone).astimezone(UTC) for day in starts]
    return [Span(*pair) for pair in pairwise(instants)]


def test_month_without_a_partition_is_bounded_by_its_instants_in_utc() -> None:
    """From its first instant to before the next month's."""
    assert missing(date(2026, 12, 1), []) == Span(
        datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )


def test_month_that_has_its_partition_needs_none() -> None:
    """A second run makes nothing."""
    assert missing(JANUARY, bounded_in(UTC, JANUARY, 3)) is None


@given(zone=zones, first=months, count=st.integers(0, 30), month=months)
def test_new_partition_never_overlaps_one_of_another_time_zone(
    zone: timezone, first: date, count: int, month: date
) -> None:
    """Whatever bounded the old ones: no instant has two partitions, and none is left out."""
    existing = bounded_in(zone, first, count)

    span = missing(month, existing)

    begin, end = (datetime(d.year, d.month, 1, tzinfo=UTC) for d in (month, month_after(month, 1)))
    held = sum((max(timedelta(0), min(s.end, end) - max(s.start, begin)) for s in existing),
               timedelta(0))  # fmt: skip
    if span is None:
        assert held == end - begin
    else:
        assert all(span.end <= s.start or s.end <= span.start for s in existing)
        assert held + (span.end - span.start) == end - begin
