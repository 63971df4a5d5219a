"""What J-LIS does: record the originals that prefectures forward (Act 30-7(3))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from jukinet_mq.consumers.handlers.holdings import tell_holdings
from jukinet_mq.consumers.handlers.registers import record_updates
from jukinet_mq.consumers.handlers.resends import resend
from jukinet_mq.consumers.results import Done, Handlers, Result, Workplace
from jukinet_mq.messages import HoldingsRequest, IdentityForward, IdentityUpdate, ResendRequest
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival


async def record_originals(
    tx: Transaction,
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,  # noqa: ARG001
) -> Sequence[Result]:
    """Record the updates, each proved by its municipality's own signature."""
    await record_updates(tx, arrivals)
    return [Done()] * len(arrivals)


async def close_forwards(
    tx: Transaction,  # noqa: ARG001
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,  # noqa: ARG001
) -> Sequence[Result]:
    """Answer a forward: its originals have arrived by themselves, in the same transaction."""
    return [Done()] * len(arrivals)


HANDLERS: Final[Handlers] = {
    IdentityForward.kind: close_forwards,
    IdentityUpdate.kind: record_originals,
    ResendRequest.kind: resend,
    HoldingsRequest.kind: tell_holdings,
}
