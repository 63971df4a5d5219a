"""What a prefecture does: record identity updates and forward them to J-LIS (Act 30-6, 30-7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from jukinet_mq.consumers.handlers.holdings import tell_holdings
from jukinet_mq.consumers.handlers.receipts import receive_receipts
from jukinet_mq.consumers.handlers.registers import record_updates
from jukinet_mq.consumers.handlers.resends import resend
from jukinet_mq.consumers.results import Done, Handlers, Result, Workplace
from jukinet_mq.messages import (
    ORIGINALS_MAX,
    HoldingsRequest,
    IdentityForward,
    IdentityUpdate,
    ReceiptNotice,
    ResendRequest,
)
from jukinet_mq.nodes import NATIONAL_NODE, NodeCode
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import outbox
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival

FORWARD_BYTES_MAX: Final = 180 * 1024
"""Originals in one forward; base64 makes it a third more, and 256 KiB is the limit."""


async def forward_updates(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Record the updates and pass the very envelopes on to J-LIS, many in one forward."""
    await record_updates(tx, arrivals)
    by_prefecture: defaultdict[NodeCode, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_prefecture[arrival.node].append(arrival)
    drafts = [
        Draft(
            sender=prefecture,
            recipient=NATIONAL_NODE,
            body=IdentityForward(originals=originals, forwarded_at=tx.at),
            time=tx.at,
        )
        for prefecture, group in by_prefecture.items()
        for originals in bundles(a.envelope.signed for a in group)
    ]
    await work.outgoing.publish(tx, drafts)
    return [Done()] * len(arrivals)


async def forward_again(
    tx: Transaction,
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,  # noqa: ARG001
) -> Sequence[Result]:
    """Relay again the very forwards that carried these updates.

    A municipality that resends an update may lack the answer of J-LIS only, and J-LIS answers
    what it has got before as it did then.
    """
    forwards = await outbox.forwards_of(tx, [arrival.key for arrival in arrivals])
    await outbox.relay_again(tx, forwards)
    return [Done()] * len(arrivals)


def bundles(envelopes: Iterator[bytes]) -> Iterator[list[str]]:
    """Split *envelopes*, in order, into lists that one forward can carry."""
    bundle: list[str] = []
    size = 0
    for signed in envelopes:
        if bundle and (size + len(signed) > FORWARD_BYTES_MAX or len(bundle) == ORIGINALS_MAX):
            yield bundle
            bundle, size = [], 0
        bundle.append(signed.decode("ascii"))
        size += len(signed)
    if bundle:
        yield bundle


HANDLERS: Final[Handlers] = {
    IdentityUpdate.kind: forward_updates,
    ReceiptNotice.kind: receive_receipts,
    ResendRequest.kind: resend,
    HoldingsRequest.kind: tell_holdings,
}
REPEATS: Final[Handlers] = {IdentityUpdate.kind: forward_again}
