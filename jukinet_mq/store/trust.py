"""The trust store's table: enrolled public keys, and the ones revoked."""

from __future__ import annotations

from collections.abc import Iterable

from jukinet_mq.store.database import Transaction
from jukinet_mq.trust.keys import EnrolledKey, Use


async def load(tx: Transaction) -> list[EnrolledKey]:
    """Return every key ever enrolled here, the revoked ones too."""
    rows = await tx.fetch("trust/load")
    return [
        EnrolledKey(
            node=r["node"],
            use=Use(r["use"]),
            kid=r["key_id"],
            public=r["public"],
            valid_from=r["valid_from"],
            valid_until=r["valid_until"],
            revoked_at=r["revoked_at"],
        )
        for r in rows
    ]


async def enrol(tx: Transaction, keys: Iterable[EnrolledKey]) -> int:
    """Add *keys*, which the caller has checked; return how many are new."""
    rows = [(k.kid, k.node, k.use, k.public, k.valid_from, k.valid_until) for k in keys]
    if not rows:
        return 0
    return len(await tx.fetch("trust/enrol", *zip(*rows, strict=True), tx.at))


async def revoke(tx: Transaction, key_ids: Iterable[str]) -> list[str]:
    """Revoke keys from this instant on; return the ones that were not revoked before."""
    return [r["key_id"] for r in await tx.fetch("trust/revoke", list(key_ids), tx.at)]
