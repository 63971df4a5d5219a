"""The list of refused lines: complete or not there, and never over anything else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from jukinet_mq.cli.event_files import event_file
from jukinet_mq.cli.refused_lines import RefusedLines, refused_lines
from jukinet_mq.errors import DatabaseUnavailableError, MalformedBodyError, NotNowError

WRONG = MalformedBodyError("a: wrong")
EVENTS = b'{"event": "move"}\n'


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of events, in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "events.ndjson"
    path.write_bytes(EVENTS)
    return path


@contextmanager
def listing(name: str | Path, asked: Path | None = None) -> Iterator[RefusedLines]:
    """Open the list that an import of the file *name* would make."""
    with event_file(str(name)) as opened, refused_lines(asked, opened) as refusals:
        yield refusals


def listed(path: Path) -> list[int]:
    """Return the numbers of the lines that are listed."""
    return [json.loads(line)["line"] for line in path.read_text().splitlines()]


def test_list_holds_number_reason_and_text(events: Path) -> None:
    """It stands beside the file, and holds nothing of what the line said."""
    with listing(events) as refusals:
        refusals.add(7, WRONG)

    assert {"line": 7, "reason": "body_malformed", "text": "a: wrong"} == json.loads(
        Path(f"{events}.errors.ndjson").read_text()
    )
    assert 2 == len(list(events.parent.iterdir()))


def test_run_without_refusals_leaves_no_list(events: Path) -> None:
    """One of an earlier run does not stay to mislead."""
    old = Path(f"{events}.errors.ndjson")
    old.write_text("old")

    with listing(events):
        assert old.exists()

    assert [events] == list(events.parent.iterdir())


def fail_at(refusals: RefusedLines, *, counts: bool) -> None:
    """Fail as an import does whose database goes away."""
    refusals.add(1, WRONG)
    refusals.counts = counts
    raise DatabaseUnavailableError("away")


def test_old_list_stays_when_a_run_fails_before_its_first_line(events: Path) -> None:
    """Nothing was dealt with, so nothing is known anew."""
    old = Path(f"{events}.errors.ndjson")
    old.write_text("old")

    with pytest.raises(DatabaseUnavailableError), listing(events) as refusals:
        fail_at(refusals, counts=False)

    assert "old" == old.read_text()
    assert {events, old} == set(events.parent.iterdir())


def test_list_of_a_run_that_ends_early_is_complete_up_to_there(events: Path) -> None:
    """What was refused until then is listed."""
    with pytest.raises(DatabaseUnavailableError), listing(events) as refusals:
        fail_at(refusals, counts=True)

    assert [1] == listed(Path(f"{events}.errors.ndjson"))


def itself(events: Path) -> Path:
    """Return the file by its own name."""
    return events


def other_spelling(events: Path) -> Path:
    """Return the file by another path."""
    return events.parent / ".." / events.parent.name / events.name


def symbolic_link(events: Path) -> Path:
    """Return a symbolic link to the file."""
    link = events.with_name("link")
    link.symlink_to(events)
    return link


def hard_link(events: Path) -> Path:
    """Return another name of the file."""
    link = events.with_name("hard")
    link.hardlink_to(events)
    return link


@pytest.mark.parametrize("name", [itself, other_spelling, symbolic_link, hard_link])
def test_input_is_never_the_list(events: Path, name: Callable[[Path], Path]) -> None:
    """By whatever name it is called, the input is refused as an output and stays as it is."""
    asked = name(events)

    with pytest.raises(typer.BadParameter, match="also the input"), listing(events, asked):
        pass

    assert EVENTS == events.read_bytes()


def test_input_through_standard_input_is_never_the_list(
    events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file behind `-` and `/dev/stdin` is known too."""
    with events.open() as redirected:
        monkeypatch.setattr(sys, "stdin", redirected)
        for name in ("-", f"/dev/fd/{redirected.fileno()}"):
            with pytest.raises(typer.BadParameter, match="also the input"), listing(name, events):
                pass

    assert EVENTS == events.read_bytes()


@pytest.mark.parametrize("descriptor", [1, 2])
def test_own_output_is_neither_input_nor_list(
    events: Path, monkeypatch: pytest.MonkeyPatch, descriptor: int
) -> None:
    """A file that this command writes to already is refused, for its own sake."""
    output, fstat = events.with_name("output"), os.fstat
    output.write_text("")
    for path, expected in ((output, "input or the output"), (events, "output goes to")):
        monkeypatch.setattr(
            os, "fstat", lambda fd, path=path: path.stat() if fd == descriptor else fstat(fd)
        )
        with pytest.raises(typer.BadParameter, match=expected), listing(events, output):
            pass


def test_list_is_written_through_a_symbolic_link(events: Path) -> None:
    """The link stays a link."""
    target, link = events.with_name("target"), events.with_name("link")
    link.symlink_to(target)

    with listing(events, link) as refusals:
        refusals.add(3, WRONG)

    assert link.is_symlink()
    assert [3] == listed(target)


def test_device_as_list_stays_a_device(events: Path) -> None:
    """Who wants no list says /dev/null, which is not replaced by a file."""
    with listing(events, Path(os.devnull)) as refusals:
        refusals.add(3, WRONG)

    assert not Path(os.devnull).is_file()
    assert [events] == list(events.parent.iterdir())


def test_list_of_what_is_no_file_goes_to_the_working_directory(
    events: Path, tmp_path: Path
) -> None:
    """Beside a pipe of the shell, or /dev/stdin, nothing can be written."""
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb"), events.open("rb") as redirected:
        for name in (f"/dev/fd/{reading}", f"/dev/fd/{redirected.fileno()}"):
            with listing(name) as refusals:
                refusals.add(3, WRONG)
            assert [3] == listed(tmp_path / "inject.errors.ndjson")


@pytest.fixture
def unwritable(events: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file in a directory in which nothing can be made, not even by root."""
    directory = events.parent / "locked"
    directory.mkdir()
    there = events.rename(directory / events.name)
    opened = Path.open

    def refusing(path: Path, mode: str = "r", *rest: object, **more: object) -> object:
        if "x" in mode and path.parent == directory:
            raise PermissionError(13, "Permission denied")
        return opened(path, mode, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    return there


def test_list_beside_a_file_in_an_unwritable_directory_goes_to_the_working_directory(
    unwritable: Path, tmp_path: Path
) -> None:
    """A file on a read-only medium is filed, and its list is where the command runs."""
    with listing(unwritable) as refusals:
        refusals.add(3, WRONG)

    assert Path("events.ndjson.errors.ndjson") == refusals.path
    assert [3] == listed(tmp_path / refusals.path)


def test_asked_list_that_cannot_be_written_is_refused_at_once(unwritable: Path) -> None:
    """Before anything is filed, and with what to do; so for a directory that is not there."""
    for asked in (unwritable.with_name("list"), Path("missing/list"), Path()):
        with pytest.raises(typer.BadParameter, match="--errors"), listing(unwritable, asked):
            pass


def test_full_disk_is_no_internal_error(events: Path) -> None:
    """Lines are filed by then: the text says that the list is what is missing."""
    with (
        pytest.raises(NotNowError, match="list of refused lines"),
        listing(events, Path("/dev/full")) as refusals,
    ):
        refusals.add(3, WRONG)
