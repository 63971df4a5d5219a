"""What is kept and waits for its next try."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from jukinet_mq.store.database import Transaction
from jukinet_mq.store.parked import EnvelopeFilter


@dataclass(frozen=True, slots=True)
class Pending:
    """An envelope that waits for its next try; `reason` is None before the first one."""

    message_id: UUID
    node: str
    sender: str
    recipient: str
    kind: str
    version: int
    event_id: UUID
    event_time: datetime
    kept_at: datetime
    attempts: int
    due_at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class PendingCause:
    """What waits for one reason; `tries` is the most that one of them has had."""

    reason: str | None
    kind: str
    envelopes: int
    nodes: int
    tries: int
    next_due: datetime
    last_due: datetime


async def pending(tx: Transaction, wanted: EnvelopeFilter, *, limit: int) -> list[Pending]:
    """Return up to *limit* envelopes that wait for their next try, the next one first."""
    return [Pending(**r) for r in await tx.fetch("retries/pending", *astuple(wanted), limit)]


async def causes(tx: Transaction, wanted: EnvelopeFilter) -> list[PendingCause]:
    """Return what waits for its next try by cause, the most frequent first."""
    return [PendingCause(**row) for row in await tx.fetch("retries/causes", *astuple(wanted))]
