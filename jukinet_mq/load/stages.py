"""The stages of a run, and who watches them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from jukinet_mq.load.progress import Reached


class View(Protocol):
    """Who watches a run; stages are members of that run's own enumeration."""

    def began(self, stage: StrEnum) -> None:
        """*stage* has begun."""

    def ended(self, stage: StrEnum, note: str, seconds: float) -> None:
        """*stage* has ended well; *note* says with what."""

    def reached(self, filed: int | None, reached: Reached) -> None:
        """The run is this far; *filed* is None where nobody counts events."""


@dataclass(slots=True)
class Stages:
    """Tells a view of stages, and takes their times.

    Attributes:
        seconds: How long each stage took that has ended well.
    """

    view: View
    seconds: dict[StrEnum, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, stage: StrEnum) -> Iterator[list[str]]:
        """Run one stage; the block appends what it has ended with."""
        note: list[str] = []
        self.view.began(stage)
        started = time.monotonic()
        yield note
        self.seconds[stage] = time.monotonic() - started
        self.view.ended(stage, ", ".join(note), self.seconds[stage])
