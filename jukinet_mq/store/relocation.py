"""What a former municipality knows of its move-outs, and which events were filed here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction


class EventKey(NamedTuple):
    """What makes a filed event unique: one event may be filed at two municipalities."""

    event_id: UUID
    node: NodeCode


@dataclass(frozen=True, slots=True)
class FiledEvent:
    """A business event as it was filed.

    Attributes:
        digest: SHA-256 over its content.
    """

    key: EventKey
    kind: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class PlannedMoveOut:
    """A filed move-out of one resident; the destination is unknown when only a date was said."""

    resident_code: str
    node: NodeCode
    event_id: UUID
    planned_on: date
    area: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class MoveOut:
    """One resident's row, as much of it as decides where a notice belongs."""

    resident_code: str
    node: NodeCode
    event_id: UUID
    planned_on: date | None
    notice_group: UUID | None = None
    notice_order: tuple[datetime, UUID] | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedMoveOut:
    """What a move-in notice says of one resident, and the row that it belongs to."""

    resident_code: str
    node: NodeCode
    event_id: UUID
    notice_group: UUID
    notice_id: UUID
    notice_time: datetime
    moved_out_on: date
    area: str
    address: str


async def admit_events(tx: Transaction, events: Sequence[FiledEvent]) -> set[EventKey]:
    """Note that these events are filed, and say which are news.

    Must share the transaction of what the events lead to, or an event could count as filed
    that never had an effect.
    """
    if not events:
        return set()
    rows = [(*e.key, e.kind, e.digest) for e in events]
    news = await tx.fetch("relocation/admit_events", *zip(*rows, strict=True), tx.at)
    return {EventKey(*row) for row in news}


async def filed_digests(tx: Transaction, keys: Iterable[EventKey]) -> dict[EventKey, bytes]:
    """Return the digests under which these events were filed."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await tx.fetch("relocation/filed_digests", *zip(*wanted, strict=True))
    return {EventKey(r["event_id"], r["node"]): r["digest"] for r in rows}


async def plan_move_outs(tx: Transaction, planned: Sequence[PlannedMoveOut]) -> None:
    """Write down filed move-outs."""
    if planned:
        rows = [
            (p.resident_code, p.node, p.event_id, p.planned_on, p.area, p.address) for p in planned
        ]
        await tx.execute("relocation/plan_move_outs", *zip(*rows, strict=True), tx.at)


async def move_outs(tx: Transaction, residents: Iterable[tuple[str, NodeCode]]) -> list[MoveOut]:
    """Return every move-out known of these (resident code, node)."""
    wanted = sorted(set(residents))
    if not wanted:
        return []
    rows = await tx.fetch("relocation/move_outs", *zip(*wanted, strict=True))
    return [
        MoveOut(
            resident_code=r["resident_code"],
            node=r["node"],
            event_id=r["event_id"],
            planned_on=r["planned_on"],
            notice_group=r["notice_group"],
            notice_order=(r["notice_time"], r["notice_id"]) if r["notice_id"] else None,
        )
        for r in rows
    ]


async def confirm_move_outs(tx: Transaction, confirmed: Iterable[ConfirmedMoveOut]) -> None:
    """Mark residents as really moved out; a row's later notice stands. Each row once."""
    rows = [
        (c.resident_code, c.node, c.event_id, c.notice_group, c.notice_id, c.notice_time,
         c.moved_out_on, c.area, c.address)
        for c in confirmed
    ]  # fmt: skip
    if rows:
        await tx.execute("relocation/confirm_move_outs", *zip(*rows, strict=True), tx.at)


@dataclass(frozen=True, slots=True)
class MissingNotice:
    """A filed move-out for which no move-in notice has come; one row per filing."""

    node: NodeCode
    event_id: UUID
    planned_on: date
    planned_area: str | None
    persons: int


async def missing_notices(
    tx: Transaction, node: str | None, *, planned_before: date, limit: int
) -> list[MissingNotice]:
    """Return planned move-outs of *node* (all: None) without a notice, longest waiting first."""
    rows = await tx.fetch("relocation/missing_notices", planned_before, node, limit)
    return [MissingNotice(**row) for row in rows]


async def count_missing_notices(
    tx: Transaction, *, planned_before: date
) -> list[tuple[NodeCode, int, date]]:
    """Return, per node, of how many persons no notice has come, and the oldest planned day."""
    rows = await tx.fetch("relocation/count_missing_notices", planned_before)
    return [(row["node"], row["persons"], row["oldest"]) for row in rows]
