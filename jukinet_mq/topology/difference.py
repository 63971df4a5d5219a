"""One difference between what a broker holds and what it must hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from jukinet_mq.errors import TopologyDriftError


class Problem(StrEnum):
    """In which way a broker differs."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """The broker does not say, so nobody can tell whether it differs."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One difference; `str()` is one line, such as `missing queue cs.131016`."""

    problem: Problem
    what: str
    name: str
    detail: str = ""

    reason: ClassVar[str] = TopologyDriftError.reason

    def __str__(self) -> str:
        """Return the line."""
        line = f"{self.problem} {self.what} {self.name}".rstrip()
        return f"{line}: {self.detail}" if self.detail else line
