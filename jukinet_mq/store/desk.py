"""How much waits at a node and in a database, for whoever looks after it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jukinet_mq.store.database import Transaction


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How much waits at a node."""

    outbox_waiting: int
    outbox_oldest: datetime | None
    inbox_pending: int
    inbox_next_due: datetime | None
    parked: int
    quarantined: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Health:
    """One database's state.

    Attributes:
        clock: What its server says.
        quarantined: Deliveries that are held.
        counted: Deliveries of the same causes that are only counted.
    """

    clock: datetime
    outbox_waiting: int
    outbox_oldest: datetime | None
    inbox_pending: int
    parked: int
    quarantined: int
    counted: int
    read_only: bool


async def counts(tx: Transaction, node: str) -> NodeCounts:
    """Return how much waits at *node*."""
    [row] = await tx.fetch("desk/counts", node)
    return NodeCounts(**row)


async def health(tx: Transaction) -> Health:
    """Return the database's state."""
    [row] = await tx.fetch("desk/health")
    return Health(**row)
