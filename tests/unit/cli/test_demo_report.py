"""What a person reads after a demonstration, and while it runs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from jukinet_mq.cli import demo_report, demo_view, terminal
from jukinet_mq.config import Settings
from jukinet_mq.load.demo import Plan, Report, Stage
from jukinet_mq.load.filing import Filings
from jukinet_mq.load.installation import Servers
from jukinet_mq.load.progress import Reached
from jukinet_mq.load.proof import Finding, Proof
from jukinet_mq.load.tally import KindTally
from jukinet_mq.nodes import NodeCode, Tier

ID = UUID("019d3a10-6c00-7000-8000-000000000001")
REACHED = Reached(
    published=10,
    relayed=9,
    kept={Tier.MUNICIPALITY: (1, 2), Tier.PREFECTURE: (3, 4), Tier.NATIONAL: (5, 6)},
    done={Tier.MUNICIPALITY: 1, Tier.PREFECTURE: 3, Tier.NATIONAL: 4},
    receipts=(7, 8),
)


def report(tmp_path: Path, proof: Proof, *, stays: bool = False) -> Report:
    """Return what a run of ten updates has done."""
    kind = KindTally(
        "identity-update", 10, 20, 20, 20, 20, 20, 20, [0.02] * 10, national_delays=[1.5] * 10
    )
    filed = Filings(filed=10, examples={"move": (ID, NodeCode("131016"))})
    return Report(
        plan=Plan(10, 1),
        filed=filed,
        kinds=[kind],
        proof=proof,
        seconds={Stage.FILE: 1.0, Stage.PROVE: 2.0},
        memory=512 * 2**20,
        servers=Servers(Settings(home=tmp_path), private=True, stays=stays, pids={}),
    )


@pytest.fixture(autouse=True)
def _fresh_console() -> None:
    terminal.console.cache_clear()


def test_report_shows_counts_delays_the_proof_and_what_to_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that holds is told in numbers, with an id of this run to look at."""
    shown = report(tmp_path, Proof(envelopes=10, copies=30, effects=20, receipts=20))

    demo_report.show(shown)

    said = capsys.readouterr().out
    assert "20 ms" in said
    assert "1.5 s" in said
    assert "nothing lost, doubled, altered" in said
    assert "512 MiB" in said
    assert f"jukinet status {ID}" in said
    assert "jukinet node show 131016" in said
    assert "jukinet services up" in said
    assert shown.holds


def test_report_on_a_narrow_terminal_breaks_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns counts and delays are two tables, and every line is whole."""
    console = Console(width=80, record=True, file=StringIO(), force_terminal=True)
    monkeypatch.setattr(terminal, "console", lambda: console)
    shown = report(tmp_path, Proof(envelopes=83_168, copies=208_316, effects=1, receipts=75_309))
    shown.kinds = [
        KindTally("move-out-certificate-request", 99_999, 99_999, 99_999, delays=[0.1]),
    ]

    demo_report.show(shown)

    lines = console.export_text().splitlines()
    assert 2 == sum(line.strip().startswith("move-out-certificate-request") for line in lines)
    assert any("byte for byte" in line and "83,168" in line for line in lines)
    assert any(f"jukinet status {ID}" in line and "one move" in line for line in lines)
    assert any(line.endswith("no queue or outbox with anything") for line in lines)


def test_report_names_what_breaks_the_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy that is missing, a message in a queue and an open gap are each a line."""
    lost = Finding(ID, "identity-update", NodeCode("130001"), "not in its archive")
    proof = Proof(lost=[lost], left_in_queues={"juki.dead": 1}, left={"national.gaps_open": 2})
    shown = report(tmp_path, proof, stays=True)

    demo_report.show(shown)

    said = capsys.readouterr().out
    assert "✗ lost: 1" in said
    assert f"identity-update {ID} at 130001 東京都: not in its archive" in said
    assert "left in the queue: juki.dead 1" in said
    assert "left in the database: national.gaps_open 2" in said
    assert "nothing lost" not in said
    assert not shown.holds


def test_report_that_has_not_filed_everything_does_not_hold(tmp_path: Path) -> None:
    """A proof about fewer events than were asked for is not the proof that was asked for."""
    shown = report(tmp_path, Proof())
    shown.filed.filed = 9

    assert not shown.holds
    assert demo_report.facts(shown)["events"] == {"planned": 10, "filed": 9}


def test_plain_view_tells_stages_and_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there is a line per stage and, while it runs, how far it is."""
    view = demo_view.PlainView(10)

    view.began(Stage.FILE)
    view.reached(4, REACHED)
    view.reached(5, REACHED)
    view.ended(Stage.FILE, "10 events", 1.25)

    said = capsys.readouterr().out
    assert 1 == said.count("events filed 4/10, envelopes relayed 9/10, kept at prefectures 3/4")
    assert "events filed 5/10" not in said
    assert f"✓ {Stage.FILE.value} (1.2 s): 10 events" in said


@pytest.mark.parametrize("columns", [80, 120])
def test_live_view_fits_the_terminal(columns: int) -> None:
    """Every stage and every bar stands whole on a line of its own; only notes give way."""
    view = demo_view.LiveView(Stage, 10)
    view.began(Stage.SERVERS)
    view.ended(Stage.SERVERS, "a note " * 30, 3.14)
    view.began(Stage.FILE)
    view.reached(4, REACHED)
    console = Console(width=columns, record=True, file=StringIO())

    console.print(view._render())

    lines = console.export_text().splitlines()
    assert all(len(line) <= columns for line in lines)
    for stage in Stage:
        assert 1 == sum(stage.value in line for line in lines)
    assert any("kept at J-LIS" in line and "5 of 6" in line for line in lines)
    assert any(line.startswith(f"✓ {Stage.SERVERS.value}") and "3.1 s" in line for line in lines)
