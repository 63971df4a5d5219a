"""What a sender does with receipts: hold them against what it published, and keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from jukinet_mq import telemetry
from jukinet_mq.consumers.owing import owed
from jukinet_mq.consumers.results import Done, Result, Workplace
from jukinet_mq.errors import ClockSkewError
from jukinet_mq.messages import Receipt, ReceiptLevel, ReceiptNotice, find_kind
from jukinet_mq.store import outbox, overdue, receipts
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.outbox import Pair, Published
from jukinet_mq.store.receipts import ReceivedReceipt


async def receive_receipts(
    tx: Transaction,
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,
) -> Sequence[Result]:
    """Write down what keepers have answered.

    A receipt that speaks of other bytes than were published is kept too, marked, and said
    aloud: something has changed the envelope on its way, and it is resent in the next round.
    One that its giver does not owe is said aloud and not counted.
    """
    notices = [(a, cast("ReceiptNotice", a.envelope.body)) for a in arrivals]
    published = await outbox.published(
        tx, [r.message_id for _, notice in notices for r in notice.receipts]
    )
    received = [
        (_received(arrival, receipt, known), known)
        for arrival, notice in notices
        for receipt in notice.receipts
        for known in [published.get((receipt.message_id, arrival.node))]
    ]
    owed: list[tuple[ReceivedReceipt, Published | None]] = []
    for one, known in received:
        if known is None or _is_owed(one, known):
            owed.append((one, known))
        else:
            _tell(telemetry.RECEIPT_UNEXPECTED, one)
        if not one.matches:
            _tell(telemetry.RECEIPT_MISMATCHED, one)
    await receipts.receive(tx, [one for one, _ in owed])
    await overdue.hasten(
        tx, [one.message_id for one, known in owed if known is not None and not one.matches]
    )
    await overdue.hear(tx, _answered(owed))
    await work.outgoing.publish(tx, [], undated=_dated_ahead(owed))
    return [Done()] * len(arrivals)


def _answered(owed: Iterable[tuple[ReceivedReceipt, Published | None]]) -> dict[str, datetime]:
    """Say up to which instant of first relaying each keeper has answered.

    The answer to what was relayed again may be to the first copy, with all that was relayed in
    between still to come; so a later relay counts for nothing here.
    """
    latest: dict[str, datetime] = {}
    for one, known in owed:
        if known is not None and one.matches:
            latest[one.keeper] = max(latest.get(one.keeper, known.out_at), known.out_at)
    return latest


def _dated_ahead(owed: Iterable[tuple[ReceivedReceipt, Published | None]]) -> set[Pair]:
    """Return the pairs whose keeper refuses their instants: this clock was ahead.

    When it is set right, what is said next must not be dated after them.
    """
    return {
        Pair(known.node, known.recipient, kind.plane)
        for one, known in owed
        if known is not None and one.reason == ClockSkewError.reason
        for kind in [find_kind(known.kind, known.version)]
        if kind is not None
    }


def _is_owed(one: ReceivedReceipt, known: Published) -> bool:
    owing = owed(known.kind, known.version, known.node, known.recipient)
    level = next((due.level for due in owing if due.keeper == one.keeper), None)
    if level is ReceiptLevel.KEPT:
        return one.level != ReceiptLevel.PROCESSED
    return level is not None


def _tell(event: telemetry.Event, one: ReceivedReceipt) -> None:
    telemetry.emit(
        event,
        node=one.node,
        message_id=str(one.message_id),
        keeper=one.keeper,
        reason=one.reason,
    )


def _received(arrival: Arrival, receipt: Receipt, known: Published | None) -> ReceivedReceipt:
    return ReceivedReceipt(
        message_id=receipt.message_id,
        node=arrival.node,
        keeper=arrival.envelope.header.sender,
        level=receipt.level.value,
        reason=receipt.reason,
        kept_at=receipt.kept_at,
        processed_at=receipt.processed_at,
        matches=known is not None and known.digest.hex() == receipt.digest,
        carried_by=arrival.envelope.header.id,
    )
