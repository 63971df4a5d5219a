"""What the queues hold at this instant, counted by the broker for us, not reported with delay."""

from __future__ import annotations

from collections.abc import Iterable

import aio_pika
import aiormq

from jukinet_mq.broker.connection import CONNECT_TIMEOUT, translated
from jukinet_mq.errors import BrokerUnavailableError, TopologyDriftError


async def depths(url: str, queues: Iterable[str]) -> dict[str, int]:
    """Return how many messages wait in each of *queues*.

    What a consumer holds unacknowledged is not among them: stop the consumers first. The
    management API's figures are some seconds old for quorum queues; these are of now. A queue
    whose leader does not answer within 250 ms counts as empty: ask a cluster that is whole. The
    login in *url* needs the configure permission from RabbitMQ 4.3 on. The nation takes about 1 s.

    Raises:
        TopologyDriftError: A queue does not exist.
        BrokerUnavailableError: RabbitMQ does not answer.
    """
    found: dict[str, int] = {}
    with translated("counting what waits in queues"):
        connection = await aio_pika.connect(url, timeout=CONNECT_TIMEOUT.total_seconds())
        async with connection:
            channel = await connection.channel()
            for name in queues:
                try:
                    queue = await channel.declare_queue(name, passive=True)
                except aiormq.exceptions.ChannelNotFoundEntity as error:
                    raise TopologyDriftError(
                        f"the broker has no queue {name}; run `jukinet topology apply`"
                    ) from error
                count = queue.declaration_result.message_count
                if count is None:
                    raise BrokerUnavailableError(f"the broker does not say how much {name} holds")
                found[name] = count
    return found
