"""What an operator sees and decides: parked envelopes, the quarantine, how much waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from jukinet_mq.errors import DiscardedByOperatorError
from jukinet_mq.messages import ReceiptLevel
from jukinet_mq.routing import Plane
from jukinet_mq.store import receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Key
from jukinet_mq.store.receipts import GivenReceipt

CHANGE_MAX: Final = 1_000
"""Parked envelopes that one transaction replays or discards."""


@dataclass(frozen=True, slots=True)
class ParkedFilter:
    """Which parked envelopes; what is None lets everything through.

    Attributes:
        ids: Of envelopes, or of the business events that they belong to.
        before: Parked before this instant.
    """

    ids: list[UUID] | None = None
    node: str | None = None
    reason: str | None = None
    kind: str | None = None
    sender: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParkedEnvelope:
    """An open parking and the envelope's header; nothing of its content."""

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
    """One time that an envelope was parked, and who ended that how and why."""

    position: int
    message_id: UUID
    node: str
    sender: str
    parked_at: datetime
    reason: str
    attempts: int
    ended_at: datetime | None
    ended_how: str | None
    operator: str | None
    explanation: str | None


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
class QuarantineFilter:
    """Which deliveries in quarantine; what is None lets everything through."""

    node: str | None = None
    reason: str | None = None
    sender: str | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A delivery in quarantine; `sender`, `kind` and `message_id` are claims, not facts."""

    position: int
    node: str
    digest: bytes
    held_at: datetime
    reason: str
    explanation: str
    login: str | None
    routing_key: str
    exchange: str
    message_id: str | None
    kind: str | None
    sender: str | None
    size: int
    arrivals: int


@dataclass(frozen=True, slots=True)
class QuarantineCause:
    """What lies in quarantine for one reason from one sender, who may be unknown."""

    reason: str
    sender: str | None
    deliveries: int
    arrivals: int
    nodes: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How much waits at a node."""

    outbox_waiting: int
    outbox_oldest: datetime | None
    inbox_pending: int
    parked: int
    quarantined: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Health:
    """One database's state; `clock` is what its server says."""

    clock: datetime
    outbox_waiting: int
    outbox_oldest: datetime | None
    inbox_pending: int
    parked: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What an operator decides about parked envelopes, and why."""

    how: Literal["replayed", "discarded"]
    operator: str
    explanation: str


async def parked(
    tx: Transaction, wanted: ParkedFilter, *, limit: int = CHANGE_MAX
) -> list[ParkedEnvelope]:
    """Return up to *limit* parked envelopes, the oldest first."""
    rows = await tx.fetch("desk/parked", *astuple(wanted), limit)
    return [ParkedEnvelope(**row) for row in rows]


async def parked_causes(tx: Transaction, wanted: ParkedFilter) -> list[ParkedCause]:
    """Return the parked envelopes by cause, the most frequent first."""
    return [ParkedCause(**row) for row in await tx.fetch("desk/parked_causes", *astuple(wanted))]


async def parkings(tx: Transaction, ids: Sequence[UUID]) -> list[Parking]:
    """Return every parking of these envelopes, open or ended, the oldest first."""
    return [Parking(**row) for row in await tx.fetch("desk/parkings", list(ids))]


async def decide(
    tx: Transaction, chosen: Sequence[ParkedEnvelope], decision: Decision
) -> list[ParkedEnvelope]:
    """Carry out *decision* on *chosen*; return those that nobody else had decided about before.

    Replayed ones are due at once. Of discarded ones the senders are owed a `rejected` receipt,
    which the issuer carries when this transaction has committed.
    """
    by_position = {one.position: one for one in chosen}
    rows = await tx.fetch(
        "desk/end_parking", list(by_position), tx.at, decision.how, decision.operator,
        decision.explanation,
    )  # fmt: skip
    ended = [by_position[row["position"]] for row in rows]
    if ended and decision.how == "replayed":
        await tx.fetch("desk/set_pending", *_keys(ended), tx.at)
    elif ended:
        await _discard(tx, ended)
    return ended


async def _discard(tx: Transaction, ended: Sequence[ParkedEnvelope]) -> None:
    reason = DiscardedByOperatorError.reason
    rows = await tx.fetch("desk/set_discarded", *_keys(ended), reason)
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


async def quarantined(
    tx: Transaction, wanted: QuarantineFilter, *, position: int | None = None, limit: int = 1
) -> list[Quarantined]:
    """Return up to *limit* deliveries in quarantine, the latest first, or the one at *position*."""
    rows = await tx.fetch("desk/quarantined", position, *astuple(wanted), limit)
    return [Quarantined(**row) for row in rows]


async def quarantine_causes(tx: Transaction, wanted: QuarantineFilter) -> list[QuarantineCause]:
    """Return what lies in quarantine by cause, the most frequent first."""
    rows = await tx.fetch("desk/quarantine_causes", *astuple(wanted))
    return [QuarantineCause(**row) for row in rows]


async def quarantined_bytes(tx: Transaction, position: int) -> bytes:
    """Return the bytes that are held, at most 256 KiB of a larger delivery."""
    [row] = await tx.fetch("desk/quarantined_bytes", position)
    return bytes(row["bytes"])


async def counts(tx: Transaction, node: str) -> NodeCounts:
    """Return how much waits at *node*."""
    [row] = await tx.fetch("desk/counts", node)
    return NodeCounts(**row)


async def health(tx: Transaction) -> Health:
    """Return the database's state."""
    [row] = await tx.fetch("desk/health")
    return Health(**row)
