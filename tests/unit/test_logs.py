from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jukinet_mq import telemetry

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys
from jukinet_mq import logs, telemetry
logs.configure(background=True)
aside = os.dup(2)
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
for _ in range(3):
    telemetry.emit(telemetry.TRUST_REFRESHED)
    telemetry.emit(telemetry.WORKER_STOPPED, seconds=1)
logs.flush()
os.dup2(aside, 2)
telemetry.emit(telemetry.WORKER_STOPPED, seconds=2, error="髙\\udcff")
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise KeyError", "logs.flush(); os._exit(3)"])
def test_lost_lines_are_an_event_and_the_last_line_is_written_however_the_process_ends(
    end: str,
) -> None:
    """The log goes on with how many lines it lacks, and ends with the last event."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)], cwd=ROOT, capture_output=True, check=False
    )

    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("{")]
    lost, last = map(json.loads, lines)
    assert ("log.lines_dropped", 3, "warning") == (lost["event"], lost["lines"], lost["level"])
    assert {"timestamp"} <= lost.keys()
    assert ("worker.stopped", 2) == (last["event"], last["seconds"])


def test_field_that_is_not_declared_is_kept_out_and_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name reaches no log by accident, and a person learns that something was left out."""
    heard: list[tuple[str, dict[str, object]]] = []
    end = telemetry.subscribe(lambda event, fields: heard.append((event.name, dict(fields))))
    monkeypatch.delitem(telemetry.dropped_fields, "body", raising=False)
    for _ in range(2):
        telemetry.emit(telemetry.WORKER_STOPPED, seconds=1, body="山田")
    end()

    assert [
        ("log.field_dropped", {"field": "body"}),
        ("worker.stopped", {"seconds": 1}),
        ("worker.stopped", {"seconds": 1}),
    ] == heard
    assert 2 == telemetry.dropped_fields["body"]
