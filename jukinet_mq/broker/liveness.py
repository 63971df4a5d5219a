"""Notice a dead, stuck or half-open connection within two heartbeats.

The client library notices silence after three heartbeats and more, and a half-open connection may
take writes for minutes. So a question that the broker must answer is asked on a channel of its
own, every half heartbeat; no answer within one heartbeat is doubt, and doubt ends the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from aio_pika.abc import AbstractConnection

from jukinet_mq.errors import BrokerUnavailableError

Session = Callable[[AbstractConnection], Awaitable[None]]
_INSTANT: Final = 0.01


async def is_blocked(connection: AbstractConnection) -> bool:
    """Say whether the broker has told this connection that it takes no publishes for now.

    RabbitMQ does so while a memory or disk alarm is on, to connections that publish.
    """
    transport = connection.transport
    if transport is None:
        return False
    try:
        async with asyncio.timeout(_INSTANT):
            await transport.connection.ready()
    except TimeoutError:
        return True
    return False


async def run_watched(
    connection: AbstractConnection, session: Session, *, heartbeat: timedelta
) -> None:
    """Run *session*; end it when the broker no longer answers.

    Raises:
        BrokerUnavailableError: The connection is dead, stuck or half-open.
    """
    working = asyncio.ensure_future(session(connection))
    watching = asyncio.ensure_future(_watch(connection, heartbeat=heartbeat))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
    if working.cancelled():
        watching.result()
    working.result()


async def _watch(connection: AbstractConnection, *, heartbeat: timedelta) -> None:
    """Ask until an answer fails to come; a blocked connection is not asked, it cannot answer."""
    patience = heartbeat.total_seconds()
    try:
        async with asyncio.timeout(patience):
            channel = await connection.channel(publisher_confirms=False)
            underlay = await channel.get_underlay_channel()
        while True:
            await asyncio.sleep(patience / 2)
            if not await is_blocked(connection):
                async with asyncio.timeout(patience):
                    await underlay.basic_qos(prefetch_count=1)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailableError("the connection was lost") from None
    except Exception as error:
        raise BrokerUnavailableError(
            f"RabbitMQ has not answered for {patience:.0f} s ({type(error).__name__}); the "
            "connection is given up and built anew"
        ) from error
