from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jukinet_mq.cli.ending import EXIT_CODES, exit_code_of, work_is_done
from jukinet_mq.errors import (
    ConfigurationError,
    DatabaseUnavailableError,
    JukinetError,
    MalformedBodyError,
    error_classes,
)


def raising(error: BaseException) -> Callable[[], None]:
    """Return a program that raises *error*."""

    def program() -> None:
        raise error

    return program


@pytest.mark.parametrize("error_class", error_classes())
def test_every_error_ends_in_one_line_and_its_exit_code(
    error_class: type[JukinetError], capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, reason and exit code of an error of ours, and nothing else."""
    code = exit_code_of(raising(error_class("what was found")))

    assert error_class.exit_code == code
    captured = capsys.readouterr()
    assert f"jukinet: what was found [{error_class.reason}]\n" == captured.err
    assert "" == captured.out


def test_every_exit_code_of_an_error_is_documented() -> None:
    """A script can rely on the table."""
    assert {error.exit_code for error in error_classes()} <= EXIT_CODES.keys()


def test_error_is_an_object_for_programs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --json the line is JSON."""
    monkeypatch.setattr(sys, "argv", ["jukinet", "status", "x", "--json"])

    exit_code_of(raising(MalformedBodyError("a: wrong")))

    said = json.loads(capsys.readouterr().err)
    assert {"error": "body_malformed", "text": "a: wrong"} == said


def test_errors_of_several_workers_are_told_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A group of errors is several lines, without repetition; the first one's code counts."""
    group = ExceptionGroup(
        "workers failed",
        [
            ConfigurationError("no key"),
            ExceptionGroup(
                "inner", [ConfigurationError("no key"), DatabaseUnavailableError("away")]
            ),
        ],
    )

    assert 78 == exit_code_of(raising(group))
    lines = capsys.readouterr().err.splitlines()
    assert [
        "jukinet: no key [configuration_invalid]",
        "jukinet: away [database_unavailable]",
    ] == lines


def test_unexpected_error_goes_to_a_private_file_and_no_traceback_to_the_user(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The line names the file; its text does not repeat what the error said."""
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path))

    assert 70 == exit_code_of(raising(KeyError("髙橋 花子")))

    said = capsys.readouterr().err
    [log] = tmp_path.glob("crash-*.log")
    assert 1 == len(said.splitlines())
    assert str(log) in said
    assert "髙橋" not in said
    assert "Traceback" not in said
    assert "Traceback" in log.read_text()
    assert 0o600 == stat.S_IMODE(log.stat().st_mode)


def test_interruption_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C needs no explanation."""
    assert 130 == exit_code_of(raising(KeyboardInterrupt()))
    assert "" == capsys.readouterr().err


def test_program_that_ends_well_returns_0() -> None:
    """Nothing to tell."""
    assert 0 == exit_code_of(lambda: None)


def test_exit_code_of_a_command_is_kept() -> None:
    """What a command chose itself stays."""
    assert 65 == exit_code_of(raising(SystemExit(65)))


@pytest.mark.parametrize("code", [0, 65])
def test_unexpected_error_in_telling_what_is_done_leaves_the_code_of_the_work(
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """After a commit no exit code says that it failed; the line says that it is done."""
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path))

    def program() -> None:
        work_is_done(code)
        raise KeyError("in the table")

    assert code == exit_code_of(program)
    assert "what was asked for is done, but in telling it" in capsys.readouterr().err
    assert 1 == len(list(tmp_path.glob("crash-*.log")))


def test_error_of_ours_after_the_work_keeps_its_code() -> None:
    """A proof that does not hold, for example, is part of the work."""

    def program() -> None:
        work_is_done()
        raise MalformedBodyError("a: wrong")

    assert 65 == exit_code_of(program)


def test_work_of_an_earlier_program_counts_no_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is done is noted for one program."""
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path))
    exit_code_of(work_is_done)

    assert 70 == exit_code_of(raising(KeyError()))
