"""Which receipts an envelope is owed, which of them have not come, and when patience ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple

from jukinet_mq.messages import CATALOGUE, Keeper, Owed, ReceiptLevel, find_kind, owed_by
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.retry import Patience
from jukinet_mq.store import overdue
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.overdue import Awaited, Listed, OwedCount

PAIRS_MAX: Final = 50_000
"""Pairs of nodes whose keepers are remembered."""


async def outstanding(
    tx: Transaction, node: str | None, *, limit: int
) -> list[tuple[Listed, list[NodeCode]]]:
    """Return the envelopes of *node* (all: None) that lack receipts, and whose they lack."""
    found = [
        (one, [lack.keeper for lack in lacking(one.awaited)])
        for one in await overdue.listed(tx, node, limit=limit)
    ]
    return [(one, keepers) for one, keepers in found if keepers]


@cache
def owed_counts() -> tuple[OwedCount, ...]:
    """Return how many receipts each kind owes, within one prefecture and between two."""
    return tuple(
        OwedCount(
            kind.name,
            kind.version,
            home,
            keepers=_count(kind.keepers, home=home),
            actors=_count(kind.actors, home=home),
        )
        for kind in CATALOGUE
        if kind.answered
        for home in (True, False)
    )


def _count(keepers: Sequence[Keeper], *, home: bool) -> int:
    once = {Keeper.RECIPIENT_PREFECTURE: Keeper.SENDER_PREFECTURE} if home else {}
    return len({once.get(keeper, keeper) for keeper in keepers})


class Lacking(NamedTuple):
    """A receipt that has not come.

    Attributes:
        begun_at: When the envelope, or the forward of it, was on its way to the keeper at the
            latest; None while it is another keeper's turn.
        patience: How long from then until something is done about it.
        spoken: Whether the keeper has said `kept`.
    """

    keeper: NodeCode
    begun_at: datetime | None
    patience: timedelta
    spoken: bool

    @property
    def due_at(self) -> datetime | None:
        """When to do something about it."""
        return None if self.begun_at is None else self.begun_at + self.patience


@lru_cache(maxsize=PAIRS_MAX)
def owed(kind: str, version: int, node: NodeCode, recipient: NodeCode) -> tuple[Owed, ...]:
    """Return whose receipts an envelope of *node* to *recipient* is owed.

    None for a kind that this program does not know.
    """
    known = find_kind(kind, version)
    if known is None:
        return ()
    nodes = directory()
    return owed_by(known, nodes.node(node), nodes.node(recipient), nodes)


Said = Mapping[str, datetime]
"""What one keeper has answered: when each level came."""


def lacking(row: Awaited) -> list[Lacking]:
    """Say whose receipts have not come yet."""
    keepers = owed(row.kind, row.version, row.node, row.recipient)
    said: dict[str, dict[str, datetime]] = {one.keeper: {} for one in keepers}
    for answer in row.answers:
        said.setdefault(answer.keeper, {})[answer.level] = answer.received_at
    direct = [said[one.keeper] for one in keepers if not one.by_forward]
    refused = any(ReceiptLevel.REJECTED in each for each in direct)
    return [
        Lacking(
            one.keeper,
            _begun_at(row, one, direct),
            _patience(row, said[one.keeper]),
            spoken=ReceiptLevel.KEPT in said[one.keeper],
        )
        for one in keepers
        # What its direct keeper has refused is never forwarded.
        if not (_is_settled(one, said[one.keeper]) or (one.by_forward and refused))
    ]


def _is_settled(one: Owed, said: Said) -> bool:
    if ReceiptLevel.REJECTED in said or ReceiptLevel.PROCESSED in said:
        return True
    return one.level is ReceiptLevel.KEPT and ReceiptLevel.KEPT in said


def _begun_at(row: Awaited, one: Owed, direct: Sequence[Said]) -> datetime | None:
    begun = [row.relayed_at]
    if one.by_forward:
        begun += [each.get(ReceiptLevel.PROCESSED) for each in direct]
    known = [at for at in begun if at is not None]
    return max(known) if len(known) == len(begun) else None


def _patience(row: Awaited, said: Said) -> timedelta:
    patience = patience_of(row)
    return patience.processed if ReceiptLevel.KEPT in said else patience.kept


def patience_of(row: Awaited) -> Patience:
    """Return its kind's patience; the usual one for a kind that this program does not know."""
    kind = find_kind(row.kind, row.version)
    return Patience() if kind is None else kind.patience
