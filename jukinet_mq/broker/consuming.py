"""Take deliveries in batches: whatever has arrived, acknowledged together.

A broker node that is cut off from the majority of its cluster takes connections, answers what it
knows by itself, says that it consumes, and delivers nothing. So consuming has begun when the
queues have agreed to it, and where nothing comes a queue itself is asked: only a majority of its
members can answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Final

from aio_pika.abc import AbstractConnection
from aiormq import spec
from aiormq.abc import AbstractChannel, DeliveredMessage

from jukinet_mq.broker import decoding
from jukinet_mq.broker.caution import Caution
from jukinet_mq.broker.connection import translated
from jukinet_mq.clock import Clock
from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import BrokerUnavailableError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.pausing import is_worth_filling, pause

QUEUES_PER_CHANNEL: Final = 128
"""A channel starts its consumers one after the other; channels beside each other are faster."""
PREFETCH_MIN: Final = 10
PREFETCH_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 1536 * 1024
"""Bounds what one batch verifies in one go: some 500 updates, or 8 full forwards."""
FULL_ENOUGH_BYTES: Final = BATCH_BYTES_MAX // 3
FETCH_EVERY: Final = timedelta(milliseconds=200)
"""How long all queues are left alone that were found empty while deliveries are taken singly."""
LINGER: Final = timedelta(milliseconds=200)
"""How long a batch under load waits to be fuller: it costs a dozen statements, however much is
in it."""


def prefetch_per_queue(queues: int, *, in_flight: int) -> int:
    """Share the bound on memory among the consumers; a quorum queue starves below 10."""
    return max(PREFETCH_MIN, min(PREFETCH_MAX, in_flight // max(queues, 1)))


@dataclass(frozen=True, slots=True)
class Batch:
    """Deliveries in the order of their arrival."""

    deliveries: Sequence[Delivery]
    _lasts: Sequence[tuple[AbstractChannel, int]]

    async def ack(self) -> None:
        """Acknowledge all of them, after the commit, with one frame per channel.

        `multiple` reaches every earlier delivery of a channel: they are all in this batch or
        an earlier one, because batches are taken and acknowledged one after the other.
        """
        with translated("acknowledging"):
            for channel, delivery_tag in self._lasts:
                await channel.basic_ack(delivery_tag, multiple=True)


@dataclass(frozen=True, slots=True)
class _Arrival:
    delivery: Delivery
    channel: AbstractChannel
    delivery_tag: int


class BatchConsumer:
    """Consumers on the queues of the nodes that a worker hosts."""

    def __init__(
        self,
        asking: AbstractChannel,
        queues: Mapping[str, NodeCode],
        *,
        clock: Clock,
        patience: timedelta,
        caution: Caution,
    ) -> None:
        self._asking = asking
        self._caution = caution
        self._queues = queues
        self._turn = cycle(queues)
        self._one_by_one = caution.is_on
        self._clock = clock
        self._patience = patience.total_seconds()
        self._arrived: deque[_Arrival] = deque()
        self._arrived_bytes = 0
        self._news = asyncio.Event()
        self._lost: str | None = None
        self._last_size = 0

    @classmethod
    async def start(
        cls,
        connection: AbstractConnection,
        queues: Mapping[str, NodeCode],
        *,
        in_flight: int,
        clock: Clock,
        patience: timedelta,
        caution: Caution,
    ) -> BatchConsumer:
        """Consume from *queues* (queue name → its node); returns when every queue delivers.

        Args:
            connection: A plain connection; its channels are opened here.
            queues: At least one.
            in_flight: Deliveries that may be unacknowledged, over all queues.
            clock: Dates the deliveries.
            patience: How long nothing may come, and a queue may take to answer.
            caution: Whether deliveries are taken one at a time; the worker's own.

        Raises:
            BrokerUnavailableError: A queue does not answer; it may lack a majority.
        """
        caution.watch(connection)
        prefetch = prefetch_per_queue(len(queues), in_flight=in_flight)
        with translated("starting to consume"):
            asking = await _channel(connection)
            consumer = cls(asking, queues, clock=clock, patience=patience, caution=caution)
            consumer._mind(asking)
            if consumer._one_by_one:
                return consumer
            await asyncio.gather(
                *[
                    consumer._start(await _channel(connection), part, prefetch=prefetch)
                    for part in _parts(list(queues.items()))
                ]
            )
        return consumer

    async def _start(
        self, channel: AbstractChannel, queues: Sequence[tuple[str, NodeCode]], *, prefetch: int
    ) -> None:
        await channel.basic_qos(prefetch_count=prefetch)
        self._mind(channel)
        for name, node in queues:
            await channel.basic_consume(name, self._callback(node), timeout=self._patience)
        # RabbitMQ says that it consumes before the queue has agreed; this it answers after.
        await channel.basic_qos(prefetch_count=prefetch, timeout=self._patience)

    def _mind(self, channel: AbstractChannel) -> None:
        channel.closing.add_done_callback(lambda _: self._lose("a channel was closed"))
        channel.on_consumer_cancel_callbacks.add(
            lambda *_: self._lose("the broker cancelled a consumer")
        )

    def _callback(
        self, node: NodeCode
    ) -> Callable[[DeliveredMessage], Coroutine[None, None, None]]:
        async def arrived(message: DeliveredMessage) -> None:
            self._arrive(node, message)

        return arrived

    def _arrive(self, node: NodeCode, message: DeliveredMessage) -> None:
        delivery = _delivery(node, message, self._clock())
        self._arrived.append(_Arrival(delivery, message.channel, message.delivery_tag or 0))
        self._arrived_bytes += len(delivery.signed)
        self._news.set()

    def _lose(self, what: str) -> None:
        self._lost = what
        self._news.set()

    async def next_batch(self, *, limit: int, stop: asyncio.Event) -> Batch | None:
        """Wait for a delivery and return it with all that have arrived, up to the bounds.

        Returns None once *stop* is set.

        Raises:
            BrokerUnavailableError: A consumer is gone or forgotten, or the queues lack a
                majority; what was taken comes again elsewhere.
        """
        while not self._arrived and self._lost is None and not stop.is_set():
            if self._one_by_one:
                await _first_of(self._fetch_one(stop=stop), stop.wait())
            elif not await _first_of(self._news.wait(), stop.wait(), within=self._patience):
                await _first_of(self._ask(), stop.wait())
        if self._is_worth_filling():
            await pause(LINGER, stop=stop)
        if self._lost is not None:
            raise BrokerUnavailableError(f"{self._lost} while consuming")
        if stop.is_set():
            return None
        taken = self._take(limit)
        self._last_size = len(taken)
        if not self._arrived:
            self._news.clear()
        lasts = {arrival.channel: arrival.delivery_tag for arrival in taken}
        return Batch([arrival.delivery for arrival in taken], list(lasts.items()))

    async def _ask(self) -> None:
        """Ask one of the queues, in turn, for a message; since we wait, it can have none."""
        name = next(self._turn)
        if await self._get(name) is not None:
            raise BrokerUnavailableError(
                f"{name} held what it did not deliver to its consumer; consuming begins anew"
            )

    async def _get(self, name: str) -> DeliveredMessage | None:
        with translated(f"asking the queue {name}"):
            async with asyncio.timeout(self._patience):
                found = await self._asking.basic_get(name)
        return None if isinstance(found.delivery, spec.Basic.GetEmpty) else found

    async def _fetch_one(self, *, stop: asyncio.Event) -> None:
        """Let one delivery arrive; while it is not acknowledged, none other is outstanding."""
        if self._caution.is_over():
            raise BrokerUnavailableError(
                "every delivery could be read for a while; consuming begins anew as usual"
            )
        for _ in range(len(self._queues)):
            name = next(self._turn)
            if (found := await self._get(name)) is not None:
                self._arrive(self._queues[name], found)
                return
        await pause(FETCH_EVERY, stop=stop)

    def _is_worth_filling(self) -> bool:
        few = is_worth_filling(last=self._last_size, here=len(self._arrived))
        return few and self._arrived_bytes < FULL_ENOUGH_BYTES

    def _take(self, limit: int) -> list[_Arrival]:
        taken = [self._arrived.popleft()]
        size = len(taken[0].delivery.signed)
        while self._arrived and len(taken) < limit:
            more = len(self._arrived[0].delivery.signed)
            if size + more > BATCH_BYTES_MAX:
                break
            size += more
            taken.append(self._arrived.popleft())
        self._arrived_bytes -= size
        return taken


async def _channel(connection: AbstractConnection) -> AbstractChannel:
    channel = await connection.channel(publisher_confirms=False)
    return await channel.get_underlay_channel()


def _parts(queues: Sequence[tuple[str, NodeCode]]) -> Iterator[Sequence[tuple[str, NodeCode]]]:
    for start in range(0, len(queues), QUEUES_PER_CHANNEL):
        yield queues[start : start + QUEUES_PER_CHANNEL]


async def _first_of(*waits: Awaitable[object], within: float | None = None) -> bool:
    """End when the first does, or after *within* seconds; say whether one has ended."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        ended, _ = await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in ended:
        task.result()
    return bool(ended)


def _delivery(node: NodeCode, message: DeliveredMessage, at: datetime) -> Delivery:
    properties = message.header.properties
    return Delivery(
        node=node,
        signed=message.body,
        exchange=_readable(message.exchange),
        routing_key=_readable(message.routing_key),
        user_id=properties.user_id,
        message_id=properties.message_id,
        type=properties.message_type,
        content_type=properties.content_type,
        received_at=at,
        redelivered=bool(message.redelivered),
        undecodable=decoding.undecodable(message.header),
    )


def _readable(text: str | None) -> str:
    """Return *text* with U+FFFD for each byte that was not UTF-8: equal to no text of ours."""
    return (text or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
