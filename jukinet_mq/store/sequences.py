"""Which numbers a node has seen, which are missing below the highest, and when to ask for them.

A number that comes twice with another envelope never gets here: `inbox.admit` refuses it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
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


def plan(
    highest: int, numbers: Collection[int], refused: Collection[int] = ()
) -> tuple[int, list[int], list[int]]:
    """Say what *numbers* mean after *highest*: new highest, numbers missing, numbers below.

    A number that was *refused* is not missing, but opens no gap below itself either: only what
    is kept shows that others must have come before.

    >>> plan(3, [4, 7, 2])
    (7, [5, 6], [2])
    >>> plan(3, [7], refused=[5, 8, 10])
    (8, [4, 6], [])
    """
    below = [n for n in (*numbers, *refused) if n <= highest]
    known = set(refused)
    missing: list[int] = []
    for number in sorted({n for n in numbers if n > highest}):
        gap = range(max(highest + 1, number - GAP_ROWS_MAX), number)
        missing.extend(n for n in gap if n not in known)
        highest = number
    while highest + 1 in known:
        highest += 1
    return highest, missing, below


async def note(
    tx: Transaction, seen: Iterable[tuple[Source, int]], *, refused: Iterable[tuple[Source, int]]
) -> dict[Source, int]:
    """Note the numbers of news, open and close gaps; return how many numbers are now missing.

    Locks the pairs' rows until the transaction ends, so that two workers of a node agree: call
    it after everything but relaying again (ADR 28).

    Args:
        tx: The transaction in which they are kept.
        seen: What was kept.
        refused: What no repetition will make acceptable; it is not asked for again.
    """
    numbers, never = _by_source(seen), _by_source(refused)
    if not numbers and not never:
        return {}
    before = await _raise(tx, {s: max(numbers.get(s, [0])) for s in {*numbers, *never}})
    below: list[tuple[object, ...]] = []
    missing: dict[Source, list[int]] = {}
    raised: dict[Source, int] = {}
    for source, highest in before.items():
        found, not_asked = numbers.get(source, []), never.get(source, [])
        now, gaps, old = plan(highest, found, not_asked)
        if gaps:
            missing[source] = gaps
        if now > max(found, default=highest):
            raised[source] = now
        below += [(*source, n) for n in old]
    if raised:
        await _raise(tx, raised)
    await _write(tx, missing, below)
    return {source: len(gaps) for source, gaps in missing.items()}


def _by_source(numbers: Iterable[tuple[Source, int]]) -> dict[Source, list[int]]:
    found: defaultdict[Source, list[int]] = defaultdict(list)
    for source, number in numbers:
        found[source].append(number)
    return dict(found)


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
