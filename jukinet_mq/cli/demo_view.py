"""Who watches a demonstration: a live view for a terminal, plain lines for a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from jukinet_mq.cli import terminal
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from enum import StrEnum

    from jukinet_mq.load.progress import Reached
    from jukinet_mq.load.stages import View

LINE_EVERY_SECONDS: Final = 5.0
BAR_WIDTH: Final = 28
REFRESH_PER_SECOND: Final = 8

_Bar = tuple[str, int, int]


def bars(filed: int | None, events: int, reached: Reached) -> list[_Bar]:
    """Return label, how many and of how many, in the order of an envelope's way."""
    national, prefecture, municipality = (
        reached.kept.get(tier, (0, 0))
        for tier in (Tier.NATIONAL, Tier.PREFECTURE, Tier.MUNICIPALITY)
    )
    kept = sum(have for have, _ in reached.kept.values())
    first: list[_Bar] = [] if filed is None else [("events filed", filed, events)]
    return [
        *first,
        ("envelopes relayed", reached.relayed, reached.published),
        ("kept at prefectures", *prefecture),
        ("kept at J-LIS", *national),
        ("kept at municipalities", *municipality),
        ("handled by keepers", sum(reached.done.values()), kept),
        ("receipts received", *reached.receipts),
    ]


def view_of(
    stages: Iterable[StrEnum], events: int, *, silent: bool
) -> AbstractContextManager[View]:
    """Return the view that fits where our output goes."""
    if silent:
        return nullcontext(Silence())
    if terminal.console().is_terminal:
        return LiveView(stages, events)
    return nullcontext(PlainView(events))


class Silence:
    """Nobody watches."""

    def began(self, stage: StrEnum) -> None:
        """Say nothing."""

    def ended(self, stage: StrEnum, note: str, seconds: float) -> None:
        """Say nothing."""

    def reached(self, filed: int | None, reached: Reached) -> None:
        """Say nothing."""


class PlainView:
    """One line per stage, and one every five seconds while envelopes are under way."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._said = 0.0

    def began(self, stage: StrEnum) -> None:
        """Say nothing: the end of the stage is what counts."""

    def ended(self, stage: StrEnum, note: str, seconds: float) -> None:
        """Say how it ended."""
        terminal.say(f"✓ {stage.value} ({seconds:.1f} s){': ' if note else ''}{note}")

    def reached(self, filed: int | None, reached: Reached) -> None:
        """Say how far it is, now and then."""
        now = time.monotonic()
        if now - self._said < LINE_EVERY_SECONDS:
            return
        self._said = now
        said = ", ".join(
            f"{label} {have:,}/{must:,}" for label, have, must in bars(filed, self._events, reached)
        )
        terminal.say(f"  {said}")


class LiveView:
    """Stages with their times, and bars, redrawn in place."""

    def __init__(self, stages: Iterable[StrEnum], events: int) -> None:
        self._stages = tuple(stages)
        self._events = events
        self._running: dict[StrEnum, tuple[Spinner, float]] = {}
        self._ended: dict[StrEnum, tuple[str, float]] = {}
        self._failed: set[StrEnum] = set()
        self._bars: list[_Bar] = []
        self._live = Live(
            get_renderable=self._render,
            console=terminal.console(),
            refresh_per_second=REFRESH_PER_SECOND,
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._failed = set(self._running)
        self._live.__exit__(kind, error, trace)

    def began(self, stage: StrEnum) -> None:
        """Show it as running."""
        self._running[stage] = (Spinner("dots", style="cyan"), time.monotonic())

    def ended(self, stage: StrEnum, note: str, seconds: float) -> None:
        """Show it as done."""
        self._running.pop(stage, None)
        self._ended[stage] = (note, seconds)

    def reached(self, filed: int | None, reached: Reached) -> None:
        """Move the bars."""
        self._bars = bars(filed, self._events, reached)

    def _render(self) -> RenderableType:

        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1, min_width=1)
        # Only the notes give way in a narrow terminal.
        width = max(len(stage.value) for stage in self._stages)
        table.add_column(width=width, min_width=width, no_wrap=True)
        table.add_column(justify="right", width=6, min_width=6, style="dim", no_wrap=True)
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True, ratio=1)
        for stage in self._stages:
            table.add_row(*self._row(stage))
        parts: list[RenderableType] = [table]
        if self._bars:
            parts += [Text(), self._progress()]
        return Group(*parts)

    def _row(self, stage: StrEnum) -> Iterator[RenderableType]:
        if stage in self._ended:
            note, seconds = self._ended[stage]
            yield from (Text("✓", "green"), stage.value, f"{seconds:.1f} s", Text(note))
        elif stage in self._failed:
            yield from (Text("✗", "red"), Text(stage.value, "bold"), "", "")
        elif stage in self._running:
            spinner, since = self._running[stage]
            yield from (spinner, Text(stage.value, "bold"), f"{time.monotonic() - since:.0f} s", "")
        else:
            yield from ("", Text(stage.value, "dim"), "", "")

    def _progress(self) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(width=BAR_WIDTH)
        table.add_column(justify="right", no_wrap=True)
        for label, have, must in self._bars:
            bar = ProgressBar(total=max(must, 1), completed=min(have, must), width=BAR_WIDTH)
            table.add_row("", label, bar, f"{have:,} of {must:,}")
        return table
