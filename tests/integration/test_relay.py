"""Outbox to broker on the real broker: in order, confirmed, by several relays, never given up."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aio_pika
import httpx
import orjson
import pytest

from jukinet_mq import telemetry
from jukinet_mq.broker.connection import Connection, Link, supervise
from jukinet_mq.broker.publishing import ConfirmingPublisher
from jukinet_mq.errors import UnroutableError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import IdentityUpdate, MoveInNotice
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.producers.refusals import Refusals
from jukinet_mq.producers.relay import WINDOW, relay_window, run_relay
from jukinet_mq.routing import Plane
from jukinet_mq.store.database import Database
from jukinet_mq.store.listening import Bell
from jukinet_mq.store.outbox import shard_of
from jukinet_mq.store.patience import Patience
from jukinet_mq.trust import signing
from tests.fixtures.country import CHIYODA, HAKODATE, HOKKAIDO, SAPPORO, TOKYO, Country
from tests.fixtures.telling import Told
from tests.fixtures.virtual_hosts import VirtualHost

WAITING = "SELECT count(*) FROM outbox WHERE relayed_at IS NULL"


@pytest.fixture
async def channel(vhost: VirtualHost) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """The administrator's channel in a virtual host with the three planes' exchanges."""
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection:
        channel = await connection.channel()
        for plane in Plane:
            await channel.declare_exchange(plane.exchange, "topic", durable=True)
        yield channel


async def inbox(
    channel: aio_pika.abc.AbstractChannel,
    binding: str,
    plane: Plane = Plane.IDENTITY,
    *,
    full_at: int = 1_000_000,
) -> aio_pika.abc.AbstractQueue:
    """Declare a queue that takes the plane's *binding*."""
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-max-length": full_at,
    }
    queue = await channel.declare_queue(f"q.{binding}", durable=True, arguments=arguments)
    await queue.bind(plane.exchange, binding)
    return queue


@pytest.fixture
async def link(vhost: VirtualHost, management: httpx.AsyncClient) -> Link:
    """A centre's login: it may speak for any node."""
    centre = {"password": "for-one-test", "tags": "impersonator"}
    (await management.put("/users/test-centre", json=centre)).raise_for_status()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    path = f"/permissions/{vhost.name}/test-centre"
    (await management.put(path, json=everything)).raise_for_status()
    return Link((vhost.amqp_url,), "test-centre", "for-one-test")


@asynccontextmanager
async def publisher(link: Link) -> AsyncIterator[ConfirmingPublisher]:
    """Open a confirming publisher."""
    connection = await aio_pika.connect(link.addressed(link.urls[0]))
    async with connection:
        yield await ConfirmingPublisher.open(connection)


def draft(country: Country, number: int) -> Draft:
    """Return an update of one of three senders, in turn."""
    sender, recipient = [(CHIYODA, TOKYO), (SAPPORO, HOKKAIDO), (HAKODATE, HOKKAIDO)][number % 3]
    body = IdentityUpdate.example().model_copy(
        update={"resident_code": synthetic_resident_code(number), "area_code": sender}
    )
    if sender == SAPPORO:
        body = body.model_copy(update={"area_code": "011011"})
    return Draft(sender, recipient, body, country.now)


async def drain(queue: aio_pika.abc.AbstractQueue, count: int) -> list[tuple[str, int, str]]:
    """Take *count* messages: (sender, sequence, message id) in the order of their arrival."""
    got: list[tuple[str, int, str]] = []
    async with queue.iterator(timeout=20) as messages:
        async for message in messages:
            event = orjson.loads(signing.read(message.body).payload)
            got.append((event["source"], int(event["sequence"]), event["id"]))
            await message.ack()
            if len(got) == count:
                return got
    return got


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110  # the broker's doing
            await asyncio.sleep(0.02)


async def test_envelopes_reach_the_queue_in_order_and_leave_the_outbox(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """Every pair's numbers arrive ascending, and nothing waits any more."""
    queue = await inbox(channel, "#")
    sent = await country.publish(*(draft(country, n) for n in range(60)))

    async with publisher(link) as publishing:
        database = country.databases[Tier.MUNICIPALITY]
        assert (60, 0) == await relay_window(database, publishing, refusals=Refusals())

    arrived = await drain(queue, 60)
    assert {str(e.header.id) for e in sent} == {message_id for _, _, message_id in arrived}
    by_sender = defaultdict(list)
    for sender, sequence, _ in arrived:
        by_sender[sender].append(sequence)
    assert all(numbers == list(range(1, 21)) for numbers in by_sender.values())
    assert [(0,)] == await country.fetch(Tier.MUNICIPALITY, WAITING)


async def test_unroutable_envelope_stays_in_the_outbox_and_goes_out_later(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """Without a queue for its key the broker returns it; the relay keeps it until there is one."""
    tokyo = await inbox(channel, "13.130001.#")
    await country.publish(draft(country, 0), draft(country, 1))
    seconds = 0.0
    relay = partial(
        relay_window,
        country.databases[Tier.MUNICIPALITY],
        refusals=Refusals(clock=lambda: seconds),
    )

    async with publisher(link) as publishing:
        assert (1, 1) == await relay(publishing)
        assert (0, 0) == await relay(publishing)
        seconds = 0.6
        assert (0, 1) == await relay(publishing)
        hokkaido = await inbox(channel, "01.010006.#")
        seconds = 2
        assert (1, 0) == await relay(publishing)

    assert [CHIYODA] == [sender for sender, _, _ in await drain(tokyo, 1)]
    assert [SAPPORO] == [sender for sender, _, _ in await drain(hokkaido, 1)]


async def test_refused_recipient_keeps_no_other_waiting(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """More than a window waits for one without a queue, before what is in the same shard."""
    assert shard_of(SAPPORO, HOKKAIDO) == shard_of(CHIYODA, HAKODATE)
    hakodate = await inbox(channel, "01.012025.#", Plane.RELOCATION)
    await country.publish(*(draft(country, 3 * n + 1) for n in range(WINDOW + 1)))
    notice = MoveInNotice.example().model_copy(
        update={"new_area_code": CHIYODA, "former_area_code": HAKODATE}
    )
    await country.say(CHIYODA, HAKODATE, notice)
    refusals = Refusals(clock=lambda: 0.0)

    async with publisher(link) as publishing:
        database = country.databases[Tier.MUNICIPALITY]
        assert (0, WINDOW) == await relay_window(database, publishing, refusals=refusals)
        assert (1, 0) == await relay_window(database, publishing, refusals=refusals)

    assert [CHIYODA] == [sender for sender, _, _ in await drain(hakodate, 1)]


async def test_refusal_names_the_routing_key(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """The reason of a returned publish is `unroutable`."""
    sent = await country.publish(draft(country, 0))

    async with publisher(link) as publishing:
        (answer,) = await publishing.publish(sent)

    assert isinstance(answer, UnroutableError)
    assert "13.130001.13.131016.identity-update" in str(answer)


async def test_relays_side_by_side_double_nothing_and_keep_each_pairs_order(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """Four relays on one outbox publish each envelope once, each pair in its order."""
    queue = await inbox(channel, "#")
    database = country.databases[Tier.MUNICIPALITY]
    for start in range(0, 900, 30):
        await country.publish(*(draft(country, n) for n in range(start, start + 30)))

    async def relay() -> None:
        async with publisher(link) as publishing:
            while [(0,)] != await country.fetch(Tier.MUNICIPALITY, WAITING):
                await relay_window(database, publishing, refusals=Refusals())

    await asyncio.gather(*(relay() for _ in range(4)))

    arrived = await drain(queue, 900)
    assert 900 == len({message_id for _, _, message_id in arrived})
    by_sender = defaultdict(list)
    for sender, sequence, _ in arrived:
        by_sender[sender].append(sequence)
    assert all(numbers == sorted(numbers) for numbers in by_sender.values())
    assert 900 == sum(map(len, by_sender.values()))


async def test_relay_of_one_node_leaves_the_others_envelopes(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """A node that logs in as itself relays its own envelopes only."""
    queue = await inbox(channel, "#")
    await country.publish(*(draft(country, n) for n in range(9)))

    async with publisher(link) as publishing:
        database = country.databases[Tier.MUNICIPALITY]
        assert (3, 0) == await relay_window(
            database, publishing, refusals=Refusals(), nodes=[HAKODATE]
        )

    assert {HAKODATE} == {sender for sender, _, _ in await drain(queue, 3)}


@asynccontextmanager
async def relaying(database: Database, link: Link) -> AsyncIterator[list[Connection]]:
    """Relay under supervision; gives the connections, the latest last."""
    stop, up = asyncio.Event(), asyncio.Event()
    connections: list[Connection] = []
    bell, refusals = Bell(database.url), Refusals()

    async def session(connection: Connection) -> None:
        connections.append(connection)
        up.set()
        publishing = await ConfirmingPublisher.open(connection)
        await run_relay(
            database,
            publishing,
            refusals=refusals,
            patiently=Patience(stop=stop),
            wait=bell.wait,
            stop=stop,
        )

    running = asyncio.create_task(supervise(link, session, stop=stop))
    await asyncio.wait_for(up.wait(), 10)
    yield connections
    stop.set()
    bell.ring()
    await asyncio.wait_for(running, 10)
    await bell.close()


async def test_relay_goes_on_after_its_connection_is_closed_by_the_broker(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel
) -> None:
    """A lost connection is rebuilt; what was published meanwhile goes out once."""
    queue = await inbox(channel, "#")

    async with relaying(country.databases[Tier.MUNICIPALITY], link) as connections:
        await country.publish(draft(country, 0))
        assert [CHIYODA] == [sender for sender, _, _ in await drain(queue, 1)]
        await connections[0].close()
        await country.publish(draft(country, 3))

        assert [(CHIYODA, 2)] == [arrival[:2] for arrival in await drain(queue, 1)]


async def test_full_queue_is_tried_on_other_connections_and_then_takes_what_waited(
    country: Country, link: Link, channel: aio_pika.abc.AbstractChannel, told: Told
) -> None:
    """Two lines in all, whatever the number of tries; nothing is lost, and others go on."""
    tokyo = await inbox(channel, "13.130001.#", full_at=1)
    hokkaido = await inbox(channel, "01.010006.#")

    database = country.databases[Tier.MUNICIPALITY]
    refused = partial(told.named, telemetry.RELAY_REFUSED)

    async def is_decided() -> bool:
        return bool(refused()) or [(0,)] == await country.fetch(Tier.MUNICIPALITY, WAITING)

    async def is_moved() -> bool:
        return len(connections) > 1

    async with relaying(database, link) as connections:
        published = 0
        while not refused():
            await country.publish(draft(country, 0))
            published += 1
            await until(is_decided)
        await until(is_moved)
        await country.publish(draft(country, 1))
        assert [SAPPORO] == [sender for sender, _, _ in await drain(hokkaido, 1)]
        arrived = await drain(tokyo, published)

    assert set(range(1, published + 1)) == {sequence for _, sequence, _ in arrived}
    assert [(TOKYO, "publish_refused")] == [(r["recipient"], r["reason"]) for r in refused()]
    assert [TOKYO] == [a["recipient"] for a in told.named(telemetry.RELAY_ACCEPTED)]
