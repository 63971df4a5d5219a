"""Publish a window of envelopes and learn of each what the broker says, by a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

import aiormq
from aio_pika.abc import AbstractConnection

from jukinet_mq.broker.connection import translated
from jukinet_mq.broker.liveness import is_blocked
from jukinet_mq.envelope import CONTENT_TYPE, SignedEnvelope, type_name
from jukinet_mq.errors import (
    BrokerBlockedError,
    BrokerUnavailableError,
    JukinetError,
    UnroutableError,
)

_PERSISTENT: Final = 2
DEADLINE: Final = timedelta(seconds=10)
"""A window that is not answered by then ends the session: its confirms may never come."""


class ConfirmingPublisher:
    """A channel in confirm mode.

    Publishes on aio-pika's underlay: its own message layer took a sixth of a worker's time, and
    its wait for the socket after each frame made one packet of each.
    """

    def __init__(
        self,
        connection: AbstractConnection,
        channel: aiormq.Channel,
        *,
        deadline: timedelta,
    ) -> None:
        self._connection = connection
        self._channel = channel
        self._deadline = deadline

    @classmethod
    async def open(
        cls, connection: AbstractConnection, *, deadline: timedelta = DEADLINE
    ) -> ConfirmingPublisher:
        """Open a channel; the exchanges are taken as they are, since only deployment declares."""
        with translated("opening a channel"):
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            underlay = cast("aiormq.Channel", await channel.get_underlay_channel())
        return cls(connection, underlay, deadline=deadline)

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
        return await self._channel.basic_publish(
            envelope.signed,
            exchange=envelope.plane.exchange,
            routing_key=envelope.routing_key,
            properties=aiormq.spec.Basic.Properties(
                content_type=CONTENT_TYPE,
                delivery_mode=_PERSISTENT,
                message_id=str(header.id),
                timestamp=header.time,
                message_type=type_name(header.kind, header.version),
                user_id=header.sender,
            ),
            mandatory=True,
            wait=False,
        )

    @staticmethod
    def _answer(envelope: SignedEnvelope, answer: object) -> JukinetError | None:
        match answer:
            case aiormq.exceptions.PublishError():
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
