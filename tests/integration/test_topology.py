"""The topology on the real broker: applied, checked, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import urlsplit

import aio_pika
import aiormq
import psutil
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from jukinet_mq.broker.management import ManagementClient
from jukinet_mq.broker.topology import apply, check
from jukinet_mq.errors import (
    BrokerAccessError,
    BrokerUnavailableError,
    DeadlineExceededError,
    TopologyDriftError,
)
from jukinet_mq.nodes import directory
from jukinet_mq.services import Endpoints
from jukinet_mq.topology.build import build
from jukinet_mq.topology.difference import Problem
from tests.fixtures.virtual_hosts import VirtualHost

SIX = build(
    directory(),
    nodes=[
        directory().node(code)
        for code in ("131016", "131041", "011002", "130001", "010006", "jlis")
    ],
)
PASSWORDS = MappingProxyType({user.name: f"password-of-{user.name}" for user in SIX.users})
OWN_KEY = "13.131041.13.131016.move-in-notice"


@pytest.fixture
async def client(vhost: VirtualHost) -> AsyncIterator[ManagementClient]:
    """The management API of this test's virtual host, which holds six nodes' topology."""
    async with ManagementClient.open(vhost.management_url, vhost=vhost.name) as opened:
        assert [] == await apply(opened, SIX, PASSWORDS)
        yield opened


@asynccontextmanager
async def channel(vhost: VirtualHost, login: str) -> AsyncIterator[AbstractChannel]:
    """Open a channel with confirms, as *login*."""
    parts = urlsplit(vhost.amqp_url)
    url = f"amqp://{login}:{PASSWORDS[login]}@{parts.hostname}:{parts.port}/{vhost.name}"
    connection = await aio_pika.connect(url, timeout=10)
    async with connection:
        yield await connection.channel(publisher_confirms=True)


async def publish(
    on: AbstractChannel, exchange: str, key: str, *, user_id: str | None = None
) -> None:
    """Publish to an exchange without declaring it: a node may not."""
    target = await on.get_exchange(exchange, ensure=False)
    await target.publish(aio_pika.Message(b"x", user_id=user_id), key, timeout=10)


async def ready(vhost: VirtualHost) -> dict[str, int]:
    """Return how many messages wait where, as the broker counts them now; empty queues left out."""
    connection = await aio_pika.connect(vhost.amqp_url, timeout=10)
    async with connection:
        on = await connection.channel()
        found = [await on.declare_queue(queue.name, passive=True) for queue in SIX.queues]
    counts = {queue.name: queue.declaration_result.message_count or 0 for queue in found}
    return {name: count for name, count in counts.items() if count}


async def put_back(message: AbstractIncomingMessage) -> None:
    """Fail at a delivery, as a consumer does that dies of it."""
    await message.reject(requeue=True)


# --- Apply and check ----------------------------------------------------------------------


async def test_subset_is_applied_twice_without_a_difference(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """The second apply changes nothing; every queue is an empty quorum queue."""
    assert [] == await apply(client, SIX, PASSWORDS)
    assert [] == await check(client, SIX)

    queues = await client.queues()
    assert {queue.name for queue in SIX.queues} == {queue.name for queue in queues}
    assert {"quorum"} == {queue.type for queue in queues}
    assert {} == await ready(vhost)


async def test_nation_is_applied_in_time(services: Endpoints) -> None:
    """1,790 queues, 3,674 bindings and 1,792 logins stand in under 30 s of two cores.

    Counted in the broker's processor time, which other work on the machine does not lengthen;
    on idle cores 15 s pass on RabbitMQ 3.10 and 22 s on 4.3.

    In `/`, which no other test uses: it goes with the broker, since RabbitMQ needs more than a
    minute to delete that many queues.
    """
    nation = build(directory())
    async with ManagementClient.open(services.management_url) as client:
        begun = processor_seconds(services)
        assert [] == await apply(client, nation, PASSWORDS)
        applied = processor_seconds(services)
        assert [] == await check(client, nation)
        checked = processor_seconds(services)

    assert applied - begun < 2 * 30
    assert checked - applied < 2 * 5


def processor_seconds(services: Endpoints) -> float:
    """Return how much processor time the broker has used so far."""
    used = psutil.Process(services.pids["rabbitmq"]).cpu_times()
    return used.user + used.system


async def _drop_queue(client: ManagementClient) -> None:
    await client.delete(f"queues/{client.vhost_path}/cs.131016")


async def _classic_queue(client: ManagementClient) -> None:
    await client.delete(f"queues/{client.vhost_path}/jlis")
    await client.put(f"queues/{client.vhost_path}/jlis", {"durable": True, "arguments": {}})


async def _foreign_binding(client: ManagementClient) -> None:
    await client.post(
        f"bindings/{client.vhost_path}/e/juki.relocation/q/cs.131016",
        {"routing_key": "01.011002.#"},
    )


async def _tap(client: ManagementClient) -> None:
    await client.put(f"queues/{client.vhost_path}/tap", {"durable": True})
    await client.post(f"bindings/{client.vhost_path}/e/juki.identity/q/tap", {"routing_key": "#"})


async def _extra_queue(client: ManagementClient) -> None:
    await client.put(f"queues/{client.vhost_path}/cs.999999", {"durable": True})


async def _extra_exchange(client: ManagementClient) -> None:
    await client.put(f"exchanges/{client.vhost_path}/juki.unroutable", {"type": "fanout"})


async def _alternate_exchange(client: ManagementClient) -> None:
    await client.delete(f"exchanges/{client.vhost_path}/juki.receipt")
    await client.put(
        f"exchanges/{client.vhost_path}/juki.receipt",
        {"type": "topic", "durable": True, "arguments": {"alternate-exchange": "elsewhere"}},
    )


async def _wide_permission(client: ManagementClient) -> None:
    (given,) = (given for given in SIX.permissions if given.user == "131016")
    await client.set_permissions("131016", configure="^$", write=given.write, read=".*")


async def _foreign_user(client: ManagementClient) -> None:
    await client.set_user("mallory", "secret")
    await client.set_permissions("mallory", configure="", write="", read=".*")


async def _policy(client: ManagementClient) -> None:
    definition = {"message-ttl": 2000, "max-length": 5}
    await client.put(
        f"policies/{client.vhost_path}/everything", {"pattern": ".*", "definition": definition}
    )


async def _expiring_queues(client: ManagementClient) -> None:
    await client.put(
        f"policies/{client.vhost_path}/forget",
        {"pattern": r"^cs\.1", "apply-to": "queues", "definition": {"expires": 60_000}},
    )


async def _alternate_exchange_by_policy(client: ManagementClient) -> None:
    await client.put(
        f"policies/{client.vhost_path}/tap",
        {
            "pattern": "identity$",
            "apply-to": "exchanges",
            "definition": {"alternate-exchange": "elsewhere"},
        },
    )


async def _operator_policy(client: ManagementClient) -> None:
    await client.put(
        f"operator-policies/{client.vhost_path}/small disks",
        {"pattern": "^jlis", "apply-to": "queues", "definition": {"max-length-bytes": 1000}},
    )


async def _user_limits(client: ManagementClient) -> None:
    await client.put("user-limits/131016/max-connections", {"value": 0})


async def _vhost_limits(client: ManagementClient) -> None:
    await client.put(f"vhost-limits/{client.vhost_path}/max-connections", {"value": 3})


async def _tracing(client: ManagementClient) -> None:
    await client.put(f"vhosts/{client.vhost_path}", {"tracing": True})


async def _default_exchange(client: ManagementClient) -> None:
    await client.set_user("mallory", "secret")
    await client.set_permissions("mallory", configure="", write="^amq", read="")


async def _policymaker(client: ManagementClient) -> None:
    await client.set_user("mallory", "secret", tags=("policymaker",))
    await client.set_permissions("mallory", configure="", write="", read="")


async def _no_topic_permission(client: ManagementClient) -> None:
    await client.delete(f"topic-permissions/{client.vhost_path}/jlis")


async def _promoted_user(client: ManagementClient) -> None:
    await client.set_user("131016", PASSWORDS["131016"], tags=("impersonator",))


async def _no_user(client: ManagementClient) -> None:
    await client.delete_user("operators")


@pytest.mark.parametrize(
    ("plant", "lines"),
    [
        (
            _drop_queue,
            [
                "missing binding juki.receipt -> cs.131016 by 13.131016.#",
                "missing binding juki.relocation -> cs.131016 by 13.131016.#",
                "missing queue cs.131016",
            ],
        ),
        (_no_topic_permission, ["missing topic permission jlis on juki.receipt"]),
        (_promoted_user, ["wrong user 131016: tags is ('impersonator',), expected ()"]),
        (_no_user, ["missing permission operators", "missing user operators"]),
        (
            _wide_permission,
            [
                "wrong permission 131016: read is .*, expected ^cs\\.131016$",
            ],
        ),
    ],
)
async def test_what_an_import_can_mend_is_named_then_mended(
    client: ManagementClient,
    plant: Callable[[ManagementClient], Awaitable[None]],
    lines: list[str],
) -> None:
    """Check names every planted difference, and the next apply takes it away."""
    await plant(client)

    assert lines == [str(difference) for difference in await check(client, SIX)]
    assert [] == await apply(client, SIX, PASSWORDS)


@pytest.mark.parametrize(
    ("plant", "line"),
    [
        (_foreign_binding, "unexpected binding juki.relocation -> cs.131016 by 01.011002.#"),
        (_tap, "unexpected binding juki.identity -> tap by #"),
        (_extra_queue, "unexpected queue cs.999999"),
        (_extra_exchange, "unexpected exchange juki.unroutable"),
        (
            _alternate_exchange,
            "wrong exchange juki.receipt: alternate-exchange is elsewhere, expected absent",
        ),
        (_classic_queue, "x-queue-type is classic, expected quorum"),
        (_foreign_user, "unexpected permission mallory"),
        (_default_exchange, "unexpected permission mallory"),
        (_policymaker, "unexpected permission mallory"),
        (
            _policy,
            (
                "unexpected policy everything: sets max-length 5, message-ttl 2000 on 11 of our "
                "queues and exchanges, the first cs.011002; remove it: `rabbitmqctl clear_policy -p"
            ),
        ),
        (_expiring_queues, "unexpected policy forget: sets expires 60000 on 2 of our"),
        (
            _alternate_exchange_by_policy,
            (
                "unexpected policy tap: sets alternate-exchange elsewhere on 1 of our queues and "
                "exchanges, the first juki.identity; remove it: `rabbitmqctl clear_policy -p"
            ),
        ),
        (
            _operator_policy,
            (
                "unexpected operator policy small disks: sets max-length-bytes 1000 on 1 of our "
                "queues and exchanges, the first jlis; remove it: `rabbitmqctl clear_operator_"
            ),
        ),
        (
            _user_limits,
            (
                "unexpected user limit 131016: max-connections is 0, expected none; remove it: "
                "`rabbitmqctl clear_user_limits 131016 max-connections`"
            ),
        ),
        (_vhost_limits, "max-connections is 3, expected none; remove it: `rabbitmqctl clear_vhost"),
        (_tracing, "unexpected tracing "),
    ],
)
async def test_what_a_person_must_mend_is_named_and_stays(
    client: ManagementClient, plant: Callable[[ManagementClient], Awaitable[None]], line: str
) -> None:
    """Apply deletes nothing: what is too much or cannot be changed is told, before and after."""
    try:
        await plant(client)
        before = [str(difference) for difference in await check(client, SIX)]
        after = [str(difference) for difference in await apply(client, SIX, PASSWORDS)]

        assert any(line in found for found in before)
        assert [True] == [line in found for found in after]
    finally:
        await _forget_what_is_the_brokers(client, plant)


async def _forget_what_is_the_brokers(
    client: ManagementClient, plant: Callable[[ManagementClient], Awaitable[None]]
) -> None:
    """Remove what does not go with the virtual host."""
    if plant in {_foreign_user, _default_exchange, _policymaker}:
        await client.delete_user("mallory")
    if plant is _user_limits:
        await client.delete("user-limits/131016/max-connections")


async def test_what_the_broker_does_not_tell_is_not_taken_for_right(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """A login that may see queues only is told what it cannot know; nothing is applied with it."""
    await client.set_user("watcher", "secret", tags=("monitoring",))
    await client.set_permissions("watcher", configure="^$", write="^$", read="^$")
    try:
        place = urlsplit(vhost.management_url).netloc.rpartition("@")[2]
        async with ManagementClient.open(
            f"http://watcher:secret@{place}", vhost=vhost.name
        ) as watching:
            found = await check(watching, SIX)
            with pytest.raises(BrokerAccessError):
                await apply(watching, SIX, PASSWORDS)
    finally:
        await client.delete_user("watcher")

    assert {Problem.UNKNOWN} == {one.problem for one in found}
    unknown = {one.what for one in found}
    assert unknown >= {"users", "permissions", "topic permissions", "shovels"}
    assert not unknown & {"queues", "exchanges", "bindings"}
    assert all("refuses" in one.detail for one in found)


# --- Isolation: the broker itself refuses -------------------------------------------------


async def test_own_envelope_passes_to_every_keeper_once(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """A node's own publish is confirmed and lies once in each keeper's queue."""
    async with channel(vhost, "131016") as own:
        await publish(own, "juki.relocation", OWN_KEY, user_id="131016")

    assert {"cs.131041": 1, "pref.13": 1, "jlis": 1} == await ready(vhost)


@pytest.mark.parametrize(
    ("exchange", "key", "user_id"),
    [
        ("juki.relocation", "13.131041.01.011002.move-in-notice", "131016"),
        ("juki.relocation", "13.131041.27.131016.move-in-notice", "131016"),
        ("juki.identity", "01.010006.13.131016.identity-update", "131016"),
        ("juki.identity", "00.jlis.13.130001.identity-forward", "131016"),
        ("juki.dead", "", "131016"),
        ("", "cs.131041", "131016"),
    ],
    ids=["sender", "own-prefecture", "foreign-prefecture", "upward", "dead", "default-exchange"],
)
async def test_node_cannot_publish_as_another_or_past_the_planes(
    client: ManagementClient, vhost: VirtualHost, exchange: str, key: str, user_id: str
) -> None:
    """The broker closes the channel with ACCESS_REFUSED, and no queue holds anything."""
    async with channel(vhost, "131016") as own:
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await publish(own, exchange, key, user_id=user_id)

    assert {} == await ready(vhost)


async def test_node_cannot_set_anothers_user_id(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """The broker proves `user_id`: only the login itself, or an impersonating centre, sets it."""
    async with channel(vhost, "131016") as own:
        with pytest.raises(aiormq.exceptions.ChannelPreconditionFailed):
            await publish(own, "juki.relocation", OWN_KEY, user_id="011002")

    assert {} == await ready(vhost)


async def test_centre_publishes_for_its_nodes_and_for_no_other_tier(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """The municipalities' centre may set any user_id, but not a prefecture's routing key."""
    async with channel(vhost, "centre-municipalities") as centre:
        await publish(centre, "juki.relocation", OWN_KEY, user_id="131016")
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await publish(centre, "juki.receipt", "13.131016.13.130001.receipt", user_id="130001")


@pytest.mark.parametrize("queue", ["cs.131041", "pref.13", "jlis", "juki.dead"])
async def test_node_cannot_read_anothers_queue(
    client: ManagementClient, vhost: VirtualHost, queue: str
) -> None:
    """Neither consuming nor getting nor purging is allowed."""
    async with channel(vhost, "131016") as own:
        foreign = await own.get_queue(queue, ensure=False)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await foreign.consume(put_back)
    async with channel(vhost, "131016") as own:
        foreign = await own.get_queue(queue, ensure=False)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await foreign.get(timeout=10, fail=False)
    async with channel(vhost, "131016") as own:
        foreign = await own.get_queue(queue, ensure=False)
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await foreign.purge()


async def test_node_cannot_bind_declare_or_delete(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """A node can bind another's key neither to its queue nor to a new one, nor delete its own."""

    async def refused(attempt: Callable[[AbstractChannel], Awaitable[object]]) -> None:
        async with channel(vhost, "131016") as own:
            with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
                await attempt(own)

    async def bind(own: AbstractChannel) -> None:
        queue = await own.get_queue("cs.131016", ensure=False)
        await queue.bind("juki.relocation", "01.011002.#")

    await refused(bind)
    await refused(lambda own: own.declare_queue("tap", exclusive=True))
    await refused(lambda own: own.declare_exchange("tap", durable=True))
    await refused(lambda own: own.queue_delete("cs.131016"))
    assert [] == await check(client, SIX)


async def test_login_without_password_hash_lets_nobody_in(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """Applied without credentials, a user can log in by certificate only, whatever is tried."""
    assert [] == await apply(client, SIX)

    for password in ("", PASSWORDS["131016"]):
        parts = urlsplit(vhost.amqp_url)
        url = f"amqp://131016:{password}@{parts.hostname}:{parts.port}/{vhost.name}"
        with pytest.raises(aiormq.exceptions.AMQPConnectionError):
            await aio_pika.connect(url, timeout=10)


# --- The fuse -----------------------------------------------------------------------------


async def test_delivery_that_keeps_killing_its_consumer_ends_in_the_dead_queue(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """After the delivery limit RabbitMQ moves it to juki.dead, once, and the inbox is empty."""
    async with channel(vhost, "131016") as own:
        await publish(own, "juki.relocation", OWN_KEY, user_id="131016")
    dead: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()
    deliveries = 0

    async def fail(message: AbstractIncomingMessage) -> None:
        nonlocal deliveries
        deliveries += 1
        await message.reject(requeue=True)

    async def keep(message: AbstractIncomingMessage) -> None:
        dead.set_result(message)

    async with channel(vhost, "operators") as operators, channel(vhost, "131041") as reader:
        await (await operators.get_queue("juki.dead", ensure=False)).consume(keep)
        await (await reader.get_queue("cs.131041", ensure=False)).consume(fail)
        found = await asyncio.wait_for(dead, 30)

    assert 21 == deliveries
    assert OWN_KEY == found.routing_key
    assert "cs.131041" == found.headers["x-first-death-queue"]


async def test_dead_queue_never_drops_what_is_looked_at(
    client: ManagementClient, vhost: VirtualHost
) -> None:
    """Taken and put back more often than any default limit, a dead envelope is still there."""
    async with channel(vhost, "131016") as own:
        await publish(own, "juki.relocation", OWN_KEY, user_id="131016")
    looked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    looks = 0

    async def look(message: AbstractIncomingMessage) -> None:
        nonlocal looks
        looks += 1
        if looks > 60:
            await message.ack()
            looked.set_result(None)
        else:
            await message.reject(requeue=True)

    async with channel(vhost, "operators") as operators, channel(vhost, "131041") as reader:
        await (await reader.get_queue("cs.131041", ensure=False)).consume(put_back)
        await (await operators.get_queue("juki.dead", ensure=False)).consume(look)
        await asyncio.wait_for(looked, 60)

    assert 61 == looks


# --- The management client ----------------------------------------------------------------


async def test_overview_tells_version_and_alarms(client: ManagementClient) -> None:
    """What `doctor` shows: a healthy single node of a supported version."""
    overview = await client.wait_until_ready(timedelta(seconds=10))

    assert overview.healthy
    assert 1 == len(overview.nodes)
    assert (3, 10) <= tuple(map(int, overview.version.split(".")[:2])) < (5, 0)


async def test_wrong_password_is_an_access_error(services: Endpoints) -> None:
    """The text names neither login nor password."""
    parts = urlsplit(services.management_url)
    url = f"{parts.scheme}://nobody:secret@{parts.hostname}:{parts.port}"
    async with ManagementClient.open(url) as client:
        with pytest.raises(BrokerAccessError) as caught:
            await client.overview()
    assert "secret" not in str(caught.value)


async def test_unknown_queue_is_drift(client: ManagementClient) -> None:
    """Asking for a queue that is not there points to the topology check."""
    with pytest.raises(TopologyDriftError, match="topology check"):
        await client.queue("cs.999999")


async def test_absent_broker_is_unavailable_and_waiting_ends(unused_tcp_port: int) -> None:
    """One call says that the broker is away; waiting for it ends at the deadline."""
    async with ManagementClient.open(f"http://a:b@127.0.0.1:{unused_tcp_port}") as client:
        with pytest.raises(BrokerUnavailableError, match="does not answer GET"):
            await client.overview()
        with pytest.raises(DeadlineExceededError, match="management API"):
            await client.wait_until_ready(timedelta(seconds=0.3))
