"""Carries due receipts to their senders, many in one signed envelope when many are due."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, NamedTuple

from jukinet_mq import telemetry
from jukinet_mq.messages import RECEIPTS_MAX, Receipt, ReceiptLevel, ReceiptNotice
from jukinet_mq.nodes import NodeCode
from jukinet_mq.producers.publisher import Draft, Publisher
from jukinet_mq.store import receipts
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.patience import Patience
from jukinet_mq.store.receipts import GivenReceipt

DUE_MAX: Final = 20_000
"""Receipts that one transaction carries."""
LINGER_PER_ENVELOPE: Final = timedelta(milliseconds=30)
LINGER_MAX: Final = timedelta(seconds=20)
"""An envelope costs all tiers about a millisecond of processor time, however many receipts are in
it. When a round takes hundreds, for as many senders, waiting longer makes the next ones fewer;
when it takes one, nobody waits."""
QUIET_AFTER: Final = timedelta(seconds=1)
"""When nothing was kept for so long, no more will come soon, and there is time."""
LOOK_EVERY: Final = timedelta(seconds=1)
"""For receipts that others have made due, an operator or another worker."""


class Issued(NamedTuple):
    """What a round has put into the outbox."""

    envelopes: int
    receipts: int


async def issue(
    database: Database, publisher: Publisher, nodes: Sequence[NodeCode] | None = None
) -> Issued:
    """Put the due receipts of *nodes* (all: None) into the outbox.

    Returns how many, and in how many envelopes. Envelope and note share a transaction: a receipt
    is carried once, and if that envelope is asked for again, it is the same bytes.

    Raises:
        NodeKeyError: One node cannot sign now; nothing was issued.
    """
    async with database.transaction() as tx:
        due = await receipts.due(tx, limit=DUE_MAX, nodes=nodes)
        if not due:
            return Issued(0, 0)
        pairs: defaultdict[tuple[NodeCode, NodeCode], list[GivenReceipt]] = defaultdict(list)
        for receipt in due:
            pairs[receipt.key.node, receipt.key.sender].append(receipt)
        carried: list[tuple[Draft, Sequence[GivenReceipt]]] = [
            (_draft(tx, keeper, sender, part), part)
            for (keeper, sender), group in pairs.items()
            for part in _parts(group)
        ]
        await publisher.publish(tx, [draft for draft, _ in carried])
        await receipts.carry(tx, [(r, draft.id) for draft, part in carried for r in part])
    telemetry.emit(telemetry.RECEIPTS_ISSUED, envelopes=len(carried), receipts=len(due))
    return Issued(len(carried), len(due))


async def run_issuer(
    issue_due: Callable[[], Awaitable[Issued]],
    *,
    patiently: Patience,
    kept: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Call *issue_due* again and again until *stop* is set.

    *kept* is set whenever something was kept that is owed a receipt, and together with *stop*.

    Raises:
        DatabaseUnavailableError: PostgreSQL is still away after *stop* was set.
    """
    while not stop.is_set():
        issued = await patiently(issue_due, name="issue")
        if issued.receipts == 0:
            await _heard(kept, within=LOOK_EVERY)
        elif issued.receipts < DUE_MAX:
            await wait_for_more(kept, within=linger(issued.envelopes), stop=stop)


async def wait_for_more(kept: asyncio.Event, *, within: timedelta, stop: asyncio.Event) -> None:
    """Return after *within*, or as soon as nothing is kept any more."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within.total_seconds()
    while not stop.is_set() and (left := timedelta(seconds=end - loop.time())) > timedelta(0):
        if not await _heard(kept, within=min(left, QUIET_AFTER)):
            return


async def _heard(event: asyncio.Event, *, within: timedelta) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(within.total_seconds()):
            await event.wait()
        event.clear()
        return True
    return False


def linger(envelopes: int) -> timedelta:
    """Return the pause after a round that took *envelopes*, so that the next one needs fewer."""
    return min(LINGER_MAX, LINGER_PER_ENVELOPE * envelopes)


def _parts(group: Sequence[GivenReceipt]) -> list[Sequence[GivenReceipt]]:
    return [group[i : i + RECEIPTS_MAX] for i in range(0, len(group), RECEIPTS_MAX)]


def _draft(
    tx: Transaction, keeper: NodeCode, sender: NodeCode, part: Sequence[GivenReceipt]
) -> Draft:
    body = ReceiptNotice(receipts=[_receipt(r) for r in part])
    return Draft(sender=keeper, recipient=sender, body=body, time=tx.at)


def _receipt(given: GivenReceipt) -> Receipt:
    rejected = given.level == ReceiptLevel.REJECTED
    return Receipt(
        message_id=given.key.message_id,
        digest=given.digest.hex(),
        level=ReceiptLevel(given.level),
        reason=given.reason,
        kept_at=None if rejected else given.kept_at,
        processed_at=given.processed_at,
    )
