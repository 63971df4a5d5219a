"""Publish a window of envelopes and learn of each what the broker says, by a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import aio_pika
import aiormq
from aio_pika.abc import AbstractConnection, AbstractExchange

from jukinet_mq.broker.connection import translated
from jukinet_mq.broker.liveness import is_blocked
from jukinet_mq.envelope import CONTENT_TYPE, SignedEnvelope, type_name
from jukinet_mq.errors import (
    BrokerBlockedError,
    BrokerUnavailableError,
    JukinetError,
    UnroutableError,
)
from jukinet_mq.routing import Plane

DEADLINE: Final = timedelta(seconds=10)
"""A window that is not answered by then ends the session: its confirms may never come."""


class ConfirmingPublisher:
    """A channel in confirm mode with the three planes' exchanges."""

    def __init__(
        self,
        connection: AbstractConnection,
        exchanges: dict[Plane, AbstractExchange],
        *,
        deadline: timedelta,
    ) -> None:
        self._connection = connection
        self._exchanges = exchanges
        self._deadline = deadline

    @classmethod
    async def open(
        cls, connection: AbstractConnection, *, deadline: timedelta = DEADLINE
    ) -> ConfirmingPublisher:
        """Open a channel; the exchanges are taken as they are, since only deployment declares."""
        with translated("opening a channel"):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchanges = {
                plane: await channel.get_exchange(plane.exchange, ensure=False) for plane in Plane
            }
        return cls(connection, exchanges, deadline=deadline)

    async def publish(self, envelopes: Sequence[SignedEnvelope]) -> list[JukinetError | None]:
        """Publish in order; return None per confirmed envelope, else why it was refused.

        Raises:
            BrokerBlockedError: The broker has an alarm; `until_unblocked` returns when it is
                over.
            BrokerUnavailableError: No answer by the deadline, or the connection is lost.
                In both cases any of them may or may not be in a queue.
        """
        await self._refuse_while_blocked()
        try:
            with translated("publishing"):
                async with asyncio.timeout(self._deadline.total_seconds()):
                    answers = await asyncio.gather(
                        *(self._publish(e) for e in envelopes), return_exceptions=True
                    )
        except BrokerUnavailableError:
            await self._refuse_while_blocked()
            raise
        return [self._answer(envelope, a) for envelope, a in zip(envelopes, answers, strict=True)]

    async def _refuse_while_blocked(self) -> None:
        if await is_blocked(self._connection):
            raise BrokerBlockedError(
                "RabbitMQ has a memory or disk alarm and takes no publishes; everything waits in "
                "the outbox. Free memory or disk on the broker; work goes on by itself."
            )

    async def until_unblocked(self) -> None:
        """Return when the alarm is over, or the connection with it."""
        transport = self._connection.transport
        if transport is not None:
            with translated("waiting for the end of the broker's alarm"):
                await transport.connection.ready()

    async def _publish(self, envelope: SignedEnvelope) -> object:
        header = envelope.header
        message = aio_pika.Message(
            envelope.signed,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(header.id),
            timestamp=header.time,
            type=type_name(header.kind, header.version),
            user_id=header.sender,
        )
        return await self._exchanges[envelope.plane].publish(
            message, envelope.routing_key, mandatory=True
        )

    @staticmethod
    def _answer(envelope: SignedEnvelope, answer: object) -> JukinetError | None:
        match answer:
            case aio_pika.exceptions.PublishError():
                return UnroutableError(
                    f"no queue takes {envelope.routing_key}; run `jukinet topology check`"
                )
            case aiormq.exceptions.DeliveryError():
                return BrokerUnavailableError(
                    f"the broker does not accept {envelope.routing_key} now (nack); its queue "
                    "may be full"
                )
            case BaseException():
                with translated("publishing"):
                    raise answer
            case _:
                return None
