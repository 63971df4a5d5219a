"""One plain connection at a time, rebuilt on any doubt.

aio-pika's robust layer is not used: it is known to come back without its consumers and to hang
publishes while it is away. Here a session owns its connection and everything on it; when
anything is in doubt the session ends, all of it is thrown away, and the next one starts afresh.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import aiormq
import tenacity
from aio_pika.abc import AbstractConnection as Connection

from jukinet_mq import telemetry
from jukinet_mq.broker import decoding
from jukinet_mq.broker.liveness import Session, run_watched
from jukinet_mq.errors import BrokerAccessError, BrokerUnavailableError
from jukinet_mq.pausing import sleep_until

__all__ = ["Connection", "Link", "connect", "supervise", "translated"]

HEARTBEAT: Final = timedelta(seconds=10)
CONNECT_TIMEOUT: Final = timedelta(seconds=10)
CLOSE_TIMEOUT: Final = timedelta(seconds=5)
RECONNECT_WAIT_MAX: Final = timedelta(seconds=10)

_REFUSED: Final = (
    aiormq.exceptions.AuthenticationError,
    aiormq.exceptions.ProbableAuthenticationError,
    aiormq.exceptions.ChannelAccessRefused,
)
_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncio.CancelledError,
    aiormq.exceptions.AMQPError,
    aiormq.exceptions.ChannelInvalidStateError,
    RuntimeError,
    # What aiormq raises when a connection ends in the middle of its handshake.
    StopAsyncIteration,
)


@dataclass(frozen=True, slots=True)
class Link:
    """Where the broker is and as whom to log in.

    Attributes:
        urls: One or more addresses, tried in turn.
        login: User name; a node's code, or the name of a centre that speaks for its nodes.
    """

    urls: tuple[str, ...]
    login: str
    password: str = field(repr=False)
    heartbeat: timedelta = HEARTBEAT
    name: str = "jukinet"

    def addressed(self, url: str) -> str:
        """Return *url* with this login and heartbeat in place of what it holds."""
        parts = urlsplit(url)
        place = parts.hostname or "localhost"
        host = f"[{place}]" if ":" in place else place
        port = f":{parts.port}" if parts.port else ""
        user = f"{quote(self.login, safe='')}:{quote(self.password, safe='')}"
        query = f"heartbeat={int(self.heartbeat.total_seconds())}"
        return urlunsplit((parts.scheme, f"{user}@{host}{port}", parts.path, query, ""))


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn aio-pika's and aiormq's errors into ours."""
    try:
        yield
    except _REFUSED as error:
        raise BrokerAccessError(
            f"RabbitMQ refuses {doing} ({type(error).__name__}); check the login's password and "
            "run `jukinet topology check`"
        ) from error
    except asyncio.CancelledError as error:
        # aiormq cancels what waits on a connection that is lost; only a cancellation that was
        # asked of this task may pass as one.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerUnavailableError(f"the connection was lost while {doing}") from error
    except _AWAY as error:
        raise BrokerUnavailableError(
            f"RabbitMQ does not answer while {doing} ({type(error).__name__}); nothing is lost, "
            "work goes on when it is back"
        ) from error
    except Exception as error:
        # Nothing more exact: aiormq's word for a connection that ended without a reason.
        if type(error) is not Exception:
            raise
        raise BrokerUnavailableError(f"the connection was lost while {doing}") from error


decoding.install()


async def connect(link: Link, url: str) -> Connection:
    """Open one plain connection."""
    with translated("connecting"):
        return await aio_pika.connect(
            link.addressed(url),
            timeout=CONNECT_TIMEOUT.total_seconds(),
            ssl_context=ssl.create_default_context() if url.startswith("amqps:") else None,
            client_properties={"connection_name": f"{link.name} {link.login}"},
        )


async def supervise(link: Link, session: Session, *, stop: asyncio.Event) -> None:
    """Run *session* on a connection, again on a new one whenever it ends in doubt.

    Returns when *session* returns, which it must do soon after *stop* is set, or when *stop*
    is set while there is no connection.

    Raises:
        BrokerAccessError: The login is refused; waiting would not help.
    """
    urls = cycle(link.urls)
    while not stop.is_set():
        connection = await _connect_at_last(link, urls, stop=stop)
        if connection is None:
            return
        telemetry.emit(telemetry.CONNECTION_CHANGED, state="up", login=link.login)
        try:
            await run_watched(connection, session, heartbeat=link.heartbeat)
            return
        except BrokerUnavailableError as error:
            telemetry.emit(
                telemetry.CONNECTION_CHANGED, state="lost", login=link.login, error=str(error)
            )
        finally:
            await _close(connection)


async def _connect_at_last(
    link: Link, urls: cycle[str], *, stop: asyncio.Event
) -> Connection | None:
    """Try the addresses in turn, with growing pauses, until one answers or *stop* is set."""

    def say_away(state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1:
            telemetry.emit(telemetry.CONNECTION_CHANGED, state="away", login=link.login)

    async def attempt() -> Connection | None:
        return None if stop.is_set() else await connect(link, next(urls))

    return await tenacity.AsyncRetrying(
        wait=tenacity.wait_random_exponential(0.2, max=RECONNECT_WAIT_MAX.total_seconds()),
        retry=tenacity.retry_if_exception_type(BrokerUnavailableError),
        sleep=sleep_until(stop),
        before_sleep=say_away,
    )(attempt)


async def _close(connection: Connection) -> None:
    """Close without waiting long: a broken connection may never answer."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT.total_seconds()):
            await connection.close()
