"""The signed envelopes that a node published or keeps; nothing here is ever changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from jukinet_mq.store.database import Transaction

_COLUMNS: Final = ("message_id", "node", "sender", "kept_at", "digest", "signed")


class Copy(NamedTuple):
    """One envelope's bytes at one node."""

    message_id: UUID
    node: str
    sender: str
    digest: bytes
    signed: bytes


async def add(tx: Transaction, copies: Iterable[Copy]) -> None:
    """Archive *copies* as of the transaction's instant."""
    rows = [(c.message_id, c.node, c.sender, tx.at, c.digest, c.signed) for c in copies]
    await tx.copy("archive", _COLUMNS, rows)
