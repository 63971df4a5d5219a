"""The proof's queries on real databases: what the pipeline has done, and what a fault leaves."""

from __future__ import annotations

from uuid import UUID

import aio_pika
import asyncpg
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.broker.depths import depths
from jukinet_mq.errors import TopologyDriftError
from jukinet_mq.load.progress import Country as Databases
from jukinet_mq.load.proof import Proof, prove
from jukinet_mq.load.tally import tally
from jukinet_mq.messages import IdentityUpdate, MoveInNotice
from jukinet_mq.nodes import Tier
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store.proof import Mark
from tests.fixtures.country import (
    CHIYODA,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    delivery,
    tampered,
)
from tests.fixtures.virtual_hosts import VirtualHost


async def proven(country: Country, since: dict[Tier, Mark] | None = None) -> Proof:
    """Read all books and prove them."""
    databases = Databases(country.databases)
    books = await databases.books(since or await databases.marks())
    return prove(books, {})


async def test_real_work_is_proven_and_followed_to_its_end(country: Country) -> None:
    """An update and a notice, carried through all tiers: complete, whole and answered."""
    databases = Databases(country.databases)
    since = await databases.marks()
    country.later(seconds=1)
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    assert not (await databases.progress(since)).complete

    await country.settle()

    reached = await databases.progress(since)
    proof = await proven(country, since)
    assert reached.complete
    assert proof.holds, proof
    assert 2 == proof.effects
    assert reached.receipts == (proof.receipts, proof.receipts)


async def test_second_run_counts_its_own_and_proves_the_whole(country: Country) -> None:
    """The tally is of what came after the mark, the proof of everything."""
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.settle()
    databases = Databases(country.databases)
    country.later(seconds=1)
    since = await databases.marks()
    country.later(seconds=1)
    await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    await country.settle()

    books = await databases.books(since)
    found = {kind.kind: kind for kind in tally(books, {t: m.position for t, m in since.items()})}

    assert "identity-update" not in found
    assert (1, 4, 4) == (
        found["move-in-notice"].published,
        found["move-in-notice"].kept,
        found["move-in-notice"].receipted,
    )
    assert (await proven(country)).holds
    assert (await databases.progress(since)).complete


@pytest.mark.parametrize(
    ("tier", "fault", "name"),
    [
        (Tier.NATIONAL, "DELETE FROM archive WHERE message_id = $1", "lost"),
        (
            Tier.PREFECTURE,
            (
                "INSERT INTO archive (message_id, node, sender, kept_at, digest, signed) "
                "SELECT message_id, node, sender, kept_at + interval '1 s', digest, signed "
                "FROM archive WHERE message_id = $1 AND node <> sender"
            ),
            "doubled",
        ),
        (
            Tier.NATIONAL,
            "UPDATE archive SET digest = sha256('other') WHERE message_id = $1",
            "altered",
        ),
        (
            Tier.NATIONAL,
            (
                "INSERT INTO register_history SELECT resident_code, node, message_id, "
                "municipality, event_class, reason, event_time, identity, "
                "recorded_at + interval '1 s' FROM register_history WHERE message_id = $1"
            ),
            "doubled",
        ),
        (
            Tier.NATIONAL,
            "DELETE FROM register_history WHERE message_id = $1",
            "without effect",
        ),
        (
            Tier.MUNICIPALITY,
            "DELETE FROM receipt_received WHERE message_id = $1 AND keeper = 'jlis'",
            "unreceipted",
        ),
        (
            Tier.MUNICIPALITY,
            "UPDATE receipt_received SET matches = false WHERE message_id = $1 AND keeper = 'jlis'",
            "unreceipted",
        ),
        (
            Tier.NATIONAL,
            "UPDATE archive SET sender = '012025' WHERE message_id = $1",
            "unexpected",
        ),
    ],
)
async def test_planted_fault_is_found(
    country: Country,
    database_urls: dict[Tier, DatabaseEndpoint],
    tier: Tier,
    fault: str,
    name: str,
) -> None:
    """What an owner of a database takes away, adds or changes there breaks the proof by name."""
    sent = await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.settle()
    assert (await proven(country)).holds

    await _as_owner(database_urls[tier], fault, sent.header.id)

    proof = await proven(country)
    assert not proof.holds
    assert [sent.header.id] == [finding.message_id for finding in proof.findings[name]]


async def test_what_is_not_carried_away_is_left(country: Country) -> None:
    """Published and not relayed: the outbox is not empty, and no keeper has it."""
    databases = Databases(country.databases)
    since = await databases.marks()
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example())

    proof = await proven(country, since)

    assert {"municipality.outbox_waiting": 1} == proof.left
    assert [TOKYO, JLIS] == [finding.node for finding in proof.lost]
    assert [TOKYO, JLIS] == [finding.node for finding in proof.unreceipted]


async def test_what_strangers_send_breaks_no_proof_and_is_counted(country: Country) -> None:
    """Junk under ids that nobody published, and refusals of it, leave the books whole."""
    since = await Databases(country.databases).marks()
    country.later(seconds=1)
    sent = await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.settle()
    forged = country.signed_again(sent, id=uuid7(), sequence=2)
    changed = {"signed": country.signing[SAPPORO].sign(b"{}"), "message_id": str(uuid7())}
    await country.hand_over(
        [
            tampered(delivery(forged, TOKYO, country.now)),
            delivery(sent, TOKYO, country.now, **changed),
        ]
    )
    await country.settle()

    proof = await proven(country, since)

    assert proof.holds, proof
    assert 4 == proof.of_strangers  # two deliveries, and what the sender was told of them


async def test_published_envelope_in_quarantine_is_left(country: Country) -> None:
    """What bears the id of a published envelope is this installation's, with whatever bytes."""
    since = await Databases(country.databases).marks()
    country.later(seconds=1)
    sent = await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.settle()
    await country.hand_over([tampered(delivery(sent, TOKYO, country.now))])

    proof = await proven(country, since)

    assert {"prefecture.quarantined": 1} == {k: n for k, n in proof.left.items() if "quar" in k}
    assert 0 == proof.of_strangers


async def test_depths_are_those_of_this_instant(vhost: VirtualHost) -> None:
    """A message that was just published is counted, although the management API is slower."""
    connection = await aio_pika.connect(vhost.amqp_url)
    async with connection:
        channel = await connection.channel()
        for name in ("full", "empty"):
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"one"), "full")

        assert {"full": 1, "empty": 0} == await depths(vhost.amqp_url, ["full", "empty"])


async def test_queue_that_does_not_exist_is_named(vhost: VirtualHost) -> None:
    """A missing queue is no empty queue."""
    with pytest.raises(TopologyDriftError, match="no queue nowhere"):
        await depths(vhost.amqp_url, ["nowhere"])


async def _as_owner(endpoint: DatabaseEndpoint, statement: str, message_id: UUID) -> None:
    connection = await asyncpg.connect(endpoint.owner_url)
    try:
        assert not (await connection.execute(statement, message_id)).endswith(" 0")
    finally:
        await connection.close()
