"""Three broker nodes that die, are cut off and come back under the real processes (G1, G2)."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import pytest

from jukinet_mq.nodes import Tier, directory
from jukinet_mq.services import Endpoints
from tests.chaos.crew import Flow
from tests.fixtures.broker_cluster import BrokerCluster, clustered, installed_on
from tests.fixtures.databases import DatabaseMaker
from tests.fixtures.doctoring import doctor_on
from tests.fixtures.filing import answered, injected, update
from tests.fixtures.installation import NODES, Installation, Process
from tests.fixtures.proving import nothing_held_against_any, proved

PER_SECOND = 30
FILED = "SELECT count(*) FROM filed_event"
# Two heartbeats, and what a busy machine needs; RabbitMQ itself misses a node after 9 s.
LEFT_WITHIN_SECONDS = 8
CONSUMING_WITHIN_SECONDS = 30
# Each tier's relay learns by itself that its node confirms nothing: three times ten seconds.
ANSWERED_WITHIN = timedelta(seconds=60)
SETTLED_WITHIN = timedelta(seconds=90)
WHOLE = {
    "layer": "copies",
    "ok": True,
    "said": "every queue is on 3 nodes of the broker",
    "fix": "",
    "known": True,
}
_residents = itertools.count(900_000)

pytestmark = [pytest.mark.timeout(240), pytest.mark.needs_root]


@pytest.fixture(scope="module")
async def cluster(rabbitmq_root: Path | None) -> AsyncIterator[BrokerCluster]:
    """Three nodes, whole."""
    with clustered(rabbitmq_root) as made:
        await made.whole()
        yield made


@pytest.fixture(scope="module")
async def installation(
    cluster: BrokerCluster,
    services: Endpoints,
    database_maker: DatabaseMaker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Installation]:
    """An installation on the cluster."""
    home = tmp_path_factory.mktemp("cluster")
    async with installed_on(cluster, services, database_maker, home) as made:
        yield made


@asynccontextmanager
async def under_flow(
    cluster: BrokerCluster, installation: Installation
) -> AsyncIterator[dict[Tier, Process]]:
    """File all the while, with every process logged in at the first node; gives the workers.

    When it is over the cluster is mended, all settles, and everything is counted.
    """
    [[before]] = await installation.fetch(Tier.MUNICIPALITY, FILED)
    flow, told = Flow(installation, PER_SECOND, numbers=_residents), asyncio.Event()
    with installation.workers() as workers:
        await carries_on(installation)
        flowing = asyncio.create_task(flow.run(told))
        try:
            yield {tier: worker.from_now() for tier, worker in workers.items()}
        finally:
            told.set()
            await flowing
            await cluster.mend()
        await installation.settled(within=SETTLED_WITHIN)
        codes = [await asyncio.to_thread(worker.terminate) for worker in workers.values()]
    assert [0, 0, 0] == codes
    [[after]] = await installation.fetch(Tier.MUNICIPALITY, FILED)
    assert after - before >= flow.filed > 0
    await counted(installation)


async def counted(installation: Installation) -> None:
    """Nothing is lost, doubled, unreceipted, retried, parked or left, and the broker is right.

    What a worker had not begun when it was told to end is in its queue again, and what was
    acknowledged to a leader that went: whoever comes next takes it, and knows it.
    """
    if await installation.depths():
        with installation.workers():
            await installation.settled(within=SETTLED_WITHIN)
    await nothing_held_against_any(installation)
    await proved(installation)
    only = [word for code in NODES for word in ("--node", code)]
    checked = await asyncio.to_thread(installation.jukinet, "topology", "check", *only)
    assert 0 == checked.returncode, checked.stdout


async def carries_on(installation: Installation) -> None:
    """File an update and wait until both its keepers have answered: all tiers work."""
    event_id = await asyncio.to_thread(injected, installation, update(next(_residents)))
    await answered_in_time(installation, event_id)


async def answered_in_time(installation: Installation, event_id: str) -> None:
    """Wait until both keepers have answered; when they do not, say where the update is."""
    try:
        await answered(installation, event_id, 2, within=ANSWERED_WITHIN)
    except AssertionError:
        status = await asyncio.to_thread(installation.jukinet, "status", event_id)
        raise AssertionError(status.stdout + status.stderr) from None


async def all_leave(cluster: BrokerCluster, workers: dict[Tier, Process]) -> None:
    """Wait until each worker has given up a connection."""

    def left() -> bool:
        return all(
            any(event["state"] == "lost" for event in worker.events("connection.changed"))
            for worker in workers.values()
        )

    await cluster.until(left, "every worker to leave its node", seconds=LEFT_WITHIN_SECONDS)


async def all_move_on(cluster: BrokerCluster, workers: dict[Tier, Process]) -> None:
    """Wait until each has left its node and every login consumes at another."""
    logins = Counter(directory().node(code).tier for code in NODES)

    def consuming() -> bool:
        return all(
            len(worker.events("worker.started")) >= logins[tier] for tier, worker in workers.items()
        )

    await all_leave(cluster, workers)
    await cluster.until(consuming, "every login to consume", seconds=CONSUMING_WITHIN_SECONDS)


async def leads_again(cluster: BrokerCluster, installation: Installation) -> None:
    """Wait until the first node leads some of the queues."""
    await cluster.until(partial(cluster.nodes[0].leads, installation.vhost), "a leader to come")


async def test_queue_with_too_few_copies_is_named_by_doctor(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """Ours are on every node; one that was made on a single node is lost with it."""
    copies = partial(doctor_on, "copies", installation)
    await cluster.until(lambda: copies() == WHOLE, "doctor to see nothing wrong")
    connection = await aio_pika.connect(installation.amqp_url)
    async with connection:
        channel = await connection.channel()
        lone: dict[str, Any] = {"x-queue-type": "quorum", "x-quorum-initial-group-size": 1}
        await channel.declare_queue("lone", durable=True, arguments=lone)
        await cluster.until(lambda: not copies()["ok"], "doctor to see it")
        named = await asyncio.to_thread(copies)
        await channel.queue_delete("lone")

    assert "1 of 8 queues are on fewer than 3 nodes, the first: lone" == named["said"]
    assert "rabbitmq-queues grow" in named["fix"]


async def test_lost_node_is_named_by_doctor_with_its_address_and_its_copies(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """An operator sees what is left, and what to start."""
    lost = cluster.nodes[2]
    await asyncio.to_thread(lost.kill)
    try:
        await cluster.until(
            lambda: lost.name not in cluster.nodes[0].sees_running(), "the node to be missed"
        )
        broker = await asyncio.to_thread(doctor_on, "broker", installation)
        copies = await asyncio.to_thread(doctor_on, "copies", installation)
        logins = await asyncio.to_thread(doctor_on, "credentials", installation)
    finally:
        await cluster.mend()

    assert broker["said"].endswith(f"3 node(s); {lost.name} does not run")
    assert "7 of 7 queues have lost a copy, the first: cs.011002" == copies["said"]
    assert f"1 of 3 addresses do not answer: {lost.machine.address}:5672" in logins["said"]
    assert WHOLE == await asyncio.to_thread(doctor_on, "copies", installation)


async def test_copy_out_of_step_is_named_by_doctor_and_mended_by_a_restart_of_its_node(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """Every node runs, and yet one more may not be lost."""
    await cluster.whole()
    cluster.nodes[1].end_copy(installation.vhost, "jlis")
    try:
        copies = await asyncio.to_thread(doctor_on, "copies", installation)
        assert "1 of 7 queues have lost a copy, the first: jlis" == copies["said"]
        assert "rabbitmq-queues quorum_status" in copies["fix"]
        assert {cluster.nodes[1].name} == cluster.nodes[0].sees_out_of_step()
    finally:
        await cluster.mend()

    assert WHOLE == await asyncio.to_thread(doctor_on, "copies", installation)


async def test_killed_node_is_left_at_once_and_comes_back_into_step(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """The node of every client dies under load, with leaders on it: all move on."""
    first = cluster.nodes[0]
    await leads_again(cluster, installation)
    async with under_flow(cluster, installation) as workers:
        await asyncio.to_thread(first.kill)
        await all_move_on(cluster, workers)
        await carries_on(installation)

        assert not first.accepts()


async def test_connection_that_was_told_of_a_dead_leader_is_given_up(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """RabbitMQ 3.10 nacks to its end on a channel that was; on a later one it does not."""
    lost, nacks = cluster.nodes[2], cluster.pauses_minorities()
    await asyncio.to_thread(lost.kill)
    try:
        await cluster.until(
            lambda: lost.name not in cluster.nodes[0].sees_running(), "the node to be missed"
        )
        with installation.workers() as workers:
            refusals = partial(workers[Tier.MUNICIPALITY].events, "relay.refused")
            with cluster.misled(installation.vhost, "pref.13", lost):
                # The first to this queue on the relay's connection.
                event_id = await asyncio.to_thread(injected, installation, update(next(_residents)))
                if nacks:
                    await cluster.until(refusals, "a refusal")
                else:
                    await answered_in_time(installation, event_id)
            await answered_in_time(installation, event_id)
            await installation.settled(within=SETTLED_WITHIN)
            codes = [await asyncio.to_thread(worker.terminate) for worker in workers.values()]
        assert [0, 0, 0] == codes
    finally:
        await cluster.mend()
    await counted(installation)


async def test_drained_node_hands_over_its_queues_and_its_clients(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """Before a node is stopped: leaders and clients go elsewhere under load, and come back."""
    first = cluster.nodes[0]
    async with under_flow(cluster, installation) as workers:
        await asyncio.to_thread(first.drain)
        await all_move_on(cluster, workers)
        assert set() == await asyncio.to_thread(first.leads, installation.vhost)
        await carries_on(installation)
        await asyncio.to_thread(first.tool, "rabbitmq-upgrade", "revive")
        await cluster.mend()
        await leads_again(cluster, installation)


async def test_node_in_the_minority_is_left_for_the_majority(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """Cut from its peers, not from its clients: they notice before the node itself does."""
    first, pauses = cluster.nodes[0], cluster.pauses_minorities()
    async with under_flow(cluster, installation) as workers:
        cluster.network.isolate(first.machine)
        await all_leave(cluster, workers)
        assert first.accepts()
        await all_move_on(cluster, workers)
        await carries_on(installation)

        if pauses:
            await cluster.until(lambda: not first.accepts(), "the minority to pause")


async def test_lost_majority_confirms_nothing_and_loses_nothing(
    cluster: BrokerCluster, installation: Installation
) -> None:
    """All are cut from all: what is filed waits in the outbox, and goes out when it is over."""
    pauses = cluster.pauses_minorities()
    async with under_flow(cluster, installation) as workers:
        for node in cluster.nodes:
            cluster.network.isolate(node.machine)
        event_id = await asyncio.to_thread(injected, installation, update(next(_residents)))
        await all_leave(cluster, workers)
        if pauses:
            await cluster.until(
                lambda: not any(node.accepts() for node in cluster.nodes), "all to pause"
            )
        [[relayed]] = await installation.fetch(
            Tier.MUNICIPALITY,
            "SELECT count(relayed_at) FROM outbox WHERE event_id = $1",
            UUID(event_id),
        )
        assert 0 == relayed
        await cluster.mend()
        await answered_in_time(installation, event_id)
