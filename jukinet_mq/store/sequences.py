"""Which numbers a node has seen, which are missing below the highest, and when to ask for them.

A number that comes twice with another envelope never gets here: `inbox.admit` refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from jukinet_mq.store.database import Transaction

GAP_ROWS_MAX: Final = 10_000
"""A jump wider than this is noted by its last rows only; a person must look at it anyway."""

GRACE: Final = timedelta(seconds=30)
"""What is late only because another worker has it in hand comes within this time (G10: a gap is
reported within a minute)."""


class Source(NamedTuple):
    """Whose numbers, at whom: (node that keeps, sender, recipient, plane)."""

    node: str
    sender: str
    recipient: str
    plane: str


def plan(highest: int, numbers: Iterable[int]) -> tuple[int, list[int], list[int]]:
    """Say what *numbers* mean after *highest*: new highest, numbers missing, numbers below.

    >>> plan(3, [4, 7, 2])
    (7, [5, 6], [2])
    """
    fresh = sorted({n for n in numbers if n > highest})
    below = [n for n in numbers if n <= highest]
    missing: list[int] = []
    for number in fresh:
        missing.extend(range(max(highest + 1, number - GAP_ROWS_MAX), number))
        highest = number
    return highest, missing, below


async def note(tx: Transaction, seen: Iterable[tuple[Source, int]]) -> dict[Source, int]:
    """Note the numbers of news, open and close gaps; return how many numbers are now missing.

    Locks the pairs' rows until the transaction ends, so that two workers of a node agree: call
    it after everything but relaying again (ADR 28).
    """
    numbers: defaultdict[Source, list[int]] = defaultdict(list)
    for source, number in seen:
        numbers[source].append(number)
    if not numbers:
        return {}
    highest = await _raise(tx, {source: max(found) for source, found in numbers.items()})
    below: list[tuple[object, ...]] = []
    missing: dict[Source, list[int]] = {}
    for source, found in numbers.items():
        _, gaps, old = plan(highest[source], found)
        if gaps:
            missing[source] = gaps
        below += [(*source, n) for n in old]
    await _write(tx, missing, below)
    return {source: len(gaps) for source, gaps in missing.items()}


async def _raise(tx: Transaction, numbers: Mapping[Source, int]) -> dict[Source, int]:
    """Lock the pairs, let them have seen *numbers*, and return the highest before."""
    rows = [(*source, number) for source, number in numbers.items()]
    found = await tx.fetch("sequences/note", *zip(*rows, strict=True))
    return {Source(*row[:4]): row[4] for row in map(tuple, found)}


async def _write(
    tx: Transaction, missing: dict[Source, list[int]], below: list[tuple[object, ...]]
) -> None:
    await tx.copy(
        "sequence_gap",
        ("node", "sender", "recipient", "plane", "sequence", "noticed_at", "due_at"),
        [
            (*source, number, tx.at, tx.at + GRACE)
            for source, gaps in missing.items()
            for number in gaps
        ],
    )
    if below:
        await tx.execute("sequences/close_gaps", *zip(*below, strict=True), tx.at)


@dataclass(frozen=True, slots=True)
class Gap:
    """A missing number that is due to be asked for.

    Attributes:
        asks: How often it was asked for.
    """

    source: Source
    number: int
    asks: int


@dataclass(frozen=True, slots=True)
class Asked:
    """When to ask for a missing number again; or that nobody asks any more, and who was told."""

    gap: Gap
    due_at: datetime
    alarmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenGaps:
    """The numbers of one pair that are missing at one keeper."""

    node: str
    sender: str
    recipient: str
    plane: str
    missing: int
    first: int
    last: int
    since: datetime
    asks: int
    alarmed_at: datetime | None


async def is_my_turn(tx: Transaction) -> bool:
    """Tell whether nobody else asks for missing numbers here until this transaction ends."""
    [row] = await tx.fetch("sequences/turn")
    return bool(row["mine"])


async def due(tx: Transaction, nodes: Sequence[str] | None, *, limit: int) -> list[Gap]:
    """Return missing numbers of *nodes* (all: None) to be asked for, longest due first.

    They are not locked: see `is_my_turn`.
    """
    rows = await tx.fetch("sequences/due", tx.at, nodes, limit)
    return [Gap(Source(*tuple(row)[:4]), row["sequence"], row["asks"]) for row in rows]


async def asked(tx: Transaction, asks: Sequence[Asked]) -> None:
    """Write down that these were asked for once more, or given up."""
    if not asks:
        return
    rows = [
        (*a.gap.source, a.gap.number, a.gap.asks + (a.alarmed_at is None), a.due_at, a.alarmed_at)
        for a in asks
    ]
    await tx.execute("sequences/asked", *zip(*rows, strict=True))


async def open_gaps(tx: Transaction, node: str | None, *, limit: int) -> list[OpenGaps]:
    """Return what is missing at *node* (anywhere: None), the longest missing first."""
    return [OpenGaps(**row) for row in await tx.fetch("sequences/open", node, limit)]
