"""Take deliveries in batches: whatever has arrived, acknowledged together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from jukinet_mq.broker.connection import translated
from jukinet_mq.clock import Clock
from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import BrokerUnavailableError
from jukinet_mq.nodes import NodeCode

IN_FLIGHT: Final = 8_000
"""Deliveries that a worker may hold unacknowledged, over all its queues."""
PREFETCH_MIN: Final = 10
PREFETCH_MAX: Final = 1_000


def prefetch_per_queue(queues: int) -> int:
    """Share the bound on memory among the consumers; a quorum queue starves below 10."""
    return max(PREFETCH_MIN, min(PREFETCH_MAX, IN_FLIGHT // max(queues, 1)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries of one channel, in the order of their arrival."""

    deliveries: Sequence[Delivery]
    _last: AbstractIncomingMessage

    async def ack(self) -> None:
        """Acknowledge all of them, after the commit, with one frame.

        `multiple` reaches every earlier delivery of the channel: they are all in this batch or
        an earlier one, because batches are taken and acknowledged one after the other.
        """
        with translated("acknowledging"):
            await self._last.ack(multiple=True)


class BatchConsumer:
    """Consumers on the queues of the nodes that a worker hosts, on one channel."""

    def __init__(self, channel: AbstractChannel, *, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._arrived: deque[tuple[Delivery, AbstractIncomingMessage]] = deque()
        self._news = asyncio.Event()
        self._lost: str | None = None

    @classmethod
    async def start(
        cls, connection: AbstractConnection, queues: Mapping[str, NodeCode], *, clock: Clock
    ) -> BatchConsumer:
        """Consume from *queues* (queue name → its node)."""
        with translated("starting to consume"):
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=prefetch_per_queue(len(queues)))
            consumer = cls(channel, clock=clock)
            channel.close_callbacks.add(consumer._closed)
            for name, node in queues.items():
                queue = await channel.get_queue(name, ensure=False)
                await queue.consume(consumer._callback(node))
        return consumer

    def _callback(self, node: NodeCode) -> Callable[[AbstractIncomingMessage], Awaitable[None]]:
        async def arrived(message: AbstractIncomingMessage) -> None:
            self._arrived.append((_delivery(node, message, self._clock()), message))
            self._news.set()

        return arrived

    def _closed(self, *_: object) -> None:
        self._lost = "the channel was closed"
        self._news.set()

    async def next_batch(self, *, limit: int, stop: asyncio.Event) -> Batch | None:
        """Wait for a delivery and return it with all that have arrived, up to *limit*.

        Returns None once *stop* is set.

        Raises:
            BrokerUnavailableError: The channel is gone; what was taken comes again elsewhere.
        """
        while not self._arrived and self._lost is None and not stop.is_set():
            await _first_of(self._news, stop)
        if self._lost is not None:
            raise BrokerUnavailableError(f"{self._lost} while consuming")
        if stop.is_set():
            return None
        taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
        if not self._arrived:
            self._news.clear()
        return Batch([delivery for delivery, _ in taken], taken[-1][1])


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _delivery(node: NodeCode, message: AbstractIncomingMessage, at: datetime) -> Delivery:
    return Delivery(
        node=node,
        signed=message.body,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        user_id=message.user_id,
        message_id=message.message_id,
        type=message.type,
        content_type=message.content_type,
        received_at=at,
        redelivered=bool(message.redelivered),
    )
