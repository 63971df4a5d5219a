"""What lies in quarantine, and what operators decide about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from jukinet_mq.envelope import Delivery
from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.parked import Span


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Which deliveries in quarantine; what is None lets everything through.

    Attributes:
        kind: With or without its version.
        before: Held, or for the history decided about, before this instant.
        after: The same at this instant or later.
    """

    positions: list[int] | None = None
    node: str | None = None
    reason: str | None = None
    kind: str | None = None
    sender: str | None = None
    before: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A delivery in quarantine; `sender`, `kind` and `message_id` are claims, not facts.

    Attributes:
        whole: Bytes and properties are held as they came, so they can be verified again.
    """

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
    carried_by: UUID | None
    whole: bool
    ended_at: datetime | None
    ended_how: str | None


@dataclass(frozen=True, slots=True)
class QuarantineCause:
    """What lies in quarantine for one reason from one sender, who may be unknown.

    Attributes:
        deliveries: Held with their bytes.
        arrivals: How often these came.
        counted: How many more came that are only counted.
    """

    reason: str
    sender: str | None
    deliveries: int
    arrivals: int
    counted: int
    nodes: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery locked for a decision, as the broker had handed it over."""

    position: int
    reason: str
    delivery: Delivery
    carried_by: UUID | None
    whole: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one delivery that was verified again, or was discarded.

    Attributes:
        outcome: `kept_before`: the very envelope had come in another way meanwhile.
        reason: Why it is still not trusted.
        text: The same for a person.
    """

    position: int
    outcome: Literal["accepted", "kept_before", "refused", "discarded"]
    reason: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PastVerdict:
    """A decision of the past about a delivery that was `held_for` a reason."""

    position: int
    node: str
    held_for: str
    message_id: str | None
    kind: str | None
    sender: str | None
    held_at: datetime
    decided_at: datetime
    outcome: str
    reason: str | None
    operator: str
    explanation: str


async def held(
    tx: Transaction, wanted: QuarantineFilter, *, limit: int, ended_too: bool = False
) -> list[Quarantined]:
    """Return up to *limit* deliveries in quarantine, the latest first.

    With *ended_too*, those whose positions are named are returned when they are ended, too.
    """
    rows = await tx.fetch("quarantine/held", *astuple(wanted), ended_too, limit)
    return [Quarantined(**row) for row in rows]


async def causes(tx: Transaction, wanted: QuarantineFilter) -> list[QuarantineCause]:
    """Return what lies in quarantine by cause, the most frequent first."""
    return [QuarantineCause(**row) for row in await tx.fetch("quarantine/causes", *astuple(wanted))]


async def content(tx: Transaction, position: int) -> bytes:
    """Return the bytes that are held, at most 256 KiB of a larger delivery."""
    [row] = await tx.fetch("quarantine/bytes", position)
    return bytes(row["bytes"])


async def newest(tx: Transaction) -> int:
    """Return the position of the newest delivery: what is held later lies after it."""
    [row] = await tx.fetch("quarantine/newest")
    return int(row["position"])


async def take(tx: Transaction, wanted: QuarantineFilter, *, span: Span, limit: int) -> list[Taken]:
    """Lock up to *limit* open deliveries of *span* until the transaction ends, in their order."""
    rows = await tx.fetch("quarantine/take", *astuple(wanted), *span, limit)
    return [
        Taken(
            r["position"],
            r["reason"],
            Delivery(
                node=NodeCode(r["node"]),
                signed=r["bytes"],
                exchange=r["exchange"],
                routing_key=r["routing_key"],
                user_id=r["login"],
                message_id=r["message_id"],
                type=r["kind"],
                content_type=r["content_type"],
                received_at=r["held_at"],
            ),
            r["carried_by"],
            r["whole"],
        )
        for r in rows
    ]


async def decide(
    tx: Transaction, verdicts: Sequence[Verdict], *, operator: str, explanation: str
) -> None:
    """Write down what came of these, by whom and why; all but the refused ones are ended.

    Their rows must be locked by `take` in this transaction.
    """
    if not verdicts:
        return
    rows = [(v.position, v.outcome, v.reason) for v in verdicts]
    await tx.execute("quarantine/decide", *zip(*rows, strict=True), tx.at, operator, explanation)


async def history(
    tx: Transaction, wanted: QuarantineFilter, *, operator: str | None = None, limit: int
) -> list[PastVerdict]:
    """Return decisions of the past, the latest first."""
    rows = await tx.fetch("quarantine/history", *astuple(wanted), operator, limit)
    return [PastVerdict(**row) for row in rows]
