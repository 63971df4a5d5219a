"""Handles again what the inbox holds as pending and due: retries, and what was replayed."""

from __future__ import annotations

from jukinet_mq.consumers.answering import ending, receipt
from jukinet_mq.consumers.handling import handle
from jukinet_mq.consumers.pipeline import Desk
from jukinet_mq.store import inbox, receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival, Due

DUE_MAX = 100
"""Envelopes that one round tries; their rows are locked meanwhile."""


async def retry_due(desk: Desk) -> int:
    """Try what is due once more; return how many were tried.

    The rows stay locked until the outcome is written, so two workers never try the same.
    """
    async with desk.database.transaction() as tx:
        due = await inbox.due(tx, limit=DUE_MAX)
        if due:
            await _retry(tx, due, desk)
    return len(due)


async def _retry(tx: Transaction, due: list[Due], desk: Desk) -> None:
    tries = {
        one.key: (one, Arrival(one.key.node, desk.verifier.reopen(one.signed, node=one.key.node),
                               carried_by=one.carried_by))
        for one in due
    }  # fmt: skip
    outcomes = await handle(
        tx, [arrival for _, arrival in tries.values()], desk.handlers, desk.work
    )
    await inbox.settle(
        tx, [ending(tx, o, attempts=tries[o.arrival.key][0].attempts + 1) for o in outcomes]
    )
    given = [r for o in outcomes if (r := receipt(tx, o, kept_at=tries[o.arrival.key][0].kept_at))]
    await receipts.give(tx, given)
    for outcome in outcomes:
        outcome.tell()
