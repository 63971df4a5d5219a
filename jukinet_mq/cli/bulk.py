"""Many events from a file: bounded memory, good lines through, bad ones listed by number."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli.event_files import LINE_BYTES_MAX
from jukinet_mq.cli.interruption import InterruptedWaitError, Interruption
from jukinet_mq.errors import (
    DataRefusedError,
    JukinetError,
    MalformedBodyError,
    NodeKeyError,
    RejectedError,
    UnknownKeyError,
)
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.events import Event, read_event
from jukinet_mq.producers.filings import (
    Outcome,
    OutcomeState,
    check_event,
    check_signer,
    file_events,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.progress import Progress

    from jukinet_mq.cli.event_files import EventFile
    from jukinet_mq.cli.event_forms import Line
    from jukinet_mq.cli.refused_lines import RefusedLines
    from jukinet_mq.config import Settings
    from jukinet_mq.room import Room

_OF_ONE_LINE: Final = (RejectedError, DataRefusedError, NodeKeyError, UnknownKeyError)
"""What refuses a line and no other: its content, or a key of a node that it concerns."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """An event and the line that it stood on."""

    number: int
    event: Event


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far.

    Attributes:
        last: The line up to which, this one included, all are dealt with.
        exit_code: 65 once a line was refused for its content; else that of what refused one.
    """

    last: int = 0
    lines: int = 0
    filed: int = 0
    waiting: int = 0
    repeated: int = 0
    refused: int = 0
    envelopes: int = 0
    seconds: float = 0.0
    exit_code: int = 0

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

    def count_refusal(self, error: JukinetError) -> None:
        """Add a line that was refused."""
        self.refused += 1
        if isinstance(error, RejectedError) or not self.exit_code:
            self.exit_code = error.exit_code

    def progress(self) -> str:
        """Say how far it is, and how to go on."""
        if not self.last:
            return "no line is dealt with"
        return (
            f"lines 1 to {self.last:,} are dealt with; go on from line {self.last + 1:,}, or file "
            "the same file again: an event with an event_id is not filed twice"
        )


async def file_lines(
    given: Settings,
    events: EventFile,
    refusals: RefusedLines,
    *,
    chunk: int,
    quiet: bool,
    interruption: Interruption,
) -> Tally:
    """File every good line, *chunk* events per transaction, in the order of the file.

    Raises:
        JukinetError: What concerns all lines (no database, a file in another form); says up to
            which line the events are filed.
    """
    from jukinet_mq.room import open_room

    tally = Tally()
    started = time.perf_counter()
    chunks = events.chunks(chunk)
    try:
        with _progress(events, quiet=quiet) as show, suppress(InterruptedWaitError):
            async with open_room(given, Tier.MUNICIPALITY) as room:
                filer = _Filer(room, refusals, tally)
                while lines := interruption.wait(lambda: next(chunks, [])):
                    await filer.file(lines)
                    show.move(events.position(), tally)
    except JukinetError as error:
        raise type(error)(f"{error} ({tally.progress()})", **error.facts) from error
    tally.seconds = time.perf_counter() - started
    return tally


@dataclass(slots=True)
class _Filer:
    """Files lines, and lists those that are refused in their order.

    Attributes:
        refused: Of the lines in hand, with why.
    """

    room: Room
    refusals: RefusedLines
    tally: Tally
    refused: dict[int, JukinetError] = field(default_factory=dict)

    async def file(self, lines: Sequence[Line]) -> None:
        """File lines in one transaction; where that is refused, without the ones at fault.

        What is wrong by itself is found at once. What only the database knows, such as an id
        used twice, is found by filing one by one, which is slow and rare.
        """
        self.tally.lines += len(lines)
        part = list(self._events(lines))
        if not await self._is_filed(part):
            good = [one for one in part if self._is_acceptable(one)]
            if len(good) == len(part) or not await self._is_filed(good):
                for one in good:
                    await self._file_alone(one)
        self._settle(lines[-1].number)

    def _events(self, lines: Sequence[Line]) -> Iterator[Numbered]:
        for line in lines:
            try:
                yield Numbered(line.number, _event(line))
            except RejectedError as error:
                self.refused[line.number] = error

    def _is_acceptable(self, one: Numbered) -> bool:
        at = self.room.database.clock()
        try:
            check_event(one.event, self.room.publisher, at=at)
            check_signer(one.event, self.room.publisher, at=at)
        except _OF_ONE_LINE as error:
            self.refused[one.number] = error
            return False
        return True

    async def _is_filed(self, part: Sequence[Numbered]) -> bool:
        try:
            await _file(self.room, part, self.tally)
        except _OF_ONE_LINE:
            return False
        return True

    async def _file_alone(self, one: Numbered) -> None:
        try:
            await _file(self.room, [one], self.tally)
        except _OF_ONE_LINE as error:
            self.refused[one.number] = error
        self._settle(one.number)

    def _settle(self, last: int) -> None:
        """Note that all lines up to *last* are dealt with."""
        for number in sorted(n for n in self.refused if n <= last):
            error = self.refused.pop(number)
            self.refusals.add(number, error)
            self.tally.count_refusal(error)
        self.tally.last = last
        self.refusals.counts = True


def _event(line: Line) -> Event:
    if not line.whole:
        raise MalformedBodyError(
            f"the line has more than {LINE_BYTES_MAX} bytes; put one event on each line"
        )
    return read_event(line.text)


async def _file(room: Room, part: Sequence[Numbered], tally: Tally) -> None:
    if not part:
        return
    outcomes = await room.database.run(
        lambda tx: file_events(tx, room.publisher, [one.event for one in part]), name="inject"
    )
    tally.count(outcomes)


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


def _progress(events: EventFile, *, quiet: bool) -> AbstractContextManager[_Bar | _Silent]:
    if quiet or not sys.stderr.isatty():
        return nullcontext(_Silent())
    return _shown(events)


@contextmanager
def _shown(events: EventFile) -> Iterator[_Bar]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from jukinet_mq.cli import terminal

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal.console(stderr=True), transient=True) as progress:
        yield _Bar(progress, progress.add_task(events.title, total=events.size, said=""))
