"""`jukinet bench`: what it reports, measured through the real processes."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.nation import Nation

pytestmark = pytest.mark.timeout(240)


def test_bench_reports_rates_costs_memory_and_idle_delay(nation: Nation) -> None:
    """Every update passes every stage, and each process's time and memory is told apart."""
    done = nation.jukinet(
        "bench", "identity-update", "--count", "200", "--warm-up", "20", "--singles", "10", "--json"
    )

    assert 0 == done.returncode, done.stderr
    shown = json.loads(done.stdout)
    assert shown["complete"]
    assert {
        "published": 200, "relayed": 200, "kept at the prefectures": 200, "kept at J-LIS": 200,
        "receipts received": 400,
    } == {stage["name"]: stage["count"] for stage in shown["stages"]}  # fmt: skip
    assert shown["kept_per_second"] >= shown["receipted_per_second"] > 0
    costs = shown["cpu_microseconds_per_update"]
    assert {"injector", "municipality worker", "prefecture worker", "national worker"} <= set(costs)
    assert all(cost > 0 for cost in costs.values())
    assert all(peak < 200 * 2**20 for peak in shown["worker_peak_bytes"].values())
    assert 0 < shown["idle_seconds"]["p50"] <= shown["idle_seconds"]["p95"]
