from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jukinet_mq.cli import inject, inject_events
from jukinet_mq.cli.root import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worker", "municipality"], "--node CODE"),
        (["worker", "prefecture", "--all", "--node", "130001"], "not both"),
        (["worker", "municipality", "--node", "130001"], "prefecture tier"),
        (["worker", "village", "--all"], "municipality"),
        (["inject", "mvoe"], "Did you mean 'move'"),
        (["inject", "nowhere.ndjson"], "nowhere.ndjson: no file"),
        (["inject", "--errors", "e", "./nowhere"], "./nowhere: no file"),
        (["inject", "move"], "--synthetic"),
        (["inject", "move", "f.json", "--synthetic"], "not both"),
        (["inject", "move", "--name", "a", "--persons", "[]"], "not both"),
        (["inject", "card-move", "--synthetic"], "--filing"),
        (["inject", "card-move", "--filing", "move-in", "--household-head", "a"], "not for this"),
        (["status", "nonsense"], "UUID"),
        (["parked", "replay", "--apply"], "--all"),
        (["parked", "discard", "--all", "--apply"], "--why"),
        (["parked", "replay", "--all", "--apply"], "--why"),
        (["parked", "replay", "--all", "--rate", "fast"], "50/s"),
        (["parked", "list", "--older-than", "2h", "--newer-than", "1h"], "older and newer"),
        (["quarantine", "replay", "--apply"], "--all"),
        (["quarantine", "replay", "12"], "prefecture/12"),
        (["resend", "--apply"], "--relayed-within"),
        (["trust", "rotate"], "--all"),
        (["trust", "rotate", "131016", "--begin-in", "5s"], "30s or more"),
        (["trust", "rotate", "131016", "--all"], "--all"),
        (["quarantine", "show", "12"], "prefecture/12"),
        (["trust", "revoke"], "KID"),
        (["node", "list", "--prefecture", "99"], "prefecture"),
    ],
)
def test_unclear_command_line_is_refused_with_what_to_say(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 2, nothing done, and the text names the way out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path / "home"))

    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"})

    assert 2 == result.exit_code, result.output
    assert said in " ".join(result.output.split())
    assert [] == list(tmp_path.iterdir())


def test_names_of_events_are_those_of_the_commands() -> None:
    """What is never taken for a file is exactly what `inject` files one event by."""
    assert {command.name for command in inject_events.app.registered_commands} == inject.EVENTS


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--persons", '[{"a": 1, "a": 2}]', "twice"),
        ("--persons", '[{"a": 1e400}]', "number"),
        ("--persons", "[9007199254740992]", "outside"),
        ("--persons", "[" * 40 + "]" * 40, "nested"),
        ("--persons", "@missing.json", "missing.json: no file"),
        ("--persons", "@.", "no file"),
        ("--occurred-at", "0001-01-01T00:00:00+09:00", "year 1"),
        ("--occurred-at", "9999-12-31T23:59:59-01:00", "year 9999"),
        ("--occurred-at", "2026-03-28T10:15:00", "offset"),
        ("--occurred-at", "yesterday", "--occurred-at"),
    ],
)
def test_value_that_cannot_be_read_is_refused_by_its_option(
    option: str, value: str, said: str
) -> None:
    """JSON with two meanings, files that are none and instants out of range end in exit code 2."""
    result = CliRunner().invoke(
        app, ["inject", "move", option, value], env={"TERMINAL_WIDTH": "400"}
    )

    assert 2 == result.exit_code, result.output
    assert said in " ".join(result.output.split())
