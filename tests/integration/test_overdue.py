"""Receipts that do not come: found, resent by themselves, listed, and said aloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import orjson
import pytest

from jukinet_mq import telemetry
from jukinet_mq.consumers.handlers.tables import HANDLERS
from jukinet_mq.consumers.overdue import LOOK_AGAIN, PROBE_EVERY, SILENT_AFTER, chase
from jukinet_mq.consumers.owing import outstanding, owed_counts
from jukinet_mq.envelope import Delivery, SignedEnvelope
from jukinet_mq.messages import (
    CATALOGUE,
    IdentityUpdate,
    Kind,
    MoveInNotice,
    MoveOutConfirmation,
    Receipt,
    ReceiptLevel,
    ReceiptNotice,
    keepers_of,
    may_travel,
    owed_by,
    readers_of,
)
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import overdue
from jukinet_mq.store.overdue import Awaited, Rejected
from jukinet_mq.trust import signing
from jukinet_mq.trust.sealing import seal
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    delivery,
    tampered,
)
from tests.fixtures.telling import Told

Change = Callable[[Delivery], Iterable[Delivery]]
PATIENCE = IdentityUpdate.patience
ANSWERS = (
    "SELECT keeper, level FROM receipt_received WHERE message_id = $1 AND matches "
    "ORDER BY keeper, level"
)


class Lossy:
    """Loses what *wanted* says, a number of times, and notes what went through."""

    def __init__(self, wanted: Callable[[Delivery], bool], times: int = 10**9) -> None:
        self.wanted, self.left = wanted, times
        self.passed: list[Delivery] = []

    def __call__(self, one: Delivery) -> list[Delivery]:
        if self.left > 0 and self.wanted(one):
            self.left -= 1
            return []
        self.passed.append(one)
        return [one]

    def bytes_at(self, node: NodeCode, kind: str) -> list[bytes]:
        return [d.signed for d in self.passed if d.node == node and d.routing_key.endswith(kind)]


def at(node: NodeCode, kind: str) -> Callable[[Delivery], bool]:
    """Return what is true for deliveries of a kind at a node."""
    return lambda d: d.node == node and d.routing_key.endswith(f".{kind}")


def nothing(_: Delivery) -> bool:
    """Lose nothing."""
    return False


def all_lost(_: Delivery) -> list[Delivery]:
    """Let nothing through."""
    return []


async def answered(country: Country, sent: SignedEnvelope) -> list[tuple[str, str]]:
    """Return who has answered what about the very bytes."""
    return [tuple(row) for row in await country.fetch(Tier.MUNICIPALITY, ANSWERS, sent.header.id)]


async def waiting(country: Country, tier: Tier = Tier.MUNICIPALITY) -> list[Awaited]:
    """Return the envelopes that lack receipts, as an operator sees them."""
    async with country.databases[tier].transaction() as tx:
        return [one.awaited for one, _ in await outstanding(tx, None, limit=1_000)]


async def refused(country: Country) -> list[Rejected]:
    """Return what keepers have refused, as an operator sees it."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        since = country.now - timedelta(days=1)
        return await overdue.rejected(tx, None, since=since, limit=1_000)


async def round_of(country: Country, change: Change, *, tier: Tier = Tier.MUNICIPALITY) -> None:
    """Let the chore come round, and carry what it put in line."""
    await chase(country.databases[tier])
    await country.settle(change)


async def wait_and_chase(
    country: Country, change: Change, span: timedelta, *, tier: Tier = Tier.MUNICIPALITY
) -> None:
    """Let *span* pass before the chore comes round."""
    country.later(seconds=span.total_seconds())
    await round_of(country, change, tier=tier)


async def test_update_lost_on_its_way_is_resent_byte_for_byte(country: Country) -> None:
    """After its kind's patience the same envelope goes out again, and all is as if never lost."""
    lossy = Lossy(at(TOKYO, "identity-update"), times=1)
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)

    await wait_and_chase(country, lossy, PATIENCE.kept - timedelta(seconds=1))
    assert [] == lossy.bytes_at(TOKYO, "identity-update")
    await wait_and_chase(country, lossy, timedelta(seconds=2))

    assert [sent.signed] == lossy.bytes_at(TOKYO, "identity-update")
    assert [(TOKYO, "processed"), (JLIS, "processed")] == await answered(country, sent)
    await wait_and_chase(country, lossy, timedelta(hours=1))
    assert [] == await waiting(country)


@pytest.mark.parametrize("keeper", [TOKYO, JLIS])
async def test_lost_receipt_is_given_again_on_a_resend(country: Country, keeper: NodeCode) -> None:
    """Whichever keeper's receipt got lost, one resend brings that very receipt.

    Nothing else changes anywhere. J-LIS is asked by way of the forward.
    """
    lossy = Lossy(lambda d: d.node == CHIYODA and f".{keeper}.receipt" in d.routing_key, times=1)
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)
    tiers = (Tier.PREFECTURE, Tier.NATIONAL)
    before = [await _counts(country, tier) for tier in tiers]
    assert (keeper, "processed") not in await answered(country, sent)

    await wait_and_chase(country, lossy, PATIENCE.kept)

    assert [(TOKYO, "processed"), (JLIS, "processed")] == await answered(country, sent)
    assert before == [await _counts(country, tier) for tier in tiers]


async def test_lost_forward_is_the_prefectures_to_resend(country: Country) -> None:
    """The prefecture's own receipt from J-LIS is overdue; its resend completes both."""
    lossy = Lossy(at(JLIS, "identity-forward"), times=1)
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)

    await wait_and_chase(country, lossy, PATIENCE.kept, tier=Tier.PREFECTURE)

    assert [(TOKYO, "processed"), (JLIS, "processed")] == await answered(country, sent)
    assert 1 == len(lossy.bytes_at(TOKYO, "identity-update"))


async def test_evidence_lost_at_one_keeper_is_resent(country: Country) -> None:
    """A notice that its recipient has and one prefecture lacks goes out once more."""
    lossy = Lossy(at(HOKKAIDO, "move-in-notice"), times=1)
    sent = await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    await country.settle(lossy)
    assert HOKKAIDO not in [keeper for keeper, _ in await answered(country, sent)]

    await wait_and_chase(country, lossy, MoveInNotice.patience.kept)

    assert [(HOKKAIDO, "kept"), (TOKYO, "kept"), (CHIYODA, "processed"), (JLIS, "kept")] == (
        await answered(country, sent)
    )


async def test_what_is_kept_and_not_processed_is_resent_after_the_longer_patience(
    country: Country,
) -> None:
    """`kept` means that nothing is lost; `processed` may take longer, and is asked for then."""
    lossy = Lossy(nothing)
    country.handlers[Tier.PREFECTURE] = {}  # keeps, does not act
    await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)

    await wait_and_chase(country, lossy, PATIENCE.processed - timedelta(seconds=1))
    assert 1 == len(lossy.bytes_at(TOKYO, "identity-update"))
    await wait_and_chase(country, lossy, timedelta(seconds=2))

    assert 2 == len(lossy.bytes_at(TOKYO, "identity-update"))


async def test_resends_are_bounded_then_a_person_is_told_once(country: Country, told: Told) -> None:
    """Pauses grow, their number is bounded, and one alarm names who does not answer.

    A receipt that comes after all takes the envelope off the list.
    """
    lossy = Lossy(at(TOKYO, "identity-update"))
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)
    seen: list[tuple[int, datetime]] = []
    for _ in range(90):
        await wait_and_chase(country, lossy, timedelta(minutes=5))
        [one] = await waiting(country)
        if not seen or one.resends > seen[-1][0]:
            seen.append((one.resends, country.now))

    pauses = [later - sooner for (_, sooner), (_, later) in pairwise(seen)]
    assert PATIENCE.resends.attempts_max - 1 == seen[-1][0]
    assert max(pauses) > 4 * min(pauses)
    [alarm] = told.named(telemetry.RECEIPTS_OVERDUE)
    assert (str(sent.header.id), TOKYO) == (alarm["message_id"], alarm["keepers"].split()[0])
    [listed] = await waiting(country)
    assert listed.alarmed_at is not None

    lossy.left = 0
    await country.hand_over([delivery(sent, TOKYO, country.now)])
    await country.settle(lossy)
    await wait_and_chase(country, lossy, timedelta(hours=2))

    assert [] == await waiting(country)
    assert [str(sent.header.id)] == [
        f["message_id"] for f in told.named(telemetry.RECEIPTS_ARRIVED)
    ]


async def test_backlog_of_a_keeper_that_is_away_is_not_multiplied(
    country: Country, told: Told
) -> None:
    """Of a hundred envelopes in the queue of a keeper that is away, one at a time is resent.

    Somebody is told that the keeper is silent. When it is back, all are answered.
    """
    drafts = [Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(100)]
    await country.publish(*drafts)
    queue: list[Delivery] = []

    def taken(one: Delivery) -> list[Delivery]:
        queue.append(one)
        return []

    await country.settle(taken)

    rounds = 2 * SILENT_AFTER
    for _ in range(rounds):
        await wait_and_chase(country, taken, PROBE_EVERY)

    probes = len(queue) - len(drafts)
    assert SILENT_AFTER <= probes <= rounds
    assert [TOKYO] == [fields["keeper"] for fields in told.named(telemetry.KEEPER_SILENT)]
    back = Lossy(nothing)
    await country.hand_over(queue)
    await country.settle(back)
    await wait_and_chase(country, back, timedelta(hours=1))
    assert [] == await waiting(country)
    assert [] == back.bytes_at(TOKYO, "identity-update")


async def test_keeper_that_works_through_its_backlog_gets_no_second_one(country: Country) -> None:
    """What it answers may be the first copy of the probe; the others are still in its queue."""
    queue: list[Delivery] = []

    def delayed(one: Delivery) -> list[Delivery]:
        if at(TOKYO, "identity-update")(one):
            queue.append(one)
            return []
        return [one]

    for number in range(30):
        await country.say(CHIYODA, TOKYO, update(number))
        await country.settle(delayed)
        country.later(seconds=10)
    await wait_and_chase(country, delayed, PATIENCE.kept)
    assert 31 == len(queue)

    back = Lossy(nothing)
    await country.hand_over(queue[:10])
    await country.settle(back)
    await wait_and_chase(country, delayed, LOOK_AGAIN)

    assert 32 >= len(queue)
    assert 20 == len(await waiting(country))
    await country.hand_over(queue[10:])
    await country.settle(back)
    await wait_and_chase(country, back, LOOK_AGAIN)
    assert [] == await waiting(country)
    assert [] == back.bytes_at(TOKYO, "identity-update")


async def test_many_lost_ones_are_resent_once_the_keeper_is_heard(country: Country) -> None:
    """The probe's answer shows that the keeper is there, so that the others were lost."""
    lossy = Lossy(at(TOKYO, "identity-update"), times=20)
    sent = await country.publish(
        *(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(20))
    )
    await country.settle(lossy)

    for _ in range(6):
        await wait_and_chase(country, lossy, PROBE_EVERY)

    assert {e.signed for e in sent} == set(lossy.bytes_at(TOKYO, "identity-update"))
    assert [] == await waiting(country)


async def test_one_passed_over_is_resent_although_the_keeper_has_a_backlog(
    country: Country,
) -> None:
    """A keeper that has answered what was relayed a minute later has passed this one over."""
    lossy = Lossy(at(TOKYO, "identity-update"), times=1)
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(lossy)
    country.later(minutes=2)
    await country.say(
        HAKODATE, HOKKAIDO, update(2, area_code=HAKODATE, address="北海道函館市東雲町4-13")
    )
    await country.say(CHIYODA, TOKYO, update(3))
    await country.settle(lossy)

    await round_of(country, lossy)

    assert sent.signed in lossy.bytes_at(TOKYO, "identity-update")


async def test_envelope_tampered_with_on_its_way_is_resent_at_once(
    country: Country, told: Told
) -> None:
    """A rejection that speaks of other bytes is no answer to ours: no waiting, the same again."""
    broken: list[Delivery] = []

    def tamper(one: Delivery) -> list[Delivery]:
        if at(TOKYO, "identity-update")(one) and not broken:
            broken.append(one)
            return [tampered(one)]
        return [one]

    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(tamper)
    assert [] == await answered(country, sent)

    await round_of(country, tamper)

    assert [(TOKYO, "processed"), (JLIS, "processed")] == await answered(country, sent)
    assert [str(sent.header.id)] == [
        f["message_id"] for f in told.named(telemetry.RECEIPT_MISMATCHED)
    ]
    await round_of(country, tamper)
    assert [] == await waiting(country)


async def test_who_tampers_for_ever_gets_a_bounded_number_of_resends(country: Country) -> None:
    """A way that breaks every copy ends with the alarm, not with a storm."""
    passed = 0

    def tamper(one: Delivery) -> list[Delivery]:
        nonlocal passed
        if at(TOKYO, "identity-update")(one):
            passed += 1
            # Other bytes each time: the same ones would be answered once.
            return [tampered(one, byte=-20 - passed)]
        return [one]

    await country.say(CHIYODA, TOKYO, update(1))
    await country.settle(tamper)
    for _ in range(60):
        await wait_and_chase(country, tamper, timedelta(minutes=10))

    assert PATIENCE.resends.attempts_max == passed
    assert [True] == [one.alarmed_at is not None for one in await waiting(country)]


async def test_rejection_of_the_very_bytes_ends_the_resends_and_is_listed(
    country: Country,
) -> None:
    """What the keeper refuses as it was said, no repetition makes acceptable.

    Its number counts as seen: nobody asks for it either.
    """
    lossy = Lossy(nothing)
    good = await country.say(CHIYODA, TOKYO, update(1))
    # Authentic, and against its schema.
    wrong = await _with_bad_body(country, good)
    await country.collect(Tier.MUNICIPALITY)
    await country.hand_over([delivery(wrong, TOKYO, country.now)])
    await country.settle(lossy)

    for _ in range(10):
        await wait_and_chase(country, lossy, timedelta(hours=1))

    assert [("body_malformed", TOKYO)] == [(r.reason, r.keeper) for r in await refused(country)]
    assert [] == await waiting(country)
    assert [] == lossy.bytes_at(TOKYO, "identity-update")
    assert [] == await country.fetch(
        Tier.PREFECTURE, "SELECT * FROM sequence_gap WHERE closed_at IS NULL"
    )


async def test_transaction_that_commits_late_is_not_passed_by(country: Country) -> None:
    """Numbers are given before a commit; an envelope whose commit is overtaken is still found."""
    database = country.databases[Tier.MUNICIPALITY]
    lossy = Lossy(at(HOKKAIDO, "identity-update"))
    async with AsyncExitStack() as stack:
        tx = await stack.enter_async_context(database.transaction())
        [slow] = await country.publisher.publish(
            tx, [Draft(HAKODATE, HOKKAIDO, _in_hakodate(1), country.now)]
        )
        await country.say(CHIYODA, TOKYO, update(2))
        await country.settle(lossy)
        for _ in range(3):
            await wait_and_chase(country, lossy, PATIENCE.kept)
        assert [] == await waiting(country)

    await country.settle(lossy)
    await wait_and_chase(country, lossy, PATIENCE.kept)
    await wait_and_chase(country, lossy, PATIENCE.kept)

    assert [slow.header.id] == [one.message_id for one in await waiting(country)]


async def test_search_waits_while_nothing_is_relayed(country: Country) -> None:
    """In an outage of the broker nothing is overdue, and no table fills."""
    await country.publish(*(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(20)))
    for _ in range(5):
        country.later(hours=1)
        await chase(country.databases[Tier.MUNICIPALITY])
    assert [] == await waiting(country)

    await country.settle(all_lost)
    country.later(minutes=5)
    await chase(country.databases[Tier.MUNICIPALITY])

    assert 20 == len(await waiting(country))


async def test_what_is_answered_in_time_leaves_no_trace(country: Country) -> None:
    """The search has looked at everything, and written down nothing."""
    await country.publish(*(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(50)))
    await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    await country.settle()
    for _ in range(3):
        for tier in (Tier.MUNICIPALITY, Tier.PREFECTURE):
            await wait_and_chase(country, lambda d: [d], timedelta(minutes=2), tier=tier)

    for tier in (Tier.MUNICIPALITY, Tier.PREFECTURE):
        assert [] == await waiting(country, tier)
        [[position, last]] = await country.fetch(
            tier, "SELECT position, (SELECT max(position) FROM outbox) FROM overdue_cursor"
        )
        assert position == last


async def test_receipt_from_who_is_no_keeper_is_not_counted(country: Country, told: Told) -> None:
    """Another municipality cannot answer in a keeper's place."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.collect(Tier.MUNICIPALITY)
    await country.say(SAPPORO, CHIYODA, _receipt_for(sent))
    await country.settle()

    assert [] == await answered(country, sent)
    assert [SAPPORO] == [f["keeper"] for f in told.named(telemetry.RECEIPT_UNEXPECTED)]


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_owed_level_is_what_the_keepers_handlers_answer(kind: Kind) -> None:
    """Who opens a kind and has a handler for it owes `processed`; who does not, `kept`."""
    nodes = [directory().node(code) for code in (CHIYODA, SAPPORO, TOKYO, HOKKAIDO, JLIS)]
    for sender in nodes:
        for recipient in nodes:
            if not may_travel(kind, sender, recipient, directory()):
                continue
            readers = readers_of(kind, recipient, directory())
            acts = {
                code: kind.name in HANDLERS[directory().node(code).tier]
                and (code in readers or not kind.sealed)
                for code in keepers_of(kind, sender, recipient, directory())
            }
            owed = {o.keeper: o.level for o in owed_by(kind, sender, recipient, directory())}
            expected = {
                code: ReceiptLevel.PROCESSED if does else ReceiptLevel.KEPT
                for code, does in acts.items()
            }
            assert owed == (expected if kind.answered else {})


def test_counts_of_owed_receipts_are_those_of_the_keepers() -> None:
    """What the search counts with agrees with the keepers of every pair."""
    counts = {(c.kind, c.version, c.home): (c.keepers, c.actors) for c in owed_counts()}
    nodes = [directory().node(c) for c in ("131016", "131032", "011002", TOKYO, HOKKAIDO, JLIS)]
    for kind in CATALOGUE:
        for sender in nodes:
            for recipient in nodes:
                if kind.answered and may_travel(kind, sender, recipient, directory()):
                    owed = owed_by(kind, sender, recipient, directory())
                    actors = [one for one in owed if one.level is ReceiptLevel.PROCESSED]
                    home = sender.code[:2] == recipient.code[:2]
                    assert (len(owed), len(actors)) == counts[kind.name, kind.version, home]
    assert MoveOutConfirmation.actors == ()


async def _counts(country: Country, tier: Tier) -> list[object]:
    return [
        await country.fetch(tier, f"SELECT count(*) FROM {table}")
        for table in ("archive", "inbox", "register", "register_history", "receipt_given", "outbox")
    ]


def _in_hakodate(number: int) -> IdentityUpdate:
    return update(number, area_code=HAKODATE, address="北海道函館市東雲町4-13")


def _receipt_for(sent: SignedEnvelope) -> ReceiptNotice:
    return ReceiptNotice(
        receipts=[
            Receipt(
                message_id=sent.header.id,
                digest=sent.digest.hex(),
                level=ReceiptLevel.KEPT,
                kept_at=sent.header.time,
            )
        ]
    )


async def _with_bad_body(country: Country, sent: SignedEnvelope) -> SignedEnvelope:
    """Put an authentic envelope whose body breaks its schema in the place of *sent*."""
    payload = dict(orjson.loads(signing.read(sent.signed).payload))
    body = orjson.dumps({"surprise": 1})
    keys = [country.trust.sealing_key(node, country.now) for node in (TOKYO, JLIS)]
    payload["data"] = seal(body, keys)
    signed = country.signing[CHIYODA].sign(orjson.dumps(payload))
    changed = replace(sent, signed=signed)
    await country.tamper_with(
        Tier.MUNICIPALITY,
        "UPDATE archive SET signed = $1, digest = $2 WHERE message_id = $3",
        signed,
        changed.digest,
        sent.header.id,
    )
    return changed
