"""`jukinet demo` as a user runs it: the nation, the proof, and nothing left running."""

from __future__ import annotations

import signal

import psutil
import pytest

from jukinet_mq.services import Services
from tests.fixtures.nation import Nation

pytestmark = pytest.mark.timeout(240)


def processes_of(nation: Nation) -> list[str]:
    """Return the command lines of all processes that know this home."""
    home = str(nation.home)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("JUKINET_HOME") == home:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_demo_proves_that_everything_is_kept_once_and_answered(nation: Nation) -> None:
    """All events are filed, and of every kind everything is kept, processed and receipted."""
    shown = nation.first

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
    proof, kinds = nation.first["proof"], nation.first["kinds"]

    assert proof["envelopes"] == sum(kind["published"] for kind in kinds)
    assert proof["copies"] == sum(kind["published"] + kind["kept"][1] for kind in kinds)
    assert proof["receipts"] == sum(kind["receipted"][1] for kind in kinds)
    assert [] == proof["lost"] == proof["doubled"] == proof["unexpected"] == proof["unreceipted"]
    assert {} == proof["left_in_queues"] == proof["left"]


def test_demo_stays_within_its_memory(nation: Nation) -> None:
    """Broker, databases, workers and the demonstration itself hold less than 1.5 GB together."""
    assert 0 < nation.first["memory_bytes"] < 1.5e9


def test_workers_write_logs_without_personal_data(nation: Nation) -> None:
    """Each tier's worker has a log under the home, and no test number stands in it."""
    for tier in ("municipality", "prefecture", "national"):
        text = (nation.home / "logs" / f"{tier}.log").read_text()
        assert '"worker.started"' in text
        assert '"worker.stopped"' in text
        assert "個人" not in text
        assert "99999" not in text


def test_second_demo_proves_the_whole(nation: Nation) -> None:
    """On databases that hold an earlier run, a second one counts its own and proves all."""
    done = nation.jukinet("demo", "--events", "40", "--seed", "5")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "nothing lost, doubled, altered, unexpected, unanswered" in done.stdout
    assert "Count in three databases and the broker" in done.stdout
    assert "jukinet status" in done.stdout
    assert [] == processes_of(nation)
    if nation.private:
        assert not Services(nation.home).status().up


def test_interrupted_demo_leaves_nothing_running(nation: Nation) -> None:
    """Ctrl-C in the middle: exit 130, the workers and the servers are gone, no traceback."""
    with nation.start("demo", "--events", "5000") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Start a worker process per tier" in line:
                break
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate()

    assert 130 == process.returncode, complained
    assert "Traceback" not in complained
    assert [] == processes_of(nation)
    if nation.private:
        assert not Services(nation.home).status().up
