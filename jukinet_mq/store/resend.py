"""What was relayed and an operator wants relayed again."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from jukinet_mq.store.database import Transaction
from jukinet_mq.store.parked import Span


@dataclass(frozen=True, slots=True)
class RelayedFilter:
    """Which published envelopes; what is None lets everything through.

    Attributes:
        ids: Of envelopes, or of the business events that they belong to.
        after: Relayed at this instant or later.
    """

    ids: list[UUID] | None = None
    node: str | None = None
    recipient: str | None = None
    kind: str | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Relayed:
    """A published envelope that the broker has confirmed, and how often."""

    position: int
    message_id: UUID
    event_id: UUID
    node: str
    recipient: str
    kind: str
    sequence: int
    relayed_at: datetime
    relays: int


async def last(tx: Transaction) -> int:
    """Return the position of the newest outbox row."""
    [row] = await tx.fetch("resend/last")
    return int(row["position"])


async def relayed(
    tx: Transaction, wanted: RelayedFilter, *, span: Span, limit: int
) -> list[Relayed]:
    """Return up to *limit* relayed envelopes of *span*, in the order of their publishing."""
    rows = await tx.fetch("resend/relayed", *astuple(wanted), *span, limit)
    return [Relayed(**row) for row in rows]
