"""Every sort of AMQP properties, from raw frames on the real broker to the real pipeline."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import aio_pika
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

from jukinet_mq.broker import decoding
from jukinet_mq.broker.caution import Caution
from jukinet_mq.broker.connection import Link, connect
from jukinet_mq.broker.consuming import BatchConsumer
from jukinet_mq.clock import utc_now
from jukinet_mq.envelope import CONTENT_TYPE as JOSE
from jukinet_mq.envelope import Delivery, SignedEnvelope, type_name
from jukinet_mq.nodes import Tier
from jukinet_mq.services import Endpoints
from tests.fixtures import raw_amqp
from tests.fixtures.bodies import update
from tests.fixtures.country import CHIYODA, TOKYO, Country
from tests.fixtures.raw_amqp import ClosedByBrokerError, long_string, raw_publisher, short_string
from tests.fixtures.virtual_hosts import VirtualHost
from tests.fuzz.budget import examples

decoding.install()

EXCHANGE = "juki.identity"
QUEUE = "pref.13"
HEARTBEAT = timedelta(seconds=10)
short_bytes = st.binary(max_size=40) | st.sampled_from(
    ["住民".encode("cp932"), b"\xff" * 255, b"\0", b"\xed\xa0\x80", b"131016", b"\r\n", b""]
)
eight_bytes = st.integers(0, 2**64 - 1).map(lambda n: struct.pack(">Q", n)) | st.sampled_from(
    [struct.pack(">Q", n) for n in (0, 2**31, 2**32, 2**63, 1_790_000_000_000_000)]
)
# Every field type of RabbitMQ's errata to AMQP 0-9-1, and letters that are none.
scalars = st.one_of(
    st.tuples(st.sampled_from([b"t", b"b", b"B"]), st.binary(min_size=1, max_size=1)),
    st.tuples(st.sampled_from([b"s", b"u"]), st.binary(min_size=2, max_size=2)),
    st.tuples(st.sampled_from([b"I", b"i", b"f"]), st.binary(min_size=4, max_size=4)),
    st.tuples(st.sampled_from([b"l", b"L", b"d", b"T"]), eight_bytes),
    st.tuples(st.just(b"D"), st.binary(min_size=5, max_size=5)),
    st.tuples(st.sampled_from([b"S", b"x"]), st.binary(max_size=300).map(long_string)),
    st.tuples(st.just(b"V"), st.just(b"")),
).map(b"".join)
fields = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda some: b"A" + long_string(b"".join(some))),
        st.lists(st.tuples(short_bytes.map(short_string), inner), max_size=4).map(
            lambda pairs: b"F" + long_string(b"".join(map(b"".join, pairs)))
        ),
    ),
    max_leaves=8,
)


def nested(depth: int) -> bytes:
    """Return a table inside as many tables."""
    table = b""
    for _ in range(depth):
        table = b"\x01aF" + long_string(table)
    return long_string(table)


tables = st.one_of(
    st.lists(st.tuples(short_bytes.map(short_string), fields), max_size=4).map(
        lambda pairs: long_string(b"".join(map(b"".join, pairs)))
    ),
    st.integers(1, 2_500).map(nested),
    st.integers(1, 60_000).map(lambda count: long_string(b"\x01aA" + long_string(b"V" * count))),
)
Properties = tuple[int, bytes]


@st.composite
def odd_properties(draw: st.DrawFn, whole: dict[int, bytes]) -> Properties:
    """Draw flags and bytes: those of *whole* by flag, with up to three taken away or replaced."""
    found = dict(whole)
    values: list[tuple[int, st.SearchStrategy[bytes]]] = [
        (flag, short_bytes.map(short_string))
        for flag in (
            raw_amqp.CONTENT_TYPE, raw_amqp.CONTENT_ENCODING, raw_amqp.CORRELATION_ID,
            raw_amqp.REPLY_TO, raw_amqp.MESSAGE_ID, raw_amqp.TYPE,
            raw_amqp.APP_ID, raw_amqp.CLUSTER_ID,
        )
    ]  # fmt: skip
    values += [
        # A number of milliseconds would be obeyed by the broker: such a message never arrives.
        (raw_amqp.EXPIRATION, short_bytes.filter(lambda v: not v.isdigit()).map(short_string)),
        (raw_amqp.HEADERS, tables),
        (raw_amqp.TIMESTAMP, eight_bytes),
        (raw_amqp.PRIORITY, st.binary(min_size=1, max_size=1)),
        (raw_amqp.DELIVERY_MODE, st.binary(min_size=1, max_size=1)),
    ]
    for flag, value in draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)):
        if flag in found and draw(st.booleans()):
            del found[flag]
        else:
            found[flag] = draw(value)
    return sum(found), b"".join(found[flag] for flag in sorted(found, reverse=True))


def properties_of(envelope: SignedEnvelope) -> dict[int, bytes]:
    """Return what the published wire format wants, by flag and in their order."""
    header = envelope.header
    kind = type_name(header.kind, header.version)
    return {
        raw_amqp.CONTENT_TYPE: short_string(JOSE.encode()),
        raw_amqp.DELIVERY_MODE: b"\x02",
        raw_amqp.MESSAGE_ID: short_string(str(header.id).encode()),
        raw_amqp.TIMESTAMP: struct.pack(">Q", int(header.time.timestamp())),
        raw_amqp.TYPE: short_string(kind.encode()),
        raw_amqp.USER_ID: short_string(header.sender.encode()),
    }


@examples(250)
@given(
    drawn=odd_properties({raw_amqp.MESSAGE_ID: b"\x03abc"}),
    cut=st.integers(0, 40),
    junk=st.none() | st.binary(max_size=60),
)
def test_no_header_frame_stops_the_reading_of_frames(
    drawn: Properties, cut: int, junk: bytes | None
) -> None:
    """Whatever bytes follow the fixed part, properties are whole, or there are none and why."""
    flags, properties = drawn
    raw = struct.pack(">H", flags) + properties if junk is None else junk
    frame = struct.pack(">HHQ", 60, 0, 1234) + raw[: len(raw) - cut // 20]

    header = ContentHeader()
    header.unmarshal(frame)

    assert 1234 == header.body_size
    for name in Basic.Properties.__slots__:
        value = getattr(header.properties, name)
        if decoding.undecodable(header) is not None:
            assert not value
        elif isinstance(value, str):
            value.encode()


@pytest.fixture
async def chiyoda_url(vhost: VirtualHost, management: httpx.AsyncClient) -> AsyncIterator[str]:
    """Where Chiyoda publishes, as itself, into a virtual host where Tokyo's queue gets all."""
    async with await aio_pika.connect(vhost.amqp_url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
        arguments: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": 20}
        queue = await channel.declare_queue(QUEUE, durable=True, arguments=arguments)
        await queue.bind(declared, "#")
    user = {"password": "synthetic", "tags": ""}
    (await management.put(f"/users/{CHIYODA}", json=user)).raise_for_status()
    rights = {"configure": "", "write": ".*", "read": ""}
    granted = await management.put(f"/permissions/{vhost.name}/{CHIYODA}", json=rights)
    granted.raise_for_status()
    address = vhost.amqp_url.rpartition("@")[2]
    yield f"amqp://{CHIYODA}:synthetic@{address}"
    (await management.delete(f"/users/{CHIYODA}")).raise_for_status()


async def consume(link: Link, count: int) -> list[Delivery]:
    """Take up to *count* deliveries from Tokyo's queue, on one connection that must not break."""
    connection = await connect(link, link.urls[0])
    try:
        consumer = await BatchConsumer.start(
            connection, {QUEUE: TOKYO}, in_flight=1_000, clock=utc_now, patience=HEARTBEAT,
            caution=Caution(),
        )  # fmt: skip
        found: list[Delivery] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                while len(found) < count:
                    batch = await consumer.next_batch(limit=100, stop=asyncio.Event())
                    assert batch is not None
                    found += batch.deliveries
                    await batch.ack()
        return found
    finally:
        await connection.close()


@examples(3, shrinks=False)
@given(data=st.data())
async def test_odd_properties_are_held_alone_and_break_no_connection(
    country: Country,
    vhost: VirtualHost,
    services: Endpoints,
    chiyoda_url: str,
    data: st.DataObject,
) -> None:
    """All that the broker takes arrives once, on one connection; the good ones are kept."""
    sent = [await country.say(CHIYODA, TOKYO, update(n)) for n in range(30)]
    good = sent[::3]
    taken: dict[bytes, Properties] = {}
    for envelope in sent:
        whole = properties_of(envelope)
        flags, properties = data.draw(odd_properties(whole))
        if envelope in good:
            flags, properties = sum(whole), b"".join(whole.values())
        with suppress(ClosedByBrokerError):
            async with raw_publisher(chiyoda_url) as publisher:
                key = envelope.routing_key.encode()
                await publisher.publish(EXCHANGE, key, flags, properties, envelope.signed)
                taken[envelope.signed] = flags, properties

    link = Link((vhost.amqp_url,), services.admin_user, services.admin_password)
    arrived = await consume(link, len(taken))
    tallies = await country.hand_over(arrived)

    missing = taken.keys() - {delivery.signed for delivery in arrived}
    assert [] == [taken[signed] for signed in missing]
    assert len(taken) == sum(t.kept + t.duplicates + t.quarantined for t in tallies)
    kept = await country.fetch(
        Tier.PREFECTURE, "SELECT count(*) FROM archive WHERE message_id = ANY ($1)",
        [envelope.header.id for envelope in good],
    )  # fmt: skip
    assert [(len(good),)] == kept
    async with await aio_pika.connect(vhost.amqp_url) as near:
        queue = await (await near.channel()).get_queue(QUEUE, ensure=False)
        assert await queue.get(fail=False) is None
