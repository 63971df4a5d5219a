"""Step 6: how handling ended is written down, and every sender is owed its receipt."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from jukinet_mq.consumers.admission import Admitted
from jukinet_mq.consumers.handling import Outcome
from jukinet_mq.consumers.judging import answerable
from jukinet_mq.consumers.results import Done, Park, Retry
from jukinet_mq.errors import RejectedError
from jukinet_mq.messages import ReceiptLevel, ReceiptNotice, find_kind, may_travel
from jukinet_mq.nodes import directory
from jukinet_mq.routing import Plane
from jukinet_mq.store import inbox, outbox, receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival, Ending, Key
from jukinet_mq.store.quarantine_intake import Held
from jukinet_mq.store.receipts import GivenReceipt


async def answer(tx: Transaction, admitted: Admitted, outcomes: Sequence[Outcome]) -> None:
    """Write endings and receipts of a batch; a duplicate is answered as it was the first time."""
    endings = [ending(tx, outcome, attempts=1) for outcome in outcomes]
    await inbox.settle(tx, [e for e in endings if e.state != "done"])
    given = [r for o in outcomes if (r := receipt(tx, o, kept_at=tx.at)) is not None]
    # What is only counted is not refused for good: unanswered, its sender resends it, and once
    # the cause has passed it is kept. Only what no repetition can make acceptable is answered.
    refused = [h for h in admitted.counted if isinstance(h.error, RejectedError)]
    given += [r for h in (*admitted.held, *refused) if (r := _rejection(tx, h)) is not None]
    await receipts.give(tx, given)
    await _answer_again(tx, admitted.duplicates)


async def _answer_again(tx: Transaction, duplicates: Sequence[Arrival]) -> None:
    """Relay the very envelopes again that carried the receipts of these duplicates."""
    carriers = await receipts.carriers(
        tx, [a.key for a in duplicates if a.envelope.plane is not Plane.RECEIPT]
    )
    if carriers:
        await outbox.relay_again(tx, carriers)


def ending(tx: Transaction, outcome: Outcome, *, attempts: int) -> Ending:
    """Say what the inbox must hold after the try number *attempts*."""
    key, header = outcome.arrival.key, outcome.arrival.envelope.header
    match outcome.result:
        case None | Done():
            return Ending(key, "done", attempts)
        case Park(reason=reason):
            return Ending(key, "parked", attempts, reason=reason)
        case Retry(reason=reason):
            kind = find_kind(header.kind, header.version)
            if kind is None:
                return Ending(key, "parked", attempts, reason="kind_unknown")
            delay = kind.retry.delay(attempts, jitter=random.random())  # noqa: S311  # spreads
            if delay is None:
                return Ending(key, "parked", attempts, reason=reason)
            return Ending(key, "pending", attempts, due_at=tx.at + delay, reason=reason)
        case _:
            assert_never(outcome.result)


def receipt(tx: Transaction, outcome: Outcome, *, kept_at: datetime) -> GivenReceipt | None:
    """Say what the sender is owed: `processed`, or `kept` as long as handling has not ended.

    Nothing on the receipt plane is answered.
    """
    envelope = outcome.arrival.envelope
    if envelope.plane is Plane.RECEIPT:
        return None
    done = isinstance(outcome.result, Done)
    return GivenReceipt(
        outcome.arrival.key,
        level=(ReceiptLevel.PROCESSED if done else ReceiptLevel.KEPT).value,
        reason=None,
        digest=envelope.digest,
        kept_at=kept_at,
        processed_at=tx.at if done else None,
    )


def _rejection(tx: Transaction, held: Held) -> GivenReceipt | None:
    known = answerable(held)
    if known is None or not _may_answer(known[0]):
        return None
    key, digest = known
    return GivenReceipt(
        key,
        level=ReceiptLevel.REJECTED.value,
        reason=held.error.reason,
        digest=digest,
        kept_at=tx.at,
        processed_at=None,
    )


def _may_answer(key: Key) -> bool:
    """Tell whether a receipt may go that way: not to a node that may say nothing to this one."""
    nodes = directory()
    receipt_kind = find_kind(ReceiptNotice.kind, ReceiptNotice.version)
    keeper, sender = nodes.find(key.node), nodes.find(key.sender)
    if receipt_kind is None or keeper is None or sender is None:
        return False
    return may_travel(receipt_kind, keeper, sender, nodes)
