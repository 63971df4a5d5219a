"""Missing numbers: noticed, asked for exactly, closed by a resend; and answers that stay right."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq import telemetry
from jukinet_mq.app import ASK_EVERY
from jukinet_mq.consumers.asking import ASK_AGAIN, ask_for_missing
from jukinet_mq.consumers.handlers.prefecture import HANDLERS as PREFECTURE
from jukinet_mq.consumers.pipeline import Desk, Tally, keep
from jukinet_mq.consumers.results import Done, Result, Retry, Workplace
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import Delivery, SignedEnvelope
from jukinet_mq.errors import DatabaseUnavailableError, NotItsKeeperError
from jukinet_mq.messages import MoveInNotice, ResendRequest
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.routing import Plane
from jukinet_mq.store import sequences
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.sequences import GRACE
from jukinet_mq.trust import signing
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    delivery,
    tampered,
)
from tests.fixtures.telling import Told
from tests.integration.test_pipeline import ANSWERS, ARCHIVED, QUARANTINED

REQUESTS = """
SELECT recipient, signed FROM outbox JOIN archive USING (message_id, node)
WHERE kind = 'resend-request' ORDER BY position
"""
BLOCKED = """
SELECT 1 FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND a.datname = current_database()
"""


async def publish(country: Country, count: int) -> list[SignedEnvelope]:
    """Publish and relay updates of Chiyoda without delivering them."""
    sent = await country.publish(
        *(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(count))
    )
    await country.collect(Tier.MUNICIPALITY)
    return sent


async def ask(country: Country, tier: Tier = Tier.PREFECTURE) -> int:
    """Let the chore come round."""
    return await ask_for_missing(country.databases[tier], country.publisher, None)


async def asked(country: Country, tier: Tier = Tier.PREFECTURE) -> list[tuple[str, list[int]]]:
    """Return every request for numbers of a tier: to whom, and which numbers."""
    return [
        (to, orjson.loads(signing.read(signed).payload)["data"]["numbers"])
        for to, signed in await country.fetch(tier, REQUESTS)
    ]


async def missing(country: Country, tier: Tier = Tier.PREFECTURE) -> list[int]:
    """Return the numbers that are missing now."""
    rows = await country.fetch(
        tier, "SELECT sequence FROM sequence_gap WHERE closed_at IS NULL ORDER BY sequence"
    )
    return [row[0] for row in rows]


async def test_exactly_the_missing_numbers_are_asked_for_and_closed(
    country: Country, told: Told
) -> None:
    """After the grace period, and not before, one request names exactly what is missing.

    That is within a minute. The resend brings the same bytes and closes the gap.
    """
    sent = await publish(country, 6)
    await country.hand_over([delivery(sent[i], TOKYO, country.now) for i in (0, 2, 5)])
    country.later(seconds=GRACE.total_seconds() - 1)
    assert 0 == await ask(country)
    assert [] == told.named(telemetry.GAP_NOTICED)

    country.later(seconds=1)
    assert timedelta(seconds=60) >= GRACE + ASK_EVERY
    assert 3 == await ask(country)

    [gap] = told.named(telemetry.GAP_NOTICED)
    assert (TOKYO, CHIYODA, 3) == (gap["node"], gap["sender"], gap["missing"])
    assert [(CHIYODA, [2, 4, 5])] == await asked(country)
    await country.settle()
    assert [] == await missing(country)
    kept = await country.fetch(
        Tier.PREFECTURE, "SELECT signed FROM archive WHERE sender = $1 ORDER BY message_id", CHIYODA
    )
    assert [(e.signed,) for e in sent] == kept
    country.later(hours=2)
    assert 0 == await ask(country)


async def test_what_comes_late_by_itself_is_never_asked_for(country: Country, told: Told) -> None:
    """Deliveries that two workers have in hand come swapped; that is no gap."""
    sent = await publish(country, 4)
    for index in (3, 1, 0, 2):
        await country.hand_over([delivery(sent[index], TOKYO, country.now)])
        country.later(seconds=5)
        await ask(country)
    country.later(hours=1)

    assert 0 == await ask(country)
    assert [] == told.named(telemetry.GAP_NOTICED)
    assert [] == await asked(country)


async def test_request_is_repeated_with_growing_pauses_then_a_person_is_told_once(
    country: Country, told: Told
) -> None:
    """While the numbers do not come, the questions thin out, end, and one alarm remains."""
    sent = await publish(country, 3)
    await country.hand_over([delivery(sent[2], TOKYO, country.now)])
    times = []
    for _ in range(160):
        country.later(minutes=3)
        if await ask(country):
            times.append(country.now)
        await country.settle(lambda d: [] if d.node == CHIYODA else [d])

    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert ASK_AGAIN.attempts_max == len(times)
    assert max(pauses) <= ASK_AGAIN.backoff_max + timedelta(minutes=3)
    assert max(pauses) > 5 * min(pauses)
    [alarm] = told.named(telemetry.GAP_UNCLOSED)
    assert (TOKYO, CHIYODA, 2) == (alarm["node"], alarm["sender"], alarm["missing"])
    assert 1 == len(told.named(telemetry.GAP_NOTICED))
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        gaps = await sequences.open_gaps(tx, TOKYO, limit=10)
    assert [("identity", 2, 1, 2, ASK_AGAIN.attempts_max)] == [
        (g.plane, g.missing, g.first, g.last, g.asks) for g in gaps
    ]


async def test_gap_of_evidence_is_closed_at_the_keeper_who_asks(country: Country) -> None:
    """A prefecture that lacks a sealed notice between two municipalities asks its sender."""
    notices = [await country.say(SAPPORO, CHIYODA, MoveInNotice.example()) for _ in range(2)]
    lost = notices[0].header.id
    await country.settle(
        lambda d: [] if d.node in (TOKYO, JLIS) and d.message_id == str(lost) else [d]
    )
    country.later(minutes=1)

    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        assert 1 == await ask(country, tier)
        assert [(SAPPORO, [1])] == await asked(country, tier)
    await country.settle()

    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        assert [] == await missing(country, tier)
    assert [(1,)] == await country.fetch(
        Tier.NATIONAL, "SELECT count(*) FROM archive WHERE message_id = $1", lost
    )


async def test_lost_receipt_envelope_is_asked_for_like_any_other(country: Country) -> None:
    """The receipt plane has numbers too: a municipality asks J-LIS for the receipts it lacks."""
    for number in range(2):
        await country.say(CHIYODA, TOKYO, update(number))
        await country.settle(
            lambda d, n=number: (
                []  # type: ignore[misc]
                if n == 0 and d.routing_key.endswith(".00.jlis.receipt") and d.node == CHIYODA
                else [d]
            )
        )
    country.later(minutes=1)

    assert 1 == await ask(country, Tier.MUNICIPALITY)
    assert [(JLIS, [1])] == await asked(country, Tier.MUNICIPALITY)
    await country.settle()

    assert [] == await missing(country, Tier.MUNICIPALITY)
    assert 4 == len(await country.fetch(Tier.MUNICIPALITY, ANSWERS))


async def test_lost_request_is_asked_for_itself(country: Country) -> None:
    """Requests are numbered like everything; a later one shows that an earlier one was lost."""
    sent = await publish(country, 3)
    await country.hand_over([delivery(sent[1], TOKYO, country.now)])
    country.later(minutes=1)
    await ask(country)
    await country.settle(lambda d: [] if d.node == CHIYODA else [d])
    country.later(minutes=2)
    await ask(country)
    await country.settle()
    assert [] == [n for n in await missing(country) if n == 1]

    country.later(minutes=1)
    await ask(country, Tier.MUNICIPALITY)
    await country.settle()

    assert [] == await missing(country, Tier.MUNICIPALITY)


async def test_numbers_never_published_are_parked_and_said_aloud(
    country: Country, told: Told
) -> None:
    """A keeper that lacks what nobody has said: the known ones are resent, a person looks."""
    sent = await publish(country, 2)
    request = ResendRequest(about=Plane.IDENTITY, addressee=TOKYO, numbers=[1, 99])
    await country.say(TOKYO, CHIYODA, request)

    await country.settle()

    assert [("sequence_unknown", TOKYO)] == await country.fetch(
        Tier.MUNICIPALITY, "SELECT reason, sender FROM parked"
    )
    assert [1] == [fields["unknown"] for fields in told.named(telemetry.NUMBERS_UNKNOWN)]
    assert [(TOKYO, CHIYODA, sent[0].header.id)] == [
        row for row in await country.fetch(Tier.PREFECTURE, ARCHIVED) if row[1] == CHIYODA
    ]


async def test_only_a_keeper_may_ask(country: Country) -> None:
    """A prefecture cannot ask for what a municipality says to another prefecture."""
    await publish(country, 1)
    request = ResendRequest(about=Plane.IDENTITY, addressee=TOKYO, numbers=[1])

    for node in (HOKKAIDO, JLIS, SAPPORO):
        with pytest.raises(NotItsKeeperError):
            await country.say(node, CHIYODA, request)


async def test_evidence_keeper_gets_only_what_it_keeps(country: Country) -> None:
    """Receipts between the same two nodes are numbered apart, and no third party gets them."""
    await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    await country.settle()
    request = ResendRequest(about=Plane.RELOCATION, addressee=CHIYODA, numbers=[1])
    await country.say(HOKKAIDO, SAPPORO, request)
    with pytest.raises(NotItsKeeperError):
        await country.say(HOKKAIDO, SAPPORO, request.model_copy(update={"about": Plane.RECEIPT}))

    await country.settle()

    assert [] == await country.fetch(Tier.MUNICIPALITY, "SELECT * FROM parked")
    assert [(2,)] == await country.fetch(
        Tier.MUNICIPALITY, "SELECT relays FROM outbox WHERE kind = 'move-in-notice'"
    )


async def test_wide_gap_is_asked_for_in_parts(country: Country) -> None:
    """A request stays below the limit of numbers; together they name each number once."""
    sent = await publish(country, 1)
    late = await _signed_again(country, sent[0], id=uuid7(), sequence=2_502)
    await country.hand_over([delivery(late, TOKYO, country.now)])
    country.later(minutes=1)

    await ask(country)

    numbers = [numbers for _, numbers in await asked(country)]
    assert [1000, 1000, 501] == [len(part) for part in numbers]
    assert list(range(1, 2_502)) == sorted(n for part in numbers for n in part)


async def test_number_used_twice_is_an_alarm_at_jlis_too(country: Country, told: Told) -> None:
    """Two originals under one number, each in a forward: the second goes to quarantine."""
    first = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle()
    other = await _signed_again(country, first, id=uuid7())
    await country.tamper_with(Tier.PREFECTURE, "DELETE FROM inbox WHERE kind = 'identity-update'")
    await country.hand_over([delivery(other, TOKYO, country.now)])

    await country.settle()

    assert [(JLIS, "sequence_reused", 1)] == await country.fetch(Tier.NATIONAL, QUARANTINED)
    assert ["sequence_reused"] == [
        fields["reason"] for fields in told.named(telemetry.ENVELOPE_CONFLICTED)
    ]


async def test_tampered_receipt_of_a_prefecture_stops_nobody(country: Country) -> None:
    """A municipality may give its prefecture no receipt, so it owes none for a broken one."""
    await country.say(CHIYODA, TOKYO, update(1))

    await country.settle(
        lambda d: [tampered(d)] if d.node == CHIYODA and f".{TOKYO}.receipt" in d.routing_key
        else [d]
    )  # fmt: skip

    assert [] == await country.fetch(Tier.MUNICIPALITY, "SELECT * FROM receipt_given")
    assert [(CHIYODA, "signature_mismatch", 1)] == (
        await country.fetch(Tier.MUNICIPALITY, QUARANTINED)
    )


class Slow:
    """A handler that waits in the middle of its transaction until it is let go on."""

    def __init__(self, result: Result | Exception) -> None:
        self.result = result
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(
        self, tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        self.begun.set()
        await self.go_on.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return [self.result] * len(arrivals)


async def test_duplicate_during_processing_waits_and_gets_the_one_receipt(
    country: Country,
) -> None:
    """Two workers with the same envelope: one keeps it, the other answers as that one did."""
    [sent] = await publish(country, 1)
    slow = Slow(Done())
    first, second = await _two_workers(country, sent, slow)

    assert first is not None
    assert [(1, 0), (0, 1)] == [(t.kept, t.duplicates) for t in (first, second)]
    await country.settle()
    assert [(TOKYO, "processed", None, True)] == await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    assert [(1,)] == await country.fetch(
        Tier.PREFECTURE, "SELECT count(*) FROM inbox WHERE kind = 'identity-update'"
    )


async def test_duplicate_of_what_is_rolled_back_is_news(country: Country) -> None:
    """If the first worker's transaction fails, the second keeps and handles the envelope."""
    [sent] = await publish(country, 1)
    slow = Slow(DatabaseUnavailableError("gone"))
    first, second = await _two_workers(country, sent, slow)

    assert first is None
    assert (1, 0) == (second.kept, second.duplicates)
    await country.settle()
    assert [(TOKYO, "processed", None, True), (JLIS, "processed", None, True)] == (
        await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    )


async def test_duplicate_of_what_was_only_kept_never_gets_processed(country: Country) -> None:
    """A repetition of a failed envelope says `kept` again, and changes nothing of its retries.

    It goes no further; `processed` is said when it is true.
    """
    failing = True

    async def handler(
        tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        if failing:
            return [Retry("not_yet")] * len(arrivals)
        return await PREFECTURE["identity-update"](tx, arrivals, work=work)

    country.handlers[Tier.PREFECTURE] = {**PREFECTURE, "identity-update": handler}
    [sent] = await publish(country, 1)
    for _ in range(3):
        await country.hand_over([delivery(sent, TOKYO, country.now)])
        await country.settle()

    assert [(TOKYO, "kept", None, True)] == await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    assert [] == await country.fetch(Tier.NATIONAL, "SELECT * FROM inbox")
    assert [("pending", 1)] == await country.fetch(
        Tier.PREFECTURE, "SELECT state, attempts FROM inbox WHERE kind = 'identity-update'"
    )
    failing = False
    await retry_due(country.desk(Tier.PREFECTURE))
    await country.settle()
    assert [(TOKYO, "kept", None, True), (TOKYO, "processed", None, True),
            (JLIS, "processed", None, True)] == (
        await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    )  # fmt: skip


async def test_hundred_concurrent_bodies_get_each_its_own_receipt(country: Country) -> None:
    """Ten workers side by side, each delivery at two of them, and no mix-up.

    No receipt speaks of another's bytes, and none is missing or given twice.
    """
    sent = await publish(country, 100)
    deliveries = [delivery(e, TOKYO, country.now) for e in sent]
    batches = [deliveries[i::10] + deliveries[(i + 1) % 10 :: 10] for i in range(10)]

    tallies = await asyncio.gather(*(_patiently(batch, country) for batch in batches))
    await country.settle()

    assert (100, 100) == (sum(t.kept for t in tallies), sum(t.duplicates for t in tallies))
    given = await country.fetch(
        Tier.PREFECTURE, "SELECT message_id, level, digest FROM receipt_given WHERE sender = $1",
        CHIYODA,
    )  # fmt: skip
    assert {(e.header.id, "processed", e.digest) for e in sent} == set(given)
    assert len(given) == len(sent)
    got = await country.fetch(
        Tier.MUNICIPALITY, "SELECT message_id, keeper, level, matches FROM receipt_received"
    )
    assert {(e.header.id, k, "processed", True) for e in sent for k in (TOKYO, JLIS)} == set(got)


async def _patiently(batch: Sequence[Delivery], country: Country) -> Tally:
    """Do what a worker does when two transactions have locked each other out: try again."""
    while True:
        try:
            return await keep(batch, country.desk(Tier.PREFECTURE))
        except DatabaseUnavailableError:
            continue


async def _two_workers(
    country: Country, sent: SignedEnvelope, slow: Slow
) -> tuple[Tally | None, Tally]:
    """Hand one delivery to a second worker while the first one is in the middle of it."""
    ordinary = country.desk(Tier.PREFECTURE)
    held_up: Desk = replace(ordinary, handlers={**PREFECTURE, "identity-update": slow})
    one = [delivery(sent, TOKYO, country.now)]
    first = asyncio.create_task(keep(one, held_up))
    await slow.begun.wait()
    second = asyncio.create_task(keep(one, ordinary))
    await _until_blocked(country)
    assert not second.done()
    slow.go_on.set()
    first_tally, second_tally = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(second_tally, Tally)
    if isinstance(first_tally, Tally):
        return first_tally, second_tally
    assert isinstance(first_tally, DatabaseUnavailableError)
    return None, second_tally


async def _until_blocked(country: Country) -> None:
    """Return when one of the tier's connections waits for another one's transaction."""
    async with asyncio.timeout(10):
        while not await country.fetch(Tier.PREFECTURE, BLOCKED):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)


async def _signed_again(
    country: Country, envelope: SignedEnvelope, **changes: UUID | int
) -> SignedEnvelope:
    """Return an authentic envelope with the same content under a changed header."""
    payload = dict(orjson.loads(signing.read(envelope.signed).payload))
    if "id" in changes:
        payload["id"] = str(changes["id"])
    if "sequence" in changes:
        payload["sequence"] = f"{changes['sequence']:020d}"
    header = replace(envelope.header, **changes)  # type: ignore[arg-type]
    signed = country.signing[NodeCode(header.sender)].sign(orjson.dumps(payload))
    return replace(envelope, header=header, signed=signed)
