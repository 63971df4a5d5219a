"""What a municipality has published, what a keeper holds of it, and checks of the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction


class Numbers(NamedTuple):
    """A span of sequence numbers, both ends included."""

    first: int
    last: int


class Held(NamedTuple):
    """One identity update under its number; `digest` is SHA-256 over its archived bytes."""

    sequence: int
    message_id: UUID
    digest: bytes
    in_effect: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands under the numbers of one span; `each` is empty unless it was spelt out."""

    numbers: Numbers
    count: int
    digest: bytes
    each: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a keeper was asked in a check.

    Attributes:
        tries: How often it was asked this, each time under a request of its own.
    """

    request_id: UUID
    check_id: UUID
    node: NodeCode
    keeper: NodeCode
    spans: tuple[Numbers, ...]
    spelt_out: bool
    tries: int


class Difference(NamedTuple):
    """What a keeper holds otherwise than it was published."""

    sequence: int
    message_id: UUID
    difference: Literal["missing", "unknown", "other_bytes", "not_in_effect"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check as it stands; the numbers are None where there was nothing to check."""

    check_id: UUID
    node: NodeCode
    started_at: datetime
    first: int | None
    last: int | None
    ended_at: datetime | None
    ended_how: Literal["done", "unanswered"] | None
    differences: int


@dataclass(frozen=True, slots=True)
class NotedDifference:
    """A difference that a check has found, and at whom."""

    keeper: NodeCode
    sequence: int
    message_id: UUID
    difference: str
    noted_at: datetime


async def held(
    tx: Transaction, node: NodeCode, pair: tuple[NodeCode, NodeCode], spans: Sequence[Numbers],
    *, spelt_out: bool,
) -> list[Contents]:  # fmt: skip
    """Return what *node* holds of the updates of *pair* (sender, recipient)."""
    rows = await tx.fetch("consistency/held", node, *pair, *_columns(spans), spelt_out)
    return [_contents(row, row["in_effects"]) for row in rows]


async def published(
    tx: Transaction, pair: tuple[NodeCode, NodeCode], spans: Sequence[Numbers], *, spelt_out: bool
) -> list[Contents]:
    """Return what *pair*'s sender has published; all of it ought to be in effect."""
    rows = await tx.fetch("consistency/published", *pair, *_columns(spans), spelt_out)
    return [_contents(row, [True] * row["count"]) for row in rows]


def _columns(spans: Sequence[Numbers]) -> tuple[list[int], list[int], list[int]]:
    return list(range(len(spans))), [s.first for s in spans], [s.last for s in spans]


def _contents(row: asyncpg.Record, in_effects: Iterable[bool] | None) -> Contents:
    each: tuple[Held, ...] = ()
    if row["sequences"] is not None and in_effects is not None:
        each = tuple(map(Held, row["sequences"], row["message_ids"], row["digests"], in_effects))
    return Contents(Numbers(row["first"], row["last"]), row["count"], row["digest"], each)


async def window(
    tx: Transaction, pair: tuple[NodeCode, NodeCode], *, since: datetime, settled: datetime
) -> Numbers | None:
    """Return the numbers published from *since* on that the keepers must have by now.

    Args:
        tx: The open transaction.
        pair: Sender and recipient.
        since: When the earliest was published.
        settled: What was relayed later may still be on its way.
    """
    [row] = await tx.fetch("consistency/window", *pair, since, tx.at, settled)
    return None if row["first"] is None else Numbers(row["first"], row["last"])


async def start(tx: Transaction, check_id: UUID, node: NodeCode, numbers: Numbers | None) -> None:
    """Write down that a check of *node* has begun."""
    first, last = numbers or (None, None)
    await tx.execute("consistency/start", check_id, node, tx.at, first, last)


async def ask(tx: Transaction, question: Question) -> None:
    """Write down that a keeper was asked."""
    _, firsts, lasts = _columns(question.spans)
    await tx.execute(
        "consistency/ask", question.request_id, question.check_id, question.keeper, firsts, lasts,
        question.spelt_out, question.tries, tx.at,
    )  # fmt: skip


async def lock(tx: Transaction, request_ids: Sequence[UUID]) -> None:
    """Lock the checks to which these questions belong: answers to one check come one by one."""
    await tx.execute("consistency/lock", list(request_ids))


async def question(
    tx: Transaction, request_id: UUID, *, node: NodeCode, keeper: NodeCode
) -> Question | None:
    """Return the open question that *keeper* answers; None if there is none. See `lock`."""
    rows = await tx.fetch("consistency/question", request_id, keeper, node)
    return _question(rows[0]) if rows else None


async def answered(tx: Transaction, request_ids: Sequence[UUID]) -> None:
    """Write down that these questions need no answer any more."""
    await tx.execute("consistency/answered", list(request_ids), tx.at)


async def note(tx: Transaction, question: Question, differences: Sequence[Difference]) -> None:
    """Write down what was found."""
    if differences:
        await tx.execute(
            "consistency/note", question.check_id, question.keeper,
            *zip(*differences, strict=True), tx.at,
        )  # fmt: skip


async def end(
    tx: Transaction, check_id: UUID, how: Literal["done", "unanswered"]
) -> tuple[NodeCode, int] | None:
    """End a check, if nothing is open in it or nobody answers; return its node and differences."""
    rows = await tx.fetch("consistency/end", check_id, tx.at, how)
    return (rows[0]["node"], rows[0]["differences"]) if rows else None


async def due(
    tx: Transaction, nodes: Sequence[NodeCode] | None, *, before: datetime, limit: int
) -> list[tuple[NodeCode, NodeCode]]:
    """Return (municipality, prefecture) of *nodes* (all: None) last checked before an instant."""
    rows = await tx.fetch("consistency/due", nodes, before, limit)
    return [(row["node"], row["recipient"]) for row in rows]


async def unanswered(
    tx: Transaction, nodes: Sequence[NodeCode] | None, *, before: datetime, limit: int
) -> list[Question]:
    """Take questions of *nodes* (all: None) that were asked before an instant."""
    return [_question(r) for r in await tx.fetch("consistency/unanswered", before, nodes, limit)]


def _question(row: asyncpg.Record) -> Question:
    return Question(
        row["request_id"],
        row["check_id"],
        row["node"],
        row["keeper"],
        tuple(map(Numbers, row["firsts"], row["lasts"])),
        row["spelt_out"],
        row["tries"],
    )


async def checks(
    tx: Transaction, *, node: str | None = None, check_id: UUID | None = None, limit: int = 2_000
) -> list[Check]:
    """Return the latest check of each municipality, or of *node*, or the one with *check_id*."""
    return [Check(**row) for row in await tx.fetch("consistency/checks", node, check_id, limit)]


async def differences(tx: Transaction, check_id: UUID, *, limit: int) -> list[NotedDifference]:
    """Return what a check has found."""
    rows = await tx.fetch("consistency/differences", check_id, limit)
    return [NotedDifference(**row) for row in rows]
