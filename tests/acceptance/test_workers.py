"""The tiers as processes, on the real broker and databases, through the real command line."""

from __future__ import annotations

import json
from uuid import UUID

import aio_pika
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.envelope import CONTENT_TYPE, SIZE_MAX
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.filed import IdentityUpdateFiled, MoveFiled
from tests.fixtures.installation import (
    CHIYODA,
    HOKKAIDO,
    JLIS,
    TOKYO,
    Installation,
)

EMPTY_OUTBOX = "SELECT count(*) FROM outbox WHERE relayed_at IS NULL"


def injected(installation: Installation, event: IdentityUpdateFiled | MoveFiled) -> str:
    """Inject one event from standard input and return its id."""
    content = event.model_dump_json(exclude_none=True)
    done = installation.jukinet("inject", event.event, "-", "--json", given=content)
    assert 0 == done.returncode, done.stderr
    return str(json.loads(done.stdout)["event_id"])


def update(number: int) -> IdentityUpdateFiled:
    """Return a valid update at Chiyoda about synthetic resident *number*."""
    example = IdentityUpdateFiled.example()
    body = example.update.model_copy(update={"resident_code": synthetic_resident_code(number)})
    return example.model_copy(update={"update": body})


async def answered(installation: Installation, event_id: str, expected: int) -> None:
    """Wait until the event's envelopes have this many receipts."""
    await installation.holds(
        Tier.MUNICIPALITY,
        "SELECT count(*) FROM receipt_received JOIN outbox USING (message_id) "
        f"WHERE event_id = '{event_id}'",
        [(expected,)],
    )


async def test_update_goes_through_all_tiers_and_is_answered(installation: Installation) -> None:
    """From one command: kept at the prefecture and at J-LIS, and both have said so."""
    with installation.workers() as workers:
        event_id = injected(installation, update(1))

        await answered(installation, event_id, 2)

        status = installation.jukinet("status", event_id)
        codes = [worker.terminate() for worker in workers.values()]
    assert 0 == status.returncode, status.stderr
    assert TOKYO in status.stdout
    assert JLIS in status.stdout
    assert [0, 0, 0] == codes
    assert {} == await installation.depths()


async def test_event_injected_while_nobody_works_goes_out_later(
    installation: Installation,
) -> None:
    """The outbox holds an event until a worker of its tier relays it."""
    event_id = injected(installation, update(2))
    assert 1 == (await installation.fetch(Tier.MUNICIPALITY, EMPTY_OUTBOX))[0][0]

    with installation.workers():
        await answered(installation, event_id, 2)

    assert [(0,)] == await installation.fetch(Tier.MUNICIPALITY, EMPTY_OUTBOX)


POISON = {
    "garbage": (b"\x00\xff garbage", "envelope_malformed"),
    "empty": (b"", "envelope_malformed"),
    "huge": (b"x" * (SIZE_MAX + 1), "delivery_oversized"),
    "truncated": (b"eyJhbGciOiJFZDI1NTE5In0.eyJ", "envelope_malformed"),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_is_quarantined_answered_and_passed_by(
    installation: Installation, name: str
) -> None:
    """What is no envelope is held, its sender is told why, and the worker keeps the next one."""
    body, reason = POISON[name]
    message_id = uuid7()
    with installation.workers() as workers:
        await _publish_raw(installation, body, message_id=message_id)
        await installation.holds(
            Tier.MUNICIPALITY,
            f"SELECT keeper, level, reason, matches FROM receipt_received "
            f"WHERE message_id = '{message_id}'",
            [(TOKYO, "rejected", reason, False)],
        )
        event_id = injected(installation, update(1))
        await answered(installation, event_id, 2)
        assert workers[Tier.PREFECTURE].popen.poll() is None

    held = await installation.fetch(
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
                body, content_type=CONTENT_TYPE, user_id=CHIYODA, message_id=str(message_id),
                type="identity-update.v1",
            ),
            f"13.{TOKYO}.13.{CHIYODA}.identity-update",
        )  # fmt: skip


async def test_move_reaches_the_former_municipality_and_its_prefecture(
    installation: Installation,
) -> None:
    """The former municipality acts and confirms; the tiers above keep what they cannot open."""
    with installation.workers():
        event_id = injected(installation, MoveFiled.example())
        await installation.holds(
            Tier.MUNICIPALITY,
            "SELECT r.keeper, r.level FROM receipt_received r JOIN outbox o USING (message_id) "
            f"WHERE o.event_id = '{event_id}' AND o.kind = 'move-in-notice' ORDER BY 1",
            [(HOKKAIDO, "kept"), (TOKYO, "kept"), (CHIYODA, "processed"), (JLIS, "kept")],
        )
        await installation.holds(
            Tier.PREFECTURE,
            "SELECT node, sender, state FROM inbox WHERE kind = 'move-out-confirmation'",
            [(TOKYO, CHIYODA, "done")],
        )


async def test_second_worker_shares_the_work(installation: Installation) -> None:
    """Two workers of a prefecture side by side keep every update once."""
    before = await installation.fetch(Tier.NATIONAL, "SELECT count(*) FROM register_history")
    lines = "\n".join(update(n).model_dump_json(exclude_none=True) for n in range(100, 160))
    with (
        installation.workers(),
        installation.process("worker", "prefecture", "--node", TOKYO),
    ):
        done = installation.jukinet("inject", "-", given=lines)
        assert 0 == done.returncode, done.stderr
        await installation.holds(
            Tier.NATIONAL,
            "SELECT count(*), count(DISTINCT message_id) FROM register_history",
            [(before[0][0] + 60, before[0][0] + 60)],
        )
