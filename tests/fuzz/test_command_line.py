"""Every option and argument of every command, with values that people and programs give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli.ending import EXIT_CODES, UNEXPECTED, exit_code_of
from jukinet_mq.cli.root import app
from tests.fuzz.budget import examples

LEFT_OUT: Final = {
    "demo", "bench", "services", "worker", "reference", "schema",
    "topology render",
}  # fmt: skip
"""They start processes, or write generated files into the working directory."""
VALUES: Final = [
    "", " ", "-", "--", "0", "-1", "1", "10", "999999999999999999999", "1e400", "nan", "0x10", "１",
    "131016", "11002", "011002", "011011", "12025", "130001", "jlis", "JLIS",
    "１３１０１６", "131016\n",
    "identity-update", "identity_update", "identity-update.v1", "handler_failed", "handler-failed",
    "municipality", "prefecture", "national", "prefecture/1", "prefecture/0", "tokyo/1",
    "1d", "999999d", "1.5h", "-1d", "10/s", "0/s", "1000000000/s", "d",
    "019d45b1-5a00-7000-8000-0000000000aa", "019d45b1", "00000000-0000-0000-0000-000000000000",
    "2026-11-25", "2026-13-45", "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-01:00",
    "2026-11-25T12:00:00", "@", "@/dev/null", "@/nonexistent", "/dev/null", "/nonexistent/x", "/",
    "{", "[]", '{"a":1,"a":2}', "name=", "=", "name=山田 太郎", "a" * 5_000, "\udcff\udcfe",
    "か\u3099", "\ufffd", "\u202e", "\x1b[31m", "%s%n", "$(id)", "'; DROP TABLE inbox; --",
]  # fmt: skip


def leaves() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its words."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        if any(" ".join(words[:n]) in LEFT_OUT for n in range(1, len(words) + 1)):
            continue
        if hasattr(command, "list_commands"):
            context = typer.Context(command)
            waiting += [
                ((*words, name), command.get_command(context, name))
                for name in command.list_commands(context)
            ]
        else:
            yield words, command


COMMANDS: Final = sorted(leaves(), key=lambda found: found[0])


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command with some of its options, each with some value."""
    words, command = draw(st.sampled_from(COMMANDS))
    line = list(words)
    for parameter in draw(st.lists(st.sampled_from(command.params), max_size=4)):
        value = draw(st.sampled_from(VALUES))
        if parameter.param_type_name == "argument":
            line.append(value)
        elif getattr(parameter, "is_flag", False):
            line.append(parameter.opts[0])
        else:
            line += [parameter.opts[0], value] if draw(st.booleans()) else [
                f"{parameter.opts[0]}={value}"
            ]  # fmt: skip
    return line


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home whose settings name servers that refuse every connection."""
    nobody = "127.0.0.1:1"
    for name in [name for name in os.environ if name.startswith("JUKINET_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path))
    monkeypatch.setenv("JUKINET_AMQP_URL", f"amqp://nobody:nothing@{nobody}/")
    monkeypatch.setenv("JUKINET_MANAGEMENT_URL", f"http://nobody:nothing@{nobody}")
    for tier in ("MUNICIPALITY", "PREFECTURE", "NATIONAL"):
        monkeypatch.setenv(f"JUKINET_{tier}_DATABASE_URL", f"postgresql://nobody@{nobody}/none")
    return tmp_path


@examples(60)
@given(line=command_lines())
def test_whatever_is_typed_ends_with_a_documented_code(
    away: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: list[str]
) -> None:
    """No value leads to an unexpected error, and none to a success that cannot be."""
    monkeypatch.setattr("sys.argv", ["jukinet", *line])

    with chdir(away):
        code = exit_code_of(lambda: app(line, prog_name="jukinet"))

    shown = capfd.readouterr()
    assert code in EXIT_CODES, shown
    assert code != UNEXPECTED, shown
    assert "Traceback" not in shown.err
