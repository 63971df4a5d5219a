"""What has arrived: news or repetition, archived, and how its handling ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from jukinet_mq.envelope import Delivery, VerifiedEnvelope
from jukinet_mq.nodes import NodeCode
from jukinet_mq.store import archive as store_archive
from jukinet_mq.store.archive import Copy
from jukinet_mq.store.database import Transaction


class Key(NamedTuple):
    """What makes an arrival unique."""

    message_id: UUID
    node: NodeCode
    sender: NodeCode


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified envelope at the node that keeps it.

    Attributes:
        carried_by: The `identity-forward` that brought it, or None if it came by itself.
        brought_by: The delivery that brought it, or the forward; None where it is read from the
            archive again.
    """

    node: NodeCode
    envelope: VerifiedEnvelope
    carried_by: UUID | None = None
    brought_by: Delivery | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> Key:
        """The inbox key."""
        return Key(self.envelope.header.id, self.node, self.envelope.header.sender)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a try at handling ended, where it is not simply done."""

    key: Key
    state: Literal["done", "pending", "parked"]
    attempts: int
    due_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """An archived envelope whose next try has come; held until the transaction ends."""

    key: Key
    attempts: int
    kept_at: datetime
    signed: bytes
    carried_by: UUID | None


async def admit(tx: Transaction, arrivals: Sequence[Arrival]) -> set[Key]:
    """Note that these nodes have seen these envelopes, and say which are news.

    Must share the handler's transaction. If the note could survive without the handler's
    writes, a redelivery would look like a duplicate of work that never happened. Each key may
    stand in *arrivals* once.
    """
    if not arrivals:
        return set()
    rows = await tx.fetch("inbox/admit", *zip(*map(_row, arrivals), strict=True), tx.at)
    return {Key(*row) for row in rows}


def _row(arrival: Arrival) -> tuple[object, ...]:
    envelope, header = arrival.envelope, arrival.envelope.header
    return (
        header.id, arrival.node, header.sender, header.recipient, envelope.plane.value,
        header.kind, header.version, header.sequence, header.event_id, header.time,
        envelope.digest, envelope.key_id, arrival.carried_by,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What the inbox holds of a key that came before: its digest, and how far it is."""

    digest: bytes
    state: str


async def known(tx: Transaction, keys: Sequence[Key]) -> dict[Key, Known]:
    """Return what is known of these keys."""
    if not keys:
        return {}
    rows = await tx.fetch("inbox/known", *zip(*keys, strict=True))
    return {
        Key(r["message_id"], r["node"], r["sender"]): Known(r["digest"], r["state"]) for r in rows
    }


async def archive(tx: Transaction, arrivals: Sequence[Arrival]) -> None:
    """Keep the signed bytes of news, unchanged."""
    await store_archive.add(
        tx,
        [
            Copy(e.header.id, a.node, e.header.sender, e.digest, e.signed)
            for a in arrivals
            for e in (a.envelope,)
        ],
    )


async def settle(tx: Transaction, endings: Sequence[Ending]) -> None:
    """Write down how handling ended."""
    if not endings:
        return
    rows = [(*e.key, e.state, e.attempts, e.due_at, e.reason) for e in endings]
    await tx.execute("inbox/settle", *zip(*rows, strict=True), tx.at)
    parked = [(*e.key, e.reason, e.attempts) for e in endings if e.state == "parked"]
    if parked:
        await tx.execute("parked/add", *zip(*parked, strict=True), tx.at)


async def due(tx: Transaction, *, limit: int, nodes: Sequence[NodeCode] | None = None) -> list[Due]:
    """Take up to *limit* envelopes of *nodes* (all: None) to be tried now, longest due first."""
    rows = await tx.fetch("inbox/due", tx.at, limit, nodes)
    return [
        Due(
            Key(r["message_id"], r["node"], r["sender"]),
            r["attempts"],
            r["kept_at"],
            r["signed"],
            r["carried_by"],
        )
        for r in rows
    ]
