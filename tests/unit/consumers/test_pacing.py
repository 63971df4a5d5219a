from __future__ import annotations

from datetime import timedelta

import pytest

from jukinet_mq.consumers.pacing import BATCH_MAX, Pace


def test_without_a_rate_nothing_waits() -> None:
    """As fast as it goes: full batches, no pause."""
    pace = Pace()

    assert BATCH_MAX == pace.batch
    assert timedelta() == pace.pause(10**6, timedelta())


@pytest.mark.parametrize(("per_second", "batch"), [(50.0, 50), (0.1, 1), (1_000_000.0, BATCH_MAX)])
def test_batch_is_a_seconds_worth_and_bounded(per_second: float, batch: int) -> None:
    """A slow rate moves one at a time; a fast one never locks more than the bound."""
    assert batch == Pace(per_second).batch


@pytest.mark.parametrize(
    ("done", "elapsed", "pause"), [(0, 0, 0), (50, 0, 1), (50, 0.4, 0.6), (50, 3, 0), (100, 1, 1)]
)
def test_pause_keeps_the_average_rate(done: int, elapsed: float, pause: float) -> None:
    """What was done at 50 a second takes its time, and lost time is not made up by waiting."""
    found = Pace(50.0).pause(done, timedelta(seconds=elapsed))

    assert timedelta(seconds=pause) == found
