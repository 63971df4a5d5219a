"""整合性確認 and 転入通知未着: differences between what was said, held and expected are named."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from jukinet_mq import telemetry
from jukinet_mq.consumers.consistency import (
    ANSWER_WITHIN,
    CHECK_EVERY,
    SETTLED_AFTER,
    TRIES_MAX,
    ask_again,
    check_due,
    start,
)
from jukinet_mq.consumers.notices import EXPECTED_WITHIN, count_missing, planned_before
from jukinet_mq.envelope import SIZE_MAX, Delivery, Header, SignedEnvelope, encode
from jukinet_mq.errors import NotItsKeeperError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import (
    SPAN_NUMBERS_MAX,
    ChangeReason,
    Holding,
    HoldingsAnswer,
    HoldingsRequest,
    IdentityUpdate,
    MoveInNotice,
    Span,
    SpanHoldings,
)
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.routing import SEQUENCE_MAX
from jukinet_mq.store import consistency, relocation
from jukinet_mq.store.consistency import Check
from jukinet_mq.store.relocation import PlannedMoveOut
from jukinet_mq.trust import SigningKey, signing
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
)
from tests.fixtures.telling import Told

KEEPERS = ((Tier.PREFECTURE, TOKYO), (Tier.NATIONAL, JLIS))


async def published(country: Country, count: int) -> list[SignedEnvelope]:
    """Publish updates of Chiyoda, carry them everywhere, and let them settle."""
    sent = await country.publish(
        *(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(count))
    )
    await country.settle()
    country.later(seconds=SETTLED_AFTER.total_seconds() + 1)
    return sent


async def check(country: Country, node: NodeCode = CHIYODA) -> Check:
    """Begin a check, carry its questions and answers, and return how it stands."""
    database = country.databases[Tier.MUNICIPALITY]
    async with database.transaction() as tx:
        check_id = await start(tx, country.publisher, node, since=country.now - timedelta(days=30))
    await country.settle()
    return await state(country, check_id)


async def state(country: Country, check_id: UUID) -> Check:
    """Return how a check stands."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        [found] = await consistency.checks(tx, check_id=check_id)
    return found


async def differences(country: Country, found: Check) -> list[tuple[str, int, str]]:
    """Return what a check has found: at whom, which number, what."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        noted = await consistency.differences(tx, found.check_id, limit=1_000)
    return [(one.keeper, one.sequence, one.difference) for one in noted]


async def test_holdings_that_agree_are_confirmed_by_digests_alone(
    country: Country, told: Told
) -> None:
    """Two questions and two answers settle it; nobody spells out anything."""
    await published(country, 30)

    found = await check(country)

    assert ("done", 0, 1, 30) == (found.ended_how, found.differences, found.first, found.last)
    assert [(2,)] == await country.fetch(
        Tier.MUNICIPALITY, "SELECT count(*) FROM consistency_question"
    )
    assert [str(found.check_id)] == [
        fields["check_id"] for fields in told.named(telemetry.CONSISTENCY_CHECKED)
    ]


PLANTED = {
    "missing": {
        "archive lost a row": "DELETE FROM archive WHERE message_id = $1 AND node <> sender",
        "inbox lost a row": "DELETE FROM inbox WHERE message_id = $1",
    },
    "not_in_effect": {
        "history lost a row": "DELETE FROM register_history WHERE message_id = $1",
        "register lost a row": "DELETE FROM register WHERE message_id = $1",
        "register was edited": """
            UPDATE register SET identity = jsonb_set(identity, '{sex}', '"male"')
            WHERE message_id = $1
        """,
        "register was put back": """
            UPDATE register
            SET event_time = event_time - interval '1 day', message_id = gen_random_uuid()
            WHERE message_id = $1
        """,
        "register says gone": "UPDATE register SET present = false WHERE message_id = $1",
    },
    "other_bytes": {
        "archived bytes were changed": """
            UPDATE archive SET signed = set_byte(signed, 100, 65)
            WHERE message_id = $1 AND node <> sender
        """,
    },
}


@pytest.mark.parametrize(("tier", "keeper"), KEEPERS, ids=["prefecture", "jlis"])
@pytest.mark.parametrize(
    ("expected", "planted"), [(found, name) for found in PLANTED for name in PLANTED[found]]
)
async def test_every_planted_difference_is_named_and_nothing_else(
    country: Country, told: Told, tier: Tier, keeper: NodeCode, expected: str, planted: str
) -> None:
    """One row changed in one keeper's database: the check names keeper, number and kind."""
    sent = await published(country, 5)
    await country.tamper_with(tier, PLANTED[expected][planted], sent[2].header.id)

    found = await check(country)

    assert [(keeper, 3, expected)] == await differences(country, found)
    assert ("done", 1) == (found.ended_how, found.differences)
    assert [1] == [fields["differences"] for fields in told.named(telemetry.CONSISTENCY_BROKEN)]


async def test_what_its_sender_does_not_know_is_named(country: Country) -> None:
    """A municipality whose database was put back learns what its keepers have beyond it."""
    sent = await published(country, 4)
    await country.tamper_with(
        Tier.MUNICIPALITY, "DELETE FROM outbox WHERE message_id = $1", sent[1].header.id
    )

    found = await check(country)

    assert [(keeper, 2, "unknown") for keeper in (TOKYO, JLIS)] == await differences(country, found)


async def test_changed_copy_at_the_sender_is_named_too(country: Country) -> None:
    """Digests are taken over the archived bytes, not read from beside them."""
    sent = await published(country, 3)
    await country.tamper_with(
        Tier.MUNICIPALITY,
        "UPDATE archive SET signed = set_byte(signed, 100, 65) WHERE message_id = $1",
        sent[0].header.id,
    )

    found = await check(country)

    assert [(keeper, 1, "other_bytes") for keeper in (TOKYO, JLIS)] == (
        await differences(country, found)
    )


async def test_resident_who_has_moved_on_is_no_difference(country: Country) -> None:
    """An update that a later one has overtaken, here or elsewhere, is in effect."""
    moved = update(7)
    await country.say(CHIYODA, TOKYO, moved)
    country.later(minutes=1)
    await country.say(CHIYODA, TOKYO, _reason(moved, ChangeReason.DOMESTIC_MOVE_OUT))
    country.later(minutes=1)
    await country.say(
        HAKODATE, HOKKAIDO, update(7, area_code=HAKODATE, address="北海道函館市東雲町4-13")
    )
    await published(country, 1)

    for node in (CHIYODA, HAKODATE):
        found = await check(country, node)
        assert ("done", 0) == (found.ended_how, found.differences)


async def test_changed_number_is_no_difference(country: Country) -> None:
    """The former resident code's entry ends by the change; the check agrees."""
    await country.say(CHIYODA, TOKYO, update(2))
    country.later(minutes=1)
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example(ChangeReason.RC_CHANGE_REQUEST))
    await published(country, 1)

    found = await check(country)

    assert ("done", 0, 3) == (found.ended_how, found.differences, found.last)


async def test_what_is_still_on_its_way_is_left_for_the_next_check(country: Country) -> None:
    """Neither the unrelayed nor the freshly relayed counts as missing."""
    await published(country, 3)
    await country.say(CHIYODA, TOKYO, update(50))
    await country.collect(Tier.MUNICIPALITY)
    country.later(minutes=1)
    await country.say(CHIYODA, TOKYO, update(51))

    found = await check(country)

    assert ("done", 0, 1, 3) == (found.ended_how, found.differences, found.first, found.last)


async def test_lost_update_is_missing_at_both_once_it_is_settled(country: Country) -> None:
    """What was relayed long ago and never arrived is named at each who lacks it."""
    [sent] = await country.publish(Draft(CHIYODA, TOKYO, update(1), country.now))
    await country.settle(lambda _: [])
    await published(country, 2)

    found = await check(country)

    assert [(keeper, sent.header.sequence, "missing") for keeper in (TOKYO, JLIS)] == (
        await differences(country, found)
    )


async def test_node_that_has_published_nothing_is_done_at_once(country: Country) -> None:
    """No question is asked about nothing."""
    found = await check(country, SAPPORO)

    assert ("done", 0, None) == (found.ended_how, found.differences, found.first)


async def test_checks_come_by_themselves_once_a_day(country: Country) -> None:
    """Whoever has published anything is checked daily, and not twice."""
    await published(country, 2)
    await country.say(SAPPORO, CHIYODA, MoveInNotice.example())  # no identity update
    await country.settle()
    database = country.databases[Tier.MUNICIPALITY]
    begun = [await check_due(database, country.publisher, None) for _ in range(2)]
    await country.settle()
    assert [1, 0] == begun

    country.later(seconds=CHECK_EVERY.total_seconds() - 60)
    assert 0 == await check_due(database, country.publisher, None)
    country.later(minutes=2)
    assert 1 == await check_due(database, country.publisher, [CHIYODA])
    assert 0 == await check_due(database, country.publisher, [SAPPORO])


async def test_question_without_answer_is_asked_again_then_given_up(
    country: Country, told: Told
) -> None:
    """A keeper that does not say what it holds is named; the check does not stay open."""
    await published(country, 2)
    database = country.databases[Tier.MUNICIPALITY]
    async with database.transaction() as tx:
        check_id = await start(
            tx, country.publisher, CHIYODA, since=country.now - timedelta(days=1)
        )
    asked = 0

    def deaf(one: Delivery) -> list[Delivery]:
        nonlocal asked
        asked += one.node == JLIS
        return [] if one.node == JLIS else [one]

    await country.settle(deaf)
    for _ in range(TRIES_MAX + 2):
        country.later(seconds=ANSWER_WITHIN.total_seconds() + 1)
        await ask_again(database, country.publisher, None)
        await country.settle(deaf)

    assert TRIES_MAX == asked
    assert "unanswered" == (await state(country, check_id)).ended_how
    assert [JLIS] == [f["keeper"] for f in told.named(telemetry.CONSISTENCY_UNANSWERED)]


async def test_answer_to_another_question_is_parked(country: Country) -> None:
    """A keeper cannot pass a check by answering about other numbers."""
    await published(country, 2)
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        await start(tx, country.publisher, CHIYODA, since=country.now - timedelta(days=1))
    questions = await country.collect(Tier.MUNICIPALITY)
    [asked] = [q for q in questions if q.header.recipient == JLIS]
    nothing = hashlib.sha256(b"").hexdigest()
    await country.say(
        JLIS,
        CHIYODA,
        HoldingsAnswer(
            request_id=asked.header.id,
            spans=[SpanHoldings(first=900, last=901, count=0, digest=nothing)],
        ),
    )

    await country.settle()

    assert [("holdings_answer_wrong", JLIS)] == await country.fetch(
        Tier.MUNICIPALITY, "SELECT reason, sender FROM parked"
    )


async def test_municipality_cannot_ask_a_strange_prefecture(country: Country) -> None:
    """Who holds nothing of it is not asked."""
    with pytest.raises(NotItsKeeperError):
        await country.say(CHIYODA, HOKKAIDO, HoldingsRequest.example())


async def test_digest_is_what_the_schema_says(country: Country) -> None:
    """A stranger can compute it from its own archive."""
    sent = await published(country, 3)
    await country.say(
        CHIYODA, TOKYO, HoldingsRequest(spans=[Span(first=1, last=1000)], spelt_out=False)
    )
    await country.settle()

    expected = hashlib.sha256(
        b"".join(
            e.header.sequence.to_bytes(8, "big") + e.header.id.bytes + e.digest + b"\x01"
            for e in sent
        )
    ).hexdigest()
    [[signed]] = await country.fetch(
        Tier.PREFECTURE,
        "SELECT signed FROM outbox JOIN archive USING (message_id, node) "
        "WHERE kind = 'holdings-answer'",
    )
    [span] = orjson.loads(signing.read(signed).payload)["data"]["spans"]
    assert (3, expected) == (span["count"], span["digest"])


def test_fullest_answer_fits_into_an_envelope() -> None:
    """A whole span, spelt out with the longest numbers, stays below 256 KiB once signed."""
    example = HoldingsAnswer.example()
    last = SEQUENCE_MAX
    answer = HoldingsAnswer(
        request_id=example.request_id,
        spans=[
            SpanHoldings(
                first=last - SPAN_NUMBERS_MAX + 1,
                last=last,
                count=SPAN_NUMBERS_MAX,
                digest="f" * 64,
                holdings=[
                    Holding(
                        sequence=last, message_id=example.request_id, digest="f" * 64,
                        in_effect=False,
                    )
                ]
                * SPAN_NUMBERS_MAX,
            )
        ],
    )  # fmt: skip
    header = Header(
        id=example.request_id, kind=answer.kind, version=1, sender=TOKYO, recipient=CHIYODA,
        sequence=last, time=datetime(2026, 4, 1, tzinfo=UTC), event_id=example.request_id,
    )  # fmt: skip

    signed = SigningKey.generate().sign(encode(header, answer.dump_json(), sealed=False))

    assert len(signed) <= SIZE_MAX


async def test_planned_move_out_without_a_notice_is_listed_and_counted(
    country: Country, told: Told
) -> None:
    """After the days for filing and for the notice, one row per filing, without persons."""
    today = date(2026, 4, 1)  # the fixture's clock, in Japan
    late, timely = today - EXPECTED_WITHIN - timedelta(days=1), today - EXPECTED_WITHIN
    filing, other = _id(1), _id(2)
    household = [synthetic_resident_code(n) for n in (1, 2)]
    database = country.databases[Tier.MUNICIPALITY]
    async with database.transaction() as tx:
        await relocation.plan_move_outs(
            tx,
            [
                *(PlannedMoveOut(c, CHIYODA, filing, late, "011011", "札幌市") for c in household),
                PlannedMoveOut(synthetic_resident_code(3), CHIYODA, other, timely),
            ],
        )
        missing = await relocation.missing_notices(
            tx, None, planned_before=planned_before(today), limit=10
        )
    await count_missing(database)

    assert [(CHIYODA, filing, late, "011011", 2)] == [
        (m.node, m.event_id, m.planned_on, m.planned_area, m.persons) for m in missing
    ]
    assert [(CHIYODA, 2, late.isoformat())] == [
        (f["node"], f["persons"], f["oldest"]) for f in told.named(telemetry.NOTICES_MISSING)
    ]


async def test_notice_that_has_come_is_not_missing(country: Country) -> None:
    """The move-in notice takes its persons off the list."""
    notice = MoveInNotice.example()
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        await relocation.plan_move_outs(
            tx,
            [
                PlannedMoveOut(p.resident_code, CHIYODA, _id(1), date(2026, 2, 1))
                for p in notice.persons
            ],
        )
    await country.say(SAPPORO, CHIYODA, notice)
    await country.settle()

    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        assert [] == await relocation.missing_notices(
            tx, CHIYODA, planned_before=date(2026, 4, 1), limit=10
        )


def _reason(body: IdentityUpdate, reason: ChangeReason) -> IdentityUpdate:
    return body.model_copy(update={"reason": reason, "event_class": reason.event_class})


def _id(number: int) -> UUID:
    return UUID(int=(0x019D3A106C0070008000 << 48) | number)
