"""One bad delivery harms nobody else: what the pipeline does with what it cannot do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.pipeline import keep
from jukinet_mq.envelope import Delivery, SignedEnvelope, Undecodable, VerifiedEnvelope, digest_of
from jukinet_mq.errors import DatabaseUnavailableError
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.quarantine import QuarantineFilter, causes
from jukinet_mq.store.quarantine_intake import HELD_WHOLE_MAX
from tests.fixtures.bodies import update
from tests.fixtures.country import CHIYODA, HAKODATE, TOKYO, Country, delivery, tampered

HELD = "SELECT message_id, reason, login, bytes FROM quarantine ORDER BY position"
ARCHIVED = "SELECT count(*) FROM archive WHERE node <> sender"
REJECTIONS = "SELECT count(*) FROM receipt_given WHERE level = 'rejected'"
STATEMENT_REFUSED = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.message_id = ANY ('{%s}'::uuid[]) THEN
        RAISE EXCEPTION 'as a value of this envelope could cause' USING ERRCODE = '%s';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION refuse();
"""


async def updates(country: Country, count: int) -> list[SignedEnvelope]:
    """Return that many updates of Chiyoda to Tokyo."""
    drafts = [Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(count)]
    return await country.publish(*drafts)


def at_tokyo(country: Country, sent: Sequence[SignedEnvelope]) -> list[Delivery]:
    """Return these envelopes as deliveries to Tokyo."""
    return [delivery(envelope, TOKYO, country.now) for envelope in sent]


@asynccontextmanager
async def refusing(
    country: Country, sent: Sequence[SignedEnvelope], *, table: str, sqlstate: str
) -> AsyncIterator[None]:
    """Let the prefecture's database fail on rows of these envelopes in *table*."""
    ids = ",".join(str(one.header.id) for one in sent)
    await country.tamper_with(Tier.PREFECTURE, STATEMENT_REFUSED % (ids, sqlstate, table))
    try:
        yield
    finally:
        await country.tamper_with(Tier.PREFECTURE, "DROP FUNCTION refuse CASCADE")


@pytest.mark.parametrize("table", ["inbox", "archive", "register_history"])
@pytest.mark.parametrize("sqlstate", ["22003", "22021", "22P02", "23514", "54000"])
async def test_batch_that_the_database_refuses_is_split_until_the_offenders_are_alone(
    country: Country, table: str, sqlstate: str
) -> None:
    """Two of 60 deliveries that break a statement are held or parked; all others are kept."""
    sent = await updates(country, 60)
    bad = [sent[7], sent[40]]

    async with refusing(country, bad, table=table, sqlstate=sqlstate):
        tallies = await country.hand_over(at_tokyo(country, sent))

    parked = table == "register_history"  # That is the handler's, who is retried by policy.
    assert [60 if parked else 58] == [tally.kept for tally in tallies]
    held = await country.fetch(Tier.PREFECTURE, HELD)
    assert held == (
        []
        if parked
        else [(str(e.header.id), "delivery_unprocessable", CHIYODA, e.signed) for e in bad]
    )
    done = await country.fetch(Tier.PREFECTURE, "SELECT count(*) FROM inbox WHERE state = 'done'")
    assert [(58,)] == done


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "57P01", "58030", "25006"])
async def test_outage_splits_nothing_and_holds_nothing(country: Country, sqlstate: str) -> None:
    """What the database cannot do at all just now is no delivery's fault; the batch comes again."""
    sent = await updates(country, 10)
    deliveries = at_tokyo(country, sent)

    async with refusing(country, sent[:1], table="archive", sqlstate=sqlstate):
        with pytest.raises(DatabaseUnavailableError):
            await keep(deliveries, country.desk(Tier.PREFECTURE))

    assert [] == await country.fetch(Tier.PREFECTURE, HELD)
    assert [(0,)] == await country.fetch(Tier.PREFECTURE, ARCHIVED)
    assert [10] == [tally.kept for tally in await country.hand_over(deliveries)]


@pytest.mark.parametrize("error", [OverflowError, RecursionError, KeyError, AttributeError])
async def test_delivery_on_which_verification_fails_is_held_alone(
    country: Country, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """An error that nobody foresaw is one delivery's; its text, perhaps personal, is nowhere."""
    sent = await updates(country, 9)
    desk = country.desk(Tier.PREFECTURE)
    verify = desk.verifier.verify

    def failing(delivery: Delivery, *, at: datetime) -> VerifiedEnvelope:
        if delivery.message_id == str(sent[4].header.id):
            raise error("住基 太郎")
        return verify(delivery, at=at)

    monkeypatch.setattr(type(desk.verifier), "verify", lambda _, *a, **more: failing(*a, **more))

    tally = await keep(at_tokyo(country, sent), desk)

    assert (8, 1) == (tally.kept, tally.quarantined)
    [(reason, explanation)] = await country.fetch(
        Tier.PREFECTURE, "SELECT reason, explanation FROM quarantine"
    )
    assert "delivery_unprocessable" == reason
    assert error.__name__ in explanation
    assert "太郎" not in explanation


async def test_undecodable_properties_are_held_with_their_bytes(country: Country) -> None:
    """Nothing shows who brought such a delivery: it is held, unanswered, beside good ones."""
    sent = await updates(country, 3)
    good, odd, last = at_tokyo(country, sent)
    raw = b"\x04\x00\x04" + "住民".encode("cp932")
    odd = replace(
        odd, user_id=None, message_id=None, type=None, content_type=None,
        undecodable=Undecodable("5 bytes, UnicodeEncodeError", raw),
    )  # fmt: skip

    tallies = await country.hand_over([good, odd, last])

    assert [(2, 1)] == [(t.kept, t.quarantined) for t in tallies]
    assert [("carriage_undecodable", sent[1].signed, raw, False)] == await country.fetch(
        Tier.PREFECTURE, "SELECT reason, bytes, properties, whole FROM quarantine"
    )
    assert [(0,)] == await country.fetch(Tier.PREFECTURE, REJECTIONS)


@pytest.mark.parametrize("first", [0, 1])
async def test_conflict_within_a_batch_names_the_delivery_that_is_in_conflict(
    country: Country, first: int
) -> None:
    """Of two envelopes under one id the second is held, with its own bytes and claims."""
    one = await country.say(CHIYODA, TOKYO, update(1), id=uuid7())
    other = country.signed_again(one, sequence=2)
    pair = [delivery(one, TOKYO, country.now), delivery(other, TOKYO, country.now)]
    if first:
        pair.reverse()

    await country.hand_over(pair)

    assert [(str(one.header.id), "id_reused", CHIYODA, pair[1].signed)] == (
        await country.fetch(Tier.PREFECTURE, HELD)
    )
    kept = "SELECT digest FROM archive WHERE sender = $1"
    assert [(digest_of(pair[0].signed),)] == await country.fetch(Tier.PREFECTURE, kept, CHIYODA)


async def test_conflict_is_not_laid_to_who_brought_the_same_id_by_another_login(
    country: Country,
) -> None:
    """A stranger that claims the id of a conflict does not become its culprit, nor hides it."""
    one = await country.say(CHIYODA, TOKYO, update(1), id=uuid7())
    other = country.signed_again(one, sequence=2)
    stolen = delivery(other, TOKYO, country.now, user_id=HAKODATE)
    genuine, conflicting = (delivery(e, TOKYO, country.now) for e in (one, other))

    await country.hand_over([stolen, genuine, conflicting])

    held = await country.fetch(
        Tier.PREFECTURE, "SELECT reason, login, bytes FROM quarantine ORDER BY reason"
    )
    assert [
        ("id_reused", CHIYODA, other.signed),
        ("sender_mismatch", HAKODATE, other.signed),
    ] == held


async def test_refused_envelope_opens_no_gap_and_closes_its_own(country: Country) -> None:
    """An absurd number of a refused envelope makes nobody ask; one in order is not asked for."""
    first = await country.say(CHIYODA, TOKYO, update(1))
    wrong = update(2).dump_json()[:-1] + b',"name":"x"}'
    gaps = "SELECT sequence FROM sequence_gap WHERE closed_at IS NULL ORDER BY 1"
    highest = "SELECT highest FROM sequence_seen WHERE sender = $1"

    await country.hand_over(at_tokyo(country, [first]))
    for number in (900_000_001, 2, 4):
        refused = country.refused(CHIYODA, TOKYO, wrong, sequence=number)
        await country.hand_over(at_tokyo(country, [refused]))
    assert [] == await country.fetch(Tier.PREFECTURE, gaps)
    assert [(2,)] == await country.fetch(Tier.PREFECTURE, highest, CHIYODA)
    await country.hand_over(
        at_tokyo(country, [country.signed_again(first, id=uuid7(), sequence=6)])
    )
    assert [(3,), (4,), (5,)] == await country.fetch(Tier.PREFECTURE, gaps)
    again = country.refused(CHIYODA, TOKYO, wrong, sequence=4)
    await country.hand_over(at_tokyo(country, [again]))

    assert [(3,), (5,)] == await country.fetch(Tier.PREFECTURE, gaps)


async def test_flood_of_one_cause_is_held_in_part_and_counted(country: Country) -> None:
    """100 of 350 are held with their bytes; the rest is counted, unanswered, and seen."""
    sent = await updates(country, 351)
    junk = [tampered(one) for one in at_tokyo(country, sent[:350])]
    other = replace(junk[0], user_id=HAKODATE)

    for start in range(0, 350, 50):
        await country.hand_over(junk[start : start + 50])
    await country.hand_over([other, junk[0], junk[349], *at_tokyo(country, sent[350:])])

    held = await country.fetch(
        Tier.PREFECTURE, "SELECT login, count(*), sum(arrivals) FROM quarantine GROUP BY 1"
    )
    assert {(CHIYODA, HELD_WHOLE_MAX, HELD_WHOLE_MAX + 1), (HAKODATE, 1, 1)} == set(held)
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        found = await causes(tx, QuarantineFilter(reason="signature_mismatch"))
    assert [(CHIYODA, 100, 251), (HAKODATE, 1, 0)] == [
        (c.sender, c.deliveries, c.counted) for c in found
    ]
    assert [(HELD_WHOLE_MAX,)] == await country.fetch(Tier.PREFECTURE, REJECTIONS)
    assert [(1,)] == await country.fetch(Tier.PREFECTURE, ARCHIVED)


async def test_what_was_counted_is_over_when_all_that_is_held_is_decided(
    country: Country,
) -> None:
    """The next flood of the cause is held anew, and the former count is not shown with it."""
    junk = [tampered(one) for one in at_tokyo(country, await updates(country, 250))]
    await country.hand_over(junk[:120])
    await country.tamper_with(
        Tier.PREFECTURE, "UPDATE quarantine SET ended_at = $1, ended_how = 'discarded'",
        country.now,
    )  # fmt: skip
    country.later(hours=1)

    await country.hand_over(junk[120:])

    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        [cause] = await causes(tx, QuarantineFilter())
    assert (100, 30) == (cause.deliveries, cause.counted)
    assert [(20,), (30,)] == await country.fetch(
        Tier.PREFECTURE, "SELECT deliveries FROM quarantine_counted ORDER BY since"
    )


async def test_counted_envelope_is_kept_when_its_sender_resends_it(country: Country) -> None:
    """What a flood pushed out of the quarantine was not refused: a repetition is kept."""
    sent = await updates(country, HELD_WHOLE_MAX + 20)
    whole = country.trust
    country.trust = type(whole).from_keys(k for k in whole.keys if k.node != CHIYODA)
    await country.hand_over(at_tokyo(country, sent))
    country.trust = whole

    [tally] = await country.hand_over(at_tokyo(country, sent[HELD_WHOLE_MAX:]))

    assert 20 == tally.kept
    refused = "SELECT message_id FROM receipt_given WHERE level = 'rejected'"
    assert {(e.header.id,) for e in sent[:HELD_WHOLE_MAX]} == set(
        await country.fetch(Tier.PREFECTURE, refused)
    )


async def test_batch_of_untrusted_deliveries_takes_few_statements(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 deliveries for the quarantine cost as many statements as 5."""
    junk = [tampered(one) for one in at_tokyo(country, await updates(country, 505))]
    counts: list[int] = []
    fetch, execute = Transaction.fetch, Transaction.execute

    async def counting(real: Any, *arguments: Any) -> Any:
        counts[-1] += 1
        return await real(*arguments)

    monkeypatch.setattr(Transaction, "fetch", lambda *a: counting(fetch, *a))
    monkeypatch.setattr(Transaction, "execute", lambda *a: counting(execute, *a))

    for batch in (junk[:5], junk[5:]):
        counts.append(0)
        await keep(batch, country.desk(Tier.PREFECTURE))

    assert counts[1] <= counts[0] + 1  # What lies beyond the first 100 is counted by one more.
