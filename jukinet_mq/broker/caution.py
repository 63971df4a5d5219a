"""Takes one delivery at a time after something arrived that could not be read.

`decoding` lets every message through whose properties are odd. If a frame breaks the connection
all the same, RabbitMQ counts a failed delivery for all that was outstanding on it. While a worker
takes one at a time, that is the offender alone; when it has come as often as its queue's delivery
limit allows, RabbitMQ puts it, and nothing else, into `juki.dead`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import AMQPError, InvalidFrameError

from jukinet_mq import telemetry

CALM: Final = timedelta(seconds=60)
"""How long nothing may break the connection before deliveries are prefetched again."""
_ORDINARY: Final = (OSError, EOFError, StopAsyncIteration, asyncio.CancelledError, AMQPError)
"""What ends a connection that is cut, refused or closed by the broker."""


class Caution:
    """Whether a worker takes one delivery at a time; outlives its connections."""

    def __init__(
        self, *, calm: timedelta = CALM, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calm = calm.total_seconds()
        self._clock = clock
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether something that could not be read has ended a connection lately."""
        return self._since is not None

    def watch(self, connection: AbstractConnection) -> None:
        """Be on when *connection* ends because a frame could not be read."""
        if connection.transport is not None:
            connection.transport.connection.closing.add_done_callback(self._end)

    def is_over(self) -> bool:
        """Say once whether it was on and nothing has broken the connection since."""
        over = self._since is not None and self._clock() - self._since >= self._calm
        if over:
            self._since = None
        return over

    def _end(self, closing: asyncio.Future[object]) -> None:
        error = None if closing.cancelled() else closing.exception()
        if error is not None and is_unreadable(error):
            self._since = self._clock()
            telemetry.emit(telemetry.DELIVERY_UNREADABLE, error=type(error).__name__)


def is_unreadable(error: BaseException) -> bool:
    """Say whether *error*, which ended a connection, is about what was read from it.

    >>> is_unreadable(InvalidFrameError("Last byte error")), is_unreadable(OverflowError())
    (True, True)
    >>> is_unreadable(ConnectionResetError()), is_unreadable(Exception())
    (False, False)
    """
    if isinstance(error, InvalidFrameError):
        return True
    # A bare Exception is aiormq's word for a connection that ended without a reason.
    return not isinstance(error, _ORDINARY) and type(error) is not Exception
