"""The identity information that a tier holds, with its whole history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Entry:
    """What one update says of one resident, at the node that records it.

    Attributes:
        identity: The identity set as JSON text.
        present: False after a deletion, and for a code that a correction has replaced.
    """

    resident_code: str
    node: NodeCode
    present: bool
    municipality: NodeCode
    event_class: str
    reason: str
    event_time: datetime
    message_id: UUID
    identity: str

    @property
    def order(self) -> tuple[datetime, UUID]:
        """Entries of a resident apply in this order, whatever the order of arrival."""
        return (self.event_time, self.message_id)


_HISTORY_COLUMNS: Final = (
    "resident_code", "node", "message_id", "municipality", "event_class", "reason", "event_time",
    "identity", "recorded_at",
)  # fmt: skip


async def record(tx: Transaction, entries: Sequence[Entry], *, ended: Sequence[Entry] = ()) -> None:
    """Add *entries* to the history; let the register hold the latest event of each resident.

    *ended* say of former codes that they are no longer in use: for the register alone.
    """
    await tx.copy(
        "register_history",
        _HISTORY_COLUMNS,
        [
            (e.resident_code, e.node, e.message_id, e.municipality, e.event_class, e.reason,
             e.event_time, e.identity, tx.at)
            for e in entries
        ],
    )  # fmt: skip
    await _hold(tx, [*entries, *ended])


async def _hold(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Let the register hold *entries*, where they are later than what it holds."""
    latest: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda e: e.order):
        latest[entry.resident_code, entry.node] = entry
    if not latest:
        return
    rows = [
        (e.resident_code, e.node, e.present, e.municipality, e.event_class, e.reason, e.event_time,
         e.message_id, e.identity)
        for e in latest.values()
    ]  # fmt: skip
    await tx.execute("register/upsert", *zip(*rows, strict=True), tx.at)
