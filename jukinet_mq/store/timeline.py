"""How far a business event or an envelope has come, as one tier's database knows it. Read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jukinet_mq.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Said:
    """An envelope's header, as a sender's outbox or a keeper's inbox holds it."""

    message_id: UUID
    event_id: UUID
    sender: str
    recipient: str
    plane: str
    kind: str
    version: int
    sequence: int
    event_time: datetime


@dataclass(frozen=True, slots=True)
class Published:
    """An envelope in its sender's outbox; `relayed_at` is None while it waits there."""

    said: Said
    published_at: datetime
    relayed_at: datetime | None
    relays: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """An envelope in a keeper's inbox, its state as migration 0001 names them."""

    said: Said
    node: str
    carried_by: UUID | None
    kept_at: datetime
    state: str
    attempts: int
    due_at: datetime | None
    reason: str | None
    handled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A receipt as its addressee has it."""

    message_id: UUID
    node: str
    keeper: str
    level: str
    reason: str | None
    kept_at: datetime | None
    processed_at: datetime | None
    received_at: datetime
    matches: bool


@dataclass(frozen=True, slots=True)
class Forwarded:
    """That a prefecture passed an original on; `relayed_at` is None while it waits there."""

    message_id: UUID
    node: str
    published_at: datetime
    relayed_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A delivery under this id that lies in quarantine."""

    position: int
    node: str
    held_at: datetime
    reason: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Filed:
    """An event at its counter; `state` is that of a card-based move-in, None of others."""

    event_id: UUID
    node: str
    kind: str
    filed_at: datetime
    former: str | None
    state: str | None
    reason: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that one database knows of an id."""

    filed: Sequence[Filed]
    published: Sequence[Published]
    arrived: Sequence[Arrived]
    answered: Sequence[Answered]
    forwarded: Sequence[Forwarded]
    held: Sequence[HeldBack]


async def look_up(tx: Transaction, wanted: UUID) -> Known:
    """Return what this database knows of an event or an envelope with this id."""
    published = [_published(row) for row in await tx.fetch("timeline/published", wanted)]
    arrived = [_arrived(row) for row in await tx.fetch("timeline/arrived", wanted)]
    ids = list({p.said.message_id for p in published} | {a.said.message_id for a in arrived})
    names = [str(one) for one in {wanted, *ids}]
    return Known(
        filed=[Filed(**row) for row in await tx.fetch("timeline/filed", wanted)],
        published=published,
        arrived=arrived,
        answered=[Answered(**row) for row in await tx.fetch("timeline/answered", ids)],
        forwarded=[Forwarded(**row) for row in await tx.fetch("timeline/forwarded", ids)],
        held=[HeldBack(**row) for row in await tx.fetch("timeline/held", names)],
    )


def _said(row: Any, sender: str) -> Said:  # noqa: ANN401  # asyncpg.Record
    return Said(
        message_id=row["message_id"],
        event_id=row["event_id"],
        sender=sender,
        recipient=row["recipient"],
        plane=row["plane"],
        kind=row["kind"],
        version=row["version"],
        sequence=row["sequence"],
        event_time=row["event_time"],
    )


def _published(row: Any) -> Published:  # noqa: ANN401  # asyncpg.Record
    return Published(
        said=_said(row, row["node"]),
        published_at=row["published_at"],
        relayed_at=row["relayed_at"],
        relays=row["relays"],
    )


def _arrived(row: Any) -> Arrived:  # noqa: ANN401  # asyncpg.Record
    return Arrived(
        said=_said(row, row["sender"]),
        node=row["node"],
        carried_by=row["carried_by"],
        kept_at=row["kept_at"],
        state=row["state"],
        attempts=row["attempts"],
        due_at=row["due_at"],
        reason=row["reason"],
        handled_at=row["handled_at"],
    )
