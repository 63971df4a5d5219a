"""`jukinet demo` and `bench` as a user runs them: the nation, the proof, the rates, no remains."""

from __future__ import annotations

import json

import pytest

from jukinet_mq.services import Services
from tests.fixtures.nation import Nation

pytestmark = pytest.mark.timeout(240)


def test_demo_proves_that_everything_is_kept_once_and_answered(nation: Nation) -> None:
    """All events are filed, and of every kind everything is kept, processed and receipted."""
    shown = nation.shown

    assert shown["holds"]
    assert {"planned": 150, "filed": 150} == shown["events"]
    for kind in shown["kinds"]:
        for step in ("kept", "processed", "receipted"):
            have, must = kind[step]
            assert have == must, (kind["kind"], step)
    kinds = {kind["kind"] for kind in shown["kinds"]}
    assert {"identity-update", "identity-forward", "move-in-notice", "receipt"} <= kinds
    assert all(kind["delay_seconds"]["p50"] >= 0 for kind in shown["kinds"])


def test_demo_counts_more_than_it_was_told(nation: Nation) -> None:
    """The proof has counted the very copies, register entries and receipts of the envelopes."""
    proof, kinds = nation.shown["proof"], nation.shown["kinds"]

    assert proof["copies"] >= sum(kind["published"] + kind["kept"][1] for kind in kinds)
    assert proof["receipts"] == sum(kind["receipted"][1] for kind in kinds)
    assert [] == proof["lost"] == proof["doubled"] == proof["unexpected"] == proof["unreceipted"]
    assert {} == proof["left_in_queues"] == proof["left"]


def test_demo_stays_within_its_memory(nation: Nation) -> None:
    """Broker, databases, workers and the demonstration itself hold less than 1.5 GB together."""
    assert 0 < nation.shown["memory_bytes"] < 1.5e9


def test_workers_write_logs_without_personal_data(nation: Nation) -> None:
    """Each tier's worker has a log under the home, and no test number stands in it."""
    for tier in ("municipality", "prefecture", "national"):
        text = (nation.home / "logs" / f"{tier}.log").read_text()
        assert '"worker.started"' in text
        assert '"worker.stopped"' in text
        assert "個人" not in text
        assert "99999" not in text


def test_demo_leaves_running_what_ran_before(nation: Nation) -> None:
    """Its workers have ended; the servers, which it found running, go on."""
    assert [] == nation.after
    assert Services(nation.home).status().rabbitmq.running


def test_interrupted_demo_leaves_nothing_running(nation: Nation, rabbitmq_root: object) -> None:
    """Ctrl-C in the middle: exit 130; its workers and the servers it has started are gone."""
    left = nation.interrupted

    assert 130 == left.code, left.complained
    assert "Traceback" not in left.complained
    assert [] == left.processes
    # Servers that the environment names are not its own.
    assert (rabbitmq_root is not None) is left.servers_up


def test_demo_finishes_what_an_interrupted_one_has_begun(nation: Nation) -> None:
    """What lay in outboxes and queues at the Ctrl-C has arrived, and stands in the proof."""
    proof, kinds = nation.shown["proof"], nation.shown["kinds"]

    assert "Give the broker the nation's queues, and check" in nation.interrupted.said
    assert proof["holds"]
    assert proof["envelopes"] >= sum(kind["published"] for kind in kinds)


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
