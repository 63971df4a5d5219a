"""Outbox to broker: in order per pair, confirmed, and never given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

from jukinet_mq import telemetry
from jukinet_mq.envelope import SignedEnvelope
from jukinet_mq.errors import BrokerBlockedError, JukinetError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.pausing import is_worth_filling, pause
from jukinet_mq.producers.refusals import Refusals
from jukinet_mq.store import outbox
from jukinet_mq.store.database import Database
from jukinet_mq.store.patience import Patience

WINDOW: Final = 500
"""Publishes in flight. Quorum queues reach their top rate with 200 and more unconfirmed."""
LINGER: Final = timedelta(milliseconds=100)
"""How long a window under load waits to be fuller: claiming costs the same for one as for
hundreds."""


class ConfirmedPublisher(Protocol):
    """What the relay needs of the broker."""

    async def publish(self, envelopes: Sequence[SignedEnvelope]) -> Sequence[JukinetError | None]:
        """Publish a window; return None per confirmed envelope, else why it was refused.

        Raises:
            BrokerBlockedError: The broker has an alarm.
            BrokerUnavailableError: The connection is in doubt; any of them may be out.
        """

    async def until_unblocked(self) -> None:
        """Return when the alarm is over."""


async def relay_window(
    database: Database,
    publisher: ConfirmedPublisher,
    *,
    refusals: Refusals,
    nodes: Sequence[NodeCode] | None = None,
) -> tuple[int, int]:
    """Relay up to one window of *nodes* (all: None); return how many were confirmed and refused.

    The rows stay locked while the broker decides, so a second relay cannot overtake. A crash
    or a lost confirm leaves them waiting: they go out again with the same id, and the
    recipient's inbox makes that harmless. What *refusals* holds back is left out.
    """
    started = time.perf_counter()
    async with database.transaction() as tx:
        claimed = await outbox.claim(tx, wanted=WINDOW, nodes=nodes, held=refusals.held())
        if not claimed:
            return 0, 0
        answers = await publisher.publish([c.envelope for c in claimed])
        confirmed = [c.position for c, a in zip(claimed, answers, strict=True) if a is None]
        await outbox.mark_relayed(tx, confirmed, at=database.clock())
    telemetry.emit(
        telemetry.RELAY_BATCHED,
        relayed=len(confirmed),
        seconds=round(time.perf_counter() - started, 4),
    )
    refusals.learn((c.envelope, a) for c, a in zip(claimed, answers, strict=True))
    return len(confirmed), len(claimed) - len(confirmed)


async def run_relay(
    database: Database,
    publisher: ConfirmedPublisher,
    *,
    refusals: Refusals,
    nodes: Sequence[NodeCode] | None = None,
    patiently: Patience,
    wait: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Relay until *stop* is set; *wait* returns when something may wait in the outbox again.

    Raises:
        BrokerUnavailableError: Doubt about the connection; build a new one and call again.
        DatabaseUnavailableError: PostgreSQL is still away after *stop* was set.
    """
    window = partial(relay_window, database, publisher, refusals=refusals, nodes=nodes)
    while not stop.is_set():
        try:
            confirmed, refused = await patiently(window, name="relay")
        except BrokerBlockedError as error:
            await _wait_for_the_alarms_end(publisher, error, stop=stop)
            continue
        if not confirmed and not refused:
            await wait()
        elif is_worth_filling(last=confirmed, here=confirmed):
            await pause(LINGER, stop=stop)


async def _wait_for_the_alarms_end(
    publisher: ConfirmedPublisher, error: BrokerBlockedError, *, stop: asyncio.Event
) -> None:
    """Publish nothing until the broker says so; nothing is counted against any envelope."""
    started = time.monotonic()
    telemetry.emit(telemetry.RELAY_PAUSED, reason=error.reason, error=str(error))
    over = asyncio.ensure_future(publisher.until_unblocked())
    told = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({over, told}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            over.result()
    finally:
        over.cancel()
        told.cancel()
    telemetry.emit(telemetry.RELAY_RESUMED, paused_seconds=round(time.monotonic() - started, 1))
