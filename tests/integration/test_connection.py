"""A connection in doubt is given up in time and built anew, on the real broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import aiormq
import pytest
from pamqp.common import FieldTable

from jukinet_mq import telemetry
from jukinet_mq.broker.caution import Caution
from jukinet_mq.broker.connection import Connection, Link, connect, supervise, translated
from jukinet_mq.broker.consuming import BatchConsumer
from jukinet_mq.broker.publishing import ConfirmingPublisher
from jukinet_mq.clock import utc_now
from jukinet_mq.errors import BrokerAccessError, BrokerUnavailableError
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.services import Endpoints
from tests.fixtures.country import CHIYODA, HOKKAIDO, TOKYO, Country
from tests.fixtures.proxy import Proxy, proxied
from tests.fixtures.virtual_hosts import VirtualHost
from tests.integration.test_relay import draft

HEARTBEAT = timedelta(seconds=2)


@pytest.fixture
async def proxy(vhost: VirtualHost) -> AsyncIterator[Proxy]:
    """A proxy before the broker."""
    parts = urlsplit(vhost.amqp_url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with proxied(parts.hostname, parts.port) as made:
        yield made


@pytest.fixture
def far(vhost: VirtualHost, services: Endpoints, proxy: Proxy) -> Link:
    """The administrator's login, by way of the proxy."""
    url = f"amqp://127.0.0.1:{proxy.port}/{vhost.name}"
    return Link((url,), services.admin_user, services.admin_password, heartbeat=HEARTBEAT)


@pytest.fixture
async def queue(vhost: VirtualHost) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    """A quorum queue, seen without the proxy."""
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection:
        channel = await connection.channel()
        yield await channel.declare_queue(
            "pref.13", durable=True, arguments={"x-queue-type": "quorum"}
        )


@pytest.fixture
def states() -> Iterator[list[str]]:
    """What `connection.changed` events say, in order."""
    said: list[str] = []
    end = telemetry.subscribe(
        lambda event, fields: (
            said.append(str(fields["state"])) if event is telemetry.CONNECTION_CHANGED else None
        )
    )
    yield said
    end()


class Listener:
    """A session that consumes and acknowledges what comes."""

    def __init__(self, queues: Mapping[str, NodeCode]) -> None:
        self.queues = queues
        self.stop = asyncio.Event()
        self.sessions = 0
        self.got: list[bytes] = []
        self.caution = Caution(calm=HEARTBEAT / 2)
        self.consuming = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        self.sessions += 1
        consumer = await BatchConsumer.start(
            connection,
            self.queues,
            in_flight=100,
            clock=utc_now,
            patience=HEARTBEAT,
            caution=self.caution,
        )
        self.consuming.set()
        while batch := await consumer.next_batch(limit=100, stop=self.stop):
            self.got += [d.signed for d in batch.deliveries]
            await batch.ack()


@asynccontextmanager
async def supervised(
    link: Link, *, queues: Mapping[str, NodeCode] = MappingProxyType({"pref.13": TOKYO})
) -> AsyncIterator[Listener]:
    """Run a listener under supervision."""
    listener = Listener(queues)
    running = asyncio.create_task(supervise(link, listener, stop=listener.stop))
    try:
        async with asyncio.timeout(10):
            await listener.consuming.wait()
        yield listener
    finally:
        listener.stop.set()
        async with asyncio.timeout(20):
            await running


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Return when *condition* holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the other side's doing
            await asyncio.sleep(0.02)


async def say(queue: aio_pika.abc.AbstractQueue, body: bytes) -> None:
    """Put a message into the queue, past the proxy."""
    exchange = queue.channel.default_exchange
    await exchange.publish(aio_pika.Message(body), "pref.13")


async def test_black_hole_is_noticed_within_two_heartbeats(
    far: Link, proxy: Proxy, queue: aio_pika.abc.AbstractQueue, states: list[str]
) -> None:
    """No FIN, no RST, no answer: the session is given up, and consuming goes on afterwards."""
    async with supervised(far) as listener:
        proxy.stall()
        stalled = time.monotonic()
        await until(lambda: "lost" in states)
        noticed = time.monotonic() - stalled
        proxy.flow()
        await say(queue, b"after")
        await until(lambda: listener.got == [b"after"])
        resumed = time.monotonic() - stalled - noticed

    assert noticed <= 2 * HEARTBEAT.total_seconds()
    assert resumed <= 30
    assert 2 <= listener.sessions


async def test_cut_connection_is_rebuilt_at_once(
    far: Link, proxy: Proxy, queue: aio_pika.abc.AbstractQueue
) -> None:
    """A reset is followed by a new connection with its consumers."""
    async with supervised(far) as listener:
        listener.consuming.clear()
        proxy.cut()
        async with asyncio.timeout(10):
            await listener.consuming.wait()
        await say(queue, b"after")
        await until(lambda: listener.got == [b"after"])


@pytest.mark.parametrize("in_order", [True, False])
async def test_connection_cut_at_any_byte_of_its_handshake_is_tried_again(
    far: Link, proxy: Proxy, queue: aio_pika.abc.AbstractQueue, in_order: bool
) -> None:
    """Wherever the bytes end, it is the broker's absence and nothing else; then it succeeds."""
    proxy.in_order = in_order
    outcomes = set()
    for after in range(1, 1_500, 17):
        proxy.cut_after = after
        try:
            connection = await connect(far, far.urls[0])
        except BrokerUnavailableError:
            outcomes.add("away")
        else:
            outcomes.add("up")
            await connection.close()
    proxy.cut_after = None
    proxy.go_away()
    for _ in range(50):
        with pytest.raises(BrokerUnavailableError):
            await connect(far, far.urls[0])
    proxy.flow()
    async with supervised(far) as listener:
        await say(queue, b"after")
        await until(lambda: listener.got == [b"after"])

    assert {"away", "up"} == outcomes


@pytest.mark.parametrize("said", [StopAsyncIteration, Exception])
def test_connection_that_ended_without_a_reason_is_absence(said: type[Exception]) -> None:
    """What aiormq raises then, at times, is no error of its family; each ended a worker once."""
    with pytest.raises(BrokerUnavailableError), translated("connecting"):
        raise said


def test_error_of_our_own_is_no_absence() -> None:
    """What is wrong with the program is not waited for."""
    with pytest.raises(LookupError), translated("connecting"):
        raise LookupError


async def test_state_changes_are_said_once_not_per_try(
    far: Link, proxy: Proxy, queue: aio_pika.abc.AbstractQueue, states: list[str]
) -> None:
    """While the broker is away one line says so, however often it is tried."""
    async with supervised(far) as listener:
        proxy.go_away()
        tried = proxy.accepted
        await until(lambda: proxy.accepted >= tried + 5)
        listener.consuming.clear()
        proxy.flow()
        async with asyncio.timeout(15):
            await listener.consuming.wait()

    assert ["up", "lost", "away", "up"] == states


async def test_consumer_cancelled_by_the_broker_is_rebuilt(
    far: Link, proxy: Proxy, queue: aio_pika.abc.AbstractQueue, states: list[str]
) -> None:
    """A queue that is deleted and made again has its consumer again."""
    async with supervised(far) as listener:
        await queue.delete(if_unused=False, if_empty=False)
        await until(lambda: "lost" in states)
        remade = await queue.channel.declare_queue(
            "pref.13", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await say(remade, b"after")
        await until(lambda: listener.got == [b"after"])


async def test_consumer_that_the_broker_has_forgotten_is_rebuilt(
    far: Link,
    queue: aio_pika.abc.AbstractQueue,
    states: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is said to consume and nothing comes, though its queue holds something: it asks."""
    consume = aiormq.Channel.basic_consume

    async def forgotten(channel: aiormq.Channel, name: str, *args: Any, **more: Any) -> None:
        begun = await consume(channel, name, *args, **more)
        await channel.basic_cancel(str(begun.consumer_tag))
        monkeypatch.setattr(aiormq.Channel, "basic_consume", consume)

    monkeypatch.setattr(aiormq.Channel, "basic_consume", forgotten)
    async with supervised(far) as listener:
        await say(queue, b"held")
        await until(lambda: listener.got == [b"held"])

    assert ["up", "lost", "up"] == states
    assert 2 == listener.sessions


async def test_idle_consumer_asks_and_stays(
    far: Link, queue: aio_pika.abc.AbstractQueue, states: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty queue that says so is no doubt, however often it is asked."""
    asked = 0
    get = aiormq.Channel.basic_get

    async def counted(channel: aiormq.Channel, name: str, *args: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        return await get(channel, name, *args, **more)

    monkeypatch.setattr(aiormq.Channel, "basic_get", counted)
    async with supervised(far) as listener:
        await until(lambda: asked >= 2)
        await say(queue, b"after")
        await until(lambda: listener.got == [b"after"])

    assert ["up"] == states


async def test_second_address_is_tried_when_the_first_is_dead(
    vhost: VirtualHost, services: Endpoints, proxy: Proxy, queue: aio_pika.abc.AbstractQueue
) -> None:
    """Several addresses are tried in turn."""
    proxy.go_away()
    dead = f"amqp://127.0.0.1:{proxy.port}/{vhost.name}"
    link = Link((dead, vhost.amqp_url), services.admin_user, services.admin_password)

    async with supervised(link) as listener:
        await say(queue, b"here")
        await until(lambda: listener.got == [b"here"])


async def test_refused_login_is_an_error_not_a_wait(
    vhost: VirtualHost, services: Endpoints
) -> None:
    """A wrong password stops the worker: waiting would not help."""
    link = Link((vhost.amqp_url,), services.admin_user, "wrong")

    with pytest.raises(BrokerAccessError):
        await asyncio.wait_for(
            supervise(link, Listener({"pref.13": TOKYO}), stop=asyncio.Event()), 20
        )


async def test_publish_into_a_black_hole_ends_by_its_deadline(
    country: Country, far: Link, proxy: Proxy, vhost: VirtualHost
) -> None:
    """No publish blocks past its deadline, whatever the broker does."""
    sent = await country.publish(draft(country, 0))
    connection = await aio_pika.connect(far.addressed(far.urls[0]))
    try:
        publishing = await ConfirmingPublisher.open(connection, deadline=timedelta(seconds=1))
        proxy.stall()
        started = time.monotonic()
        with pytest.raises(BrokerUnavailableError):
            await publishing.publish(sent)
        assert time.monotonic() - started < 2
    finally:
        proxy.flow()
        proxy.cut()
        with suppress(Exception):
            await connection.close()
    assert [(1,)] == await country.fetch(
        Tier.MUNICIPALITY, "SELECT count(*) FROM outbox WHERE relayed_at IS NULL"
    )
    assert CHIYODA == sent[0].header.sender


async def test_frame_that_cannot_be_read_costs_no_neighbour_its_delivery(
    far: Link, proxy: Proxy, vhost: VirtualHost
) -> None:
    """What breaks every connection that reads it is dead-lettered alone; the rest is consumed."""
    queues, limit = {"pref.13": TOKYO, "pref.01": HOKKAIDO}, 5
    proxy.spoil = b"spoiled"
    async with await aio_pika.connect(vhost.amqp_url) as near:
        channel = await near.channel()
        arguments: FieldTable = {"x-queue-type": "quorum"}
        dead = await channel.declare_queue("dead", durable=True, arguments=arguments)
        limited: FieldTable = arguments | {
            "x-delivery-limit": limit,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": "dead",
        }
        for name in queues:
            await channel.declare_queue(name, durable=True, arguments=limited)
        good = [b"good %d" % n for n in range(50)]
        for body in [*good[:10], b"to be spoiled", *good[10:]]:
            message = aio_pika.Message(body)
            await channel.default_exchange.publish(message, "pref.13")
            if body in good:
                await channel.default_exchange.publish(message, "pref.01")

        async with supervised(far, queues=queues) as listener:
            await until(lambda: sorted(2 * good) == sorted(listener.got), seconds=60)
            async with asyncio.timeout(30), dead.iterator() as letters_found:
                letter = await anext(letters_found)
            await until(lambda: not listener.caution.is_on)
            sessions = listener.sessions
            await channel.default_exchange.publish(aio_pika.Message(b"after"), "pref.01")
            await until(lambda: b"after" in listener.got)

    assert b"to be spoiled" == letter.body
    assert limit < sessions <= 2 * limit + 4
