"""Handles again what the inbox holds as pending and due: retries, and what was replayed."""

from __future__ import annotations

from collections.abc import Sequence

from jukinet_mq import telemetry
from jukinet_mq.consumers.answering import ending, receipt
from jukinet_mq.consumers.handling import handle
from jukinet_mq.consumers.pipeline import Desk
from jukinet_mq.errors import JukinetError, NodeKeyError, summary
from jukinet_mq.nodes import NodeCode
from jukinet_mq.store import inbox, receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival, Due, Ending

DUE_MAX = 100
"""Envelopes that one round tries; their rows are locked meanwhile."""


async def retry_due(desk: Desk, nodes: Sequence[NodeCode] | None = None) -> int:
    """Try once more what is due at *nodes* (all: None); return how many were tried.

    The rows stay locked until the outcome is written, so two workers never try the same.

    Raises:
        NodeKeyError: The keys of one node cannot be used; nothing was tried.
    """
    async with desk.database.transaction() as tx:
        due = await inbox.due(tx, limit=DUE_MAX, nodes=nodes)
        if due:
            await _retry(tx, due, desk)
    return len(due)


async def _retry(tx: Transaction, due: list[Due], desk: Desk) -> None:
    held = {one.key: one for one in due}
    arrivals: list[Arrival] = []
    endings: list[Ending] = []
    for one in due:
        try:
            envelope = desk.verifier.reopen(one.signed, node=one.key.node)
        except NodeKeyError:
            raise  # Its node waits with all that it has.
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this envelope's alone
            # Kept when it could be opened, and now it cannot: a sealing key was lost, for example.
            reason = error.reason if isinstance(error, JukinetError) else "handler_failed"
            endings.append(Ending(one.key, "parked", one.attempts + 1, reason=reason))
            _tell_unopened(one, reason, error)
        else:
            arrivals.append(Arrival(one.key.node, envelope, carried_by=one.carried_by))
    outcomes = await handle(tx, arrivals, desk.handlers, desk.work)
    endings += [ending(tx, o, attempts=held[o.arrival.key].attempts + 1) for o in outcomes]
    await inbox.settle(tx, endings)
    given = [receipt(tx, o, kept_at=held[o.arrival.key].kept_at) for o in outcomes]
    await receipts.give(tx, [one for one in given if one is not None])
    for outcome in outcomes:
        outcome.tell()


def _tell_unopened(one: Due, reason: str, error: Exception) -> None:
    telemetry.emit(
        telemetry.ENVELOPE_PARKED,
        node=one.key.node,
        message_id=str(one.key.message_id),
        sender=one.key.sender,
        reason=reason,
        error=summary(error),
    )
