"""Parked envelopes: what an operator sees of them, decides about them, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from jukinet_mq.errors import DiscardedByOperatorError
from jukinet_mq.messages import ReceiptLevel
from jukinet_mq.routing import Plane
from jukinet_mq.store import receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Key
from jukinet_mq.store.receipts import GivenReceipt

Outcome = Literal["parked", "discarded", "parked_again", "done", "pending"]


@dataclass(frozen=True, slots=True)
class EnvelopeFilter:
    """Which envelopes of an inbox; what is None lets everything through.

    Attributes:
        ids: Of envelopes, or of the business events that they belong to.
        before: What it is about happened before this instant: the parking, its end, or, for
            what waits for its next try, its keeping.
        after: The same happened at this instant or later.
    """

    ids: list[UUID] | None = None
    node: str | None = None
    reason: str | None = None
    kind: str | None = None
    sender: str | None = None
    before: datetime | None = None
    after: datetime | None = None


class Span(NamedTuple):
    """Rows after one position, up to and with another."""

    after: int
    last: int


ALL = Span(0, 2**62)


@dataclass(frozen=True, slots=True)
class ParkedEnvelope:
    """A parking and the envelope's header; nothing of its content."""

    position: int
    message_id: UUID
    node: str
    sender: str
    parked_at: datetime
    reason: str
    attempts: int
    recipient: str
    plane: str
    kind: str
    version: int
    sequence: int
    event_id: UUID
    event_time: datetime
    kept_at: datetime
    carried_by: UUID | None


@dataclass(frozen=True, slots=True)
class Parking:
    """One time that an envelope was parked, who ended that how and why, and what came of it.

    Attributes:
        outcome: `parked`: nobody has decided; `discarded`; of a replay: `done`, `parked_again`,
            or `pending` as long as it is being tried.
        outcome_at: When it was done, or parked again.
        outcome_reason: Why it was parked again, or why its last try failed.
        tries: Since the replay.
        due_at: When it is tried next.
    """

    position: int
    message_id: UUID
    node: str
    sender: str
    kind: str
    event_id: UUID
    parked_at: datetime
    reason: str
    attempts: int
    ended_at: datetime | None
    ended_how: str | None
    operator: str | None
    explanation: str | None
    outcome: Outcome
    outcome_at: datetime | None
    outcome_reason: str | None
    tries: int | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class ParkedCause:
    """Open parkings of one cause."""

    reason: str
    kind: str
    envelopes: int
    nodes: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decides, and why."""

    how: Literal["replayed", "discarded"]
    operator: str
    explanation: str


async def envelopes(
    tx: Transaction, wanted: EnvelopeFilter, *, span: Span = ALL, limit: int
) -> list[ParkedEnvelope]:
    """Return up to *limit* parked envelopes of *span*, in the order of their parking."""
    rows = await tx.fetch("parked/open", *astuple(wanted), *span, limit)
    return [ParkedEnvelope(**row) for row in rows]


async def causes(tx: Transaction, wanted: EnvelopeFilter) -> list[ParkedCause]:
    """Return the parked envelopes by cause, the most frequent first."""
    return [ParkedCause(**row) for row in await tx.fetch("parked/causes", *astuple(wanted))]


async def newest(tx: Transaction) -> int:
    """Return the position of the newest parking: what is parked later lies after it."""
    [row] = await tx.fetch("parked/newest")
    return int(row["position"])


async def ever(tx: Transaction, ids: Sequence[UUID]) -> list[ParkedEnvelope]:
    """Return the latest parking of each of these envelopes (or of events' envelopes)."""
    return [ParkedEnvelope(**row) for row in await tx.fetch("parked/ever", list(ids))]


async def history(
    tx: Transaction,
    wanted: EnvelopeFilter,
    *,
    limit: int,
    operator: str | None = None,
    positions: Sequence[int] | None = None,
    open_too: bool = False,
) -> list[Parking]:
    """Return ended parkings with what came of them, the latest first.

    Args:
        tx: The transaction.
        wanted: Its `before` and `after` are about the parkings' ends.
        limit: How many at most.
        operator: Who ended them.
        positions: These parkings only.
        open_too: Also those that nobody has ended.
    """
    rows = await tx.fetch(
        "parked/history",
        *astuple(wanted),
        operator,
        None if positions is None else list(positions),
        open_too,
        limit,
    )
    return [Parking(**row) for row in rows]


async def decide(
    tx: Transaction, chosen: Sequence[ParkedEnvelope], decision: Decision
) -> list[ParkedEnvelope]:
    """Carry out *decision* on *chosen*; return those that nobody else had decided about before.

    Replayed ones are due at once. Of discarded ones the senders are owed a `rejected` receipt,
    which the issuer carries when this transaction has committed.
    """
    by_position = {one.position: one for one in chosen}
    rows = await tx.fetch(
        "parked/end", list(by_position), tx.at, decision.how, decision.operator,
        decision.explanation,
    )  # fmt: skip
    ended = [by_position[row["position"]] for row in rows]
    if ended and decision.how == "replayed":
        await tx.fetch("parked/set_pending", *_keys(ended), tx.at)
    elif ended:
        await _discard(tx, ended)
    return ended


async def _discard(tx: Transaction, ended: Sequence[ParkedEnvelope]) -> None:
    reason = DiscardedByOperatorError.reason
    rows = await tx.fetch("parked/set_discarded", *_keys(ended), reason)
    answered = {(one.message_id, one.node, one.sender) for one in ended if _is_answered(one)}
    await receipts.give(
        tx,
        [
            GivenReceipt(
                Key(row["message_id"], row["node"], row["sender"]),
                level=ReceiptLevel.REJECTED.value,
                reason=reason,
                digest=row["digest"],
                kept_at=row["kept_at"],
                processed_at=None,
            )
            for row in rows
            if (row["message_id"], row["node"], row["sender"]) in answered
        ],
    )


def _is_answered(one: ParkedEnvelope) -> bool:
    """Nothing on the receipt plane is answered, whatever becomes of it."""
    return one.plane != Plane.RECEIPT.value


def _keys(ended: Sequence[ParkedEnvelope]) -> tuple[list[UUID], list[str], list[str]]:
    return (
        [one.message_id for one in ended],
        [one.node for one in ended],
        [one.sender for one in ended],
    )
