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
from jukinet_mq.envelope import CONTENT_TYPE, SignedEnvelope, type_name
from jukinet_mq.errors import (
    BrokerUnavailableError,
    JukinetError,
    UnroutableError,
)
from jukinet_mq.routing import Plane

DEADLINE: Final = timedelta(seconds=10)
"""A window that is not answered by then ends the session: its confirms may never come."""


class ConfirmingPublisher:
    """A channel in confirm mode with the three planes' exchanges."""

    def __init__(self, exchanges: dict[Plane, AbstractExchange], *, deadline: timedelta) -> None:
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
        return cls(exchanges, deadline=deadline)

    async def publish(self, envelopes: Sequence[SignedEnvelope]) -> list[JukinetError | None]:
        """Publish in order; return None per confirmed envelope, else why it was refused.

        Raises:
            BrokerUnavailableError: No answer by the deadline, or the connection is lost; any
                of them may or may not be in a queue.
        """
        with translated("publishing"):
            async with asyncio.timeout(self._deadline.total_seconds()):
                answers = await asyncio.gather(
                    *(self._publish(e) for e in envelopes), return_exceptions=True
                )
        return [self._answer(envelope, a) for envelope, a in zip(envelopes, answers, strict=True)]

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
