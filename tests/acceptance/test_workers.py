"""The tiers as processes, on the real broker and databases, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import aio_pika
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.envelope import CONTENT_TYPE, SIZE_MAX
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.filed import MoveFiled
from tests.fixtures.filing import answered, injected, update
from tests.fixtures.installation import CHIYODA, HOKKAIDO, JLIS, TOKYO, Installation


@pytest.fixture(scope="module")
def working(installation: Installation) -> Iterator[Installation]:
    """The installation with a worker of each tier."""
    with installation.workers():
        yield installation


async def test_update_goes_through_all_tiers_and_is_answered(working: Installation) -> None:
    """From one command: kept at the prefecture and at J-LIS, and both have said so."""
    event_id = injected(working, update(1))

    await answered(working, event_id, 2)

    status = working.jukinet("status", event_id)
    assert 0 == status.returncode, status.stderr
    assert TOKYO in status.stdout
    assert JLIS in status.stdout


POISON = {
    "garbage": (b"\x00\xff garbage", "envelope_malformed"),
    "empty": (b"", "envelope_malformed"),
    "huge": (b"x" * (SIZE_MAX + 1), "delivery_oversized"),
    "truncated": (b"eyJhbGciOiJFZDI1NTE5In0.eyJ", "envelope_malformed"),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_quarantined_answered_and_passed_by(
    working: Installation, name: str
) -> None:
    """What is no envelope is held, its sender is told why, and the worker keeps the next one."""
    body, reason = POISON[name]
    message_id = uuid7()

    await _publish_raw(working, body, message_id=message_id)

    await working.holds(
        Tier.MUNICIPALITY,
        "SELECT keeper, level, reason, matches FROM receipt_received "
        f"WHERE message_id = '{message_id}'",
        [(TOKYO, "rejected", reason, False)],
    )
    await answered(working, injected(working, update(2)), 2)
    held = await working.fetch(
        Tier.PREFECTURE,
        "SELECT node, reason, login FROM quarantine WHERE message_id = $1",
        str(message_id),
    )
    assert [(TOKYO, reason, CHIYODA)] == held


async def _publish_raw(installation: Installation, body: bytes, *, message_id: UUID) -> None:
    """Publish bytes as Chiyoda's own login would."""
    passwords = json.loads((installation.home / "credentials.json").read_text())
    host = installation.amqp_url.rpartition("@")[2]
    connection = await aio_pika.connect(f"amqp://{CHIYODA}:{passwords[CHIYODA]}@{host}")
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("juki.identity", ensure=False)
        await exchange.publish(
            aio_pika.Message(
                body,
                content_type=CONTENT_TYPE,
                user_id=CHIYODA,
                message_id=str(message_id),
                type="identity-update.v1",
            ),
            f"13.{TOKYO}.13.{CHIYODA}.identity-update",
        )


async def test_move_reaches_the_former_municipality_and_its_prefecture(
    working: Installation,
) -> None:
    """The former municipality acts and confirms; the tiers above keep what they cannot open."""
    event_id = injected(working, MoveFiled.example())

    await working.holds(
        Tier.MUNICIPALITY,
        "SELECT r.keeper, r.level FROM receipt_received r JOIN outbox o USING (message_id) "
        f"WHERE o.event_id = '{event_id}' AND o.kind = 'move-in-notice' ORDER BY 1",
        [(HOKKAIDO, "kept"), (TOKYO, "kept"), (CHIYODA, "processed"), (JLIS, "kept")],
    )
    await working.holds(
        Tier.PREFECTURE,
        "SELECT node, sender, state FROM inbox WHERE kind = 'move-out-confirmation'",
        [(TOKYO, CHIYODA, "done")],
    )
