"""Many events from a file: bounded memory, good lines through, bad ones listed by number."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

import orjson
import typer

from jukinet_mq.cli import streams
from jukinet_mq.errors import JukinetError, MalformedBodyError, RejectedError
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.events import Event, read_event
from jukinet_mq.producers.filings import Outcome, OutcomeState, check_event, file_events

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.progress import Progress

    from jukinet_mq.config import Settings
    from jukinet_mq.room import Room

LINE_BYTES_MAX: Final = 1024 * 1024
"""A longer line is skipped without being held in memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the input; `text` is None where it was too long to be read."""

    number: int
    text: bytes | None
    position: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event and the line that it stood on."""

    number: int
    event: Event


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far."""

    lines: int = 0
    filed: int = 0
    waiting: int = 0
    repeated: int = 0
    refused: int = 0
    envelopes: int = 0
    seconds: float = 0.0

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Add what filing has done."""
        for outcome in outcomes:
            self.envelopes += len(outcome.envelopes)
            match outcome.state:
                case OutcomeState.ALREADY_FILED:
                    self.repeated += 1
                case OutcomeState.WAITING:
                    self.waiting += 1
                    self.filed += 1
                case OutcomeState.PUBLISHED:
                    self.filed += 1


@dataclass(slots=True)
class Refusals:
    """The error file: made with the first refusal; one of an earlier run is removed."""

    path: Path
    _file: IO[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, number: int, error: JukinetError) -> None:
        """List a line by number, reason and text; what it said is not written anywhere."""
        if self._file is None:
            self._file = self.path.open("wb")
        said = {"line": number, "reason": error.reason, "text": str(error)}
        self._file.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from; `size` is None where nobody knows how many there will be."""

    stream: IO[bytes]
    name: str
    size: int | None

    def lines(self) -> Iterator[Line]:
        """Yield the lines with their numbers, from 1, and the bytes read so far."""
        position = number = 0
        while text := self.stream.readline(LINE_BYTES_MAX + 1):
            number += 1
            position += len(text)
            if len(text) <= LINE_BYTES_MAX or text.endswith(b"\n"):
                yield Line(number, text, position)
                continue
            while rest := self.stream.readline(LINE_BYTES_MAX):
                position += len(rest)
                if rest.endswith(b"\n"):
                    break
            yield Line(number, None, position)


@contextmanager
def source(name: str) -> Iterator[Source]:
    """Open a file, or standard input where *name* is `-`."""
    if name == "-":
        yield Source(streams.standard_input(), "standard input", None)
        return
    path = Path(name)
    if path.is_dir() or not os.access(path, os.R_OK):
        raise typer.BadParameter(f"{name}: no file that can be read")
    with path.open("rb") as stream:
        yield Source(stream, name, path.stat().st_size if path.is_file() else None)


async def file_lines(
    given: Settings, lines: Source, refusals: Refusals, *, chunk: int, quiet: bool
) -> Tally:
    """File every good line, *chunk* events per transaction, in the order of the file.

    Raises:
        JukinetError: What concerns all lines (no database, a missing key); says up to which
            line the events are filed.
    """
    from jukinet_mq.room import open_room

    tally = Tally()
    started = time.perf_counter()
    with _progress(lines, quiet=quiet) as show:
        async with open_room(given, Tier.MUNICIPALITY) as room:
            for part, position in _chunks(lines, refusals, tally, size=chunk):
                await _file_chunk(room, part, refusals, tally)
                show.move(position, tally)
    tally.seconds = time.perf_counter() - started
    return tally


def _chunks(
    lines: Source, refusals: Refusals, tally: Tally, *, size: int
) -> Iterator[tuple[list[Numbered], int]]:
    part: list[Numbered] = []
    position = 0
    for line in lines.lines():
        tally.lines, position = line.number, line.position
        try:
            part.append(Numbered(line.number, _event(line)))
        except RejectedError as error:
            _refuse(line.number, error, refusals, tally)
        if len(part) == size:
            yield part, position
            part = []
    if part or position:
        yield part, position


def _event(line: Line) -> Event:
    if line.text is None:
        raise MalformedBodyError(
            f"the line has more than {LINE_BYTES_MAX} bytes; put one event on each line"
        )
    text = line.text.strip()
    if not text:
        raise MalformedBodyError("the line is blank; put one event on each line")
    return read_event(text)


async def _file_chunk(room: Room, part: list[Numbered], refusals: Refusals, tally: Tally) -> None:
    """File a chunk in one transaction; where that is refused, without the ones at fault.

    What is wrong by itself is found at once. What only the database knows, such as an id used
    twice, is found by filing one by one, which is slow and rare.
    """
    if not part or await _filed(room, part, tally):
        return
    good = []
    for one in part:
        try:
            check_event(one.event, room.publisher, at=room.database.clock())
            good.append(one)
        except RejectedError as error:
            _refuse(one.number, error, refusals, tally)
    if len(good) < len(part) and await _filed(room, good, tally):
        return
    for one in good:
        try:
            await _file(room, [one], tally)
        except RejectedError as error:
            _refuse(one.number, error, refusals, tally)


async def _filed(room: Room, part: Sequence[Numbered], tally: Tally) -> bool:
    try:
        await _file(room, part, tally)
    except RejectedError:
        return False
    return True


async def _file(room: Room, part: Sequence[Numbered], tally: Tally) -> None:
    try:
        async with room.database.transaction() as tx:
            outcomes = await file_events(tx, room.publisher, [one.event for one in part])
    except RejectedError:
        raise
    except JukinetError as error:
        before = part[0].number - 1
        raise type(error)(
            f"{error} (lines 1 to {before:,} are dealt with; go on from line {before + 1:,})"
        ) from error
    tally.count(outcomes)


def _refuse(number: int, error: RejectedError, refusals: Refusals, tally: Tally) -> None:
    tally.refused += 1
    refusals.add(number, error)


class _Silent:
    """Progress where nobody looks."""

    def move(self, position: int, tally: Tally) -> None:
        """Show nothing."""


@dataclass(frozen=True, slots=True)
class _Bar:
    """Progress for a person."""

    progress: Progress
    task: int

    def move(self, position: int, tally: Tally) -> None:
        """Show how far it is."""
        said = f"{tally.filed:,} filed, {tally.refused:,} refused"
        self.progress.update(self.task, completed=position, said=said)  # type: ignore[arg-type]


def _progress(lines: Source, *, quiet: bool) -> AbstractContextManager[_Bar | _Silent]:
    if quiet or not sys.stderr.isatty():
        return nullcontext(_Silent())
    return _shown(lines)


@contextmanager
def _shown(lines: Source) -> Iterator[_Bar]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from jukinet_mq.cli import terminal

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal.console(stderr=True), transient=True) as progress:
        yield _Bar(progress, progress.add_task(lines.name, total=lines.size, said=""))
