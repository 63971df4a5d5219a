"""What a sender does with receipts: hold them against what it published, and keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from jukinet_mq import telemetry
from jukinet_mq.consumers.results import Done, Result, Workplace
from jukinet_mq.messages import Receipt, ReceiptNotice
from jukinet_mq.store import outbox, receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.receipts import ReceivedReceipt


async def receive_receipts(
    tx: Transaction,
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,  # noqa: ARG001
) -> Sequence[Result]:
    """Write down what keepers have answered.

    A receipt that speaks of other bytes than were published is kept too, marked, and said
    aloud: something has changed the envelope on its way.
    """
    notices = [(a, cast("ReceiptNotice", a.envelope.body)) for a in arrivals]
    published = await outbox.digests(
        tx, [r.message_id for _, notice in notices for r in notice.receipts]
    )
    received = [
        _received(arrival, receipt, published.get((receipt.message_id, arrival.node)))
        for arrival, notice in notices
        for receipt in notice.receipts
    ]
    await receipts.receive(tx, received)
    for one in received:
        if not one.matches:
            telemetry.emit(
                telemetry.RECEIPT_MISMATCHED,
                node=one.node,
                message_id=str(one.message_id),
                keeper=one.keeper,
                reason=one.reason,
            )
    return [Done()] * len(arrivals)


def _received(arrival: Arrival, receipt: Receipt, published: bytes | None) -> ReceivedReceipt:
    return ReceivedReceipt(
        message_id=receipt.message_id,
        node=arrival.node,
        keeper=arrival.envelope.header.sender,
        level=receipt.level.value,
        reason=receipt.reason,
        kept_at=receipt.kept_at,
        processed_at=receipt.processed_at,
        matches=published is not None and published.hex() == receipt.digest,
        carried_by=arrival.envelope.header.id,
    )
