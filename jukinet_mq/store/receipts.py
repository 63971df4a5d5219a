"""Receipts given to senders, and receipts that senders have got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Key


@dataclass(frozen=True, slots=True)
class GivenReceipt:
    """What *key.node* answers to *key.sender* about one envelope."""

    key: Key
    level: str
    reason: str | None
    digest: bytes
    kept_at: datetime
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceivedReceipt:
    """What *keeper* has answered to *node* about one of its envelopes.

    Attributes:
        matches: Whether the receipt speaks of the very bytes that were published.
    """

    message_id: UUID
    node: NodeCode
    keeper: NodeCode
    level: str
    reason: str | None
    kept_at: datetime | None
    processed_at: datetime | None
    matches: bool
    carried_by: UUID


async def give(tx: Transaction, receipts: Sequence[GivenReceipt]) -> None:
    """Write receipts that the issuer will carry to their senders; the first one given stands."""
    if not receipts:
        return
    rows = [(*r.key, r.level, r.reason, r.digest, r.kept_at, r.processed_at) for r in receipts]
    await tx.execute("receipts/give", *zip(*rows, strict=True))


async def due(
    tx: Transaction, *, limit: int, nodes: Sequence[NodeCode] | None = None
) -> list[GivenReceipt]:
    """Take receipts of *nodes* (all: None) that no envelope carries yet, oldest first.

    Other issuers skip them.
    """
    rows = await tx.fetch("receipts/due", limit, nodes)
    return [
        GivenReceipt(
            Key(r["message_id"], r["node"], r["sender"]),
            r["level"],
            r["reason"],
            r["digest"],
            r["kept_at"],
            r["processed_at"],
        )
        for r in rows
    ]


async def carry(tx: Transaction, carriers: Sequence[tuple[GivenReceipt, UUID]]) -> None:
    """Write down which envelope carries which receipt."""
    rows = [(*receipt.key, receipt.level, carrier) for receipt, carrier in carriers]
    await tx.execute("receipts/carry", *zip(*rows, strict=True))


async def carriers(tx: Transaction, keys: Sequence[Key]) -> list[UUID]:
    """Return the receipt envelopes that have answered these arrivals already."""
    if not keys:
        return []
    rows = await tx.fetch("receipts/carriers", *zip(*keys, strict=True))
    return [row["carried_by"] for row in rows]


async def receive(tx: Transaction, receipts: Sequence[ReceivedReceipt]) -> None:
    """Write down what keepers have answered.

    The first answer of a level stands, unless it spoke of other bytes than were published and
    a later one does not.
    """
    first: dict[tuple[UUID, str, str, str], ReceivedReceipt] = {}
    for r in receipts:
        key = (r.message_id, r.node, r.keeper, r.level)
        if key not in first or (r.matches and not first[key].matches):
            first[key] = r
    if not first:
        return
    rows = [
        (r.message_id, r.node, r.keeper, r.level, r.reason, r.kept_at, r.processed_at, r.matches,
         r.carried_by)
        for r in first.values()
    ]  # fmt: skip
    await tx.execute("receipts/receive", *zip(*rows, strict=True), tx.at)
