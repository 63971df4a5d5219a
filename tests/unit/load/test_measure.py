"""What a run costs, measured from outside."""

from __future__ import annotations

import os

from jukinet_mq.load.measure import Meter, Percentiles, peak_resident_bytes, percentiles


def test_percentiles_are_of_the_nearest_rank() -> None:
    """Each percentile is a value that really was measured."""
    assert Percentiles(50, 95, 99) == percentiles([float(n) for n in range(100, 0, -1)])


def test_percentiles_of_one_value_are_that_value() -> None:
    """A single delivery is its own median."""
    assert Percentiles(0.5, 0.5, 0.5) == percentiles([0.5])


def test_percentiles_of_nothing_are_none() -> None:
    """Nothing was measured; nothing is made up."""
    assert percentiles([]) is None


def test_meter_sees_this_process_and_forgives_one_that_is_gone() -> None:
    """A group of processes has a cost; processes that have ended have none."""
    meter = Meter({"here": [os.getpid()], "gone": [2**22 + 1]})

    costs = meter.look()

    assert costs["here"].cpu_seconds > 0
    assert costs["here"].memory_bytes > 2**20
    assert (0, 0) == (costs["gone"].cpu_seconds, costs["gone"].memory_bytes)
    assert meter.peak_bytes >= costs["here"].memory_bytes


def test_peak_of_a_process_is_what_the_kernel_says() -> None:
    """The high-water mark of this process is at least some megabytes, that of none is 0."""
    assert peak_resident_bytes(os.getpid()) > 2**20
    assert 0 == peak_resident_bytes(2**22 + 1)
