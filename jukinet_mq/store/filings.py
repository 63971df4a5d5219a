"""Card-based move-ins filed at a destination, and the ones that wait for their certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.certificates import Claim
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.relocation import EventKey


class FilingState(StrEnum):
    """How far a filing has come; see migration 0003."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing as it is written down.

    Attributes:
        content: The event as JSON text and whom it names; None once it is done.
        certificate_id: The envelope that it used.
    """

    key: EventKey
    former: NodeCode
    state: FilingState
    resident_codes: Sequence[str] | None = None
    content: str | None = None
    certificate_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class WaitingFiling:
    """A filing that a certificate can complete."""

    key: EventKey
    content: str
    filed_at: datetime


@dataclass(frozen=True, slots=True)
class FilingEnd:
    """How a waiting filing ends; `reason` says why it is refused."""

    key: EventKey
    state: FilingState
    certificate_id: UUID
    reason: str | None = None


_COLUMNS: Final = (
    "event_id", "node", "former", "state", "resident_codes", "content", "certificate_id",
    "filed_at", "ended_at",
)  # fmt: skip


async def record(tx: Transaction, filings: Sequence[Filing]) -> None:
    """Write down filings, done or waiting."""
    await tx.copy(
        "filing",
        _COLUMNS,
        [
            (*f.key, f.former, f.state.value, f.resident_codes and list(f.resident_codes),
             f.content, f.certificate_id, tx.at,
             None if f.state is FilingState.WAITING else tx.at)
            for f in filings
        ],
    )  # fmt: skip


async def waiting(tx: Transaction, certificates: Sequence[Claim]) -> list[list[WaitingFiling]]:
    """Return per certificate the filings that it would complete, oldest first."""
    found: list[list[WaitingFiling]] = [[] for _ in certificates]
    if not certificates:
        return found
    rows = [(n, c.node, c.sender, ",".join(c.codes)) for n, c in enumerate(certificates)]
    for r in await tx.fetch("relocation/waiting_filings", *zip(*rows, strict=True)):
        key = EventKey(r["event_id"], r["node"])
        found[r["n"]].append(WaitingFiling(key, r["content"], r["filed_at"]))
    return found


async def end(tx: Transaction, ends: Sequence[FilingEnd]) -> None:
    """End filings that were waiting."""
    if ends:
        rows = [(*e.key, e.state.value, e.certificate_id, e.reason) for e in ends]
        await tx.execute("relocation/end_filings", *zip(*rows, strict=True), tx.at)
