"""What operators decide about parked and quarantined envelopes, counted in the databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from jukinet_mq.consumers.pacing import Pace
from jukinet_mq.consumers.replaying import decide_parked, discard_quarantined, release
from jukinet_mq.consumers.results import Done, Park, Result, Retry, Workplace
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import SIZE_MAX, SignedEnvelope
from jukinet_mq.errors import DatabaseUnavailableError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import IdentityUpdate
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import parked, quarantine, retries
from jukinet_mq.store.database import Database, Transaction, connect
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.parked import Decision, EnvelopeFilter, ParkedEnvelope
from jukinet_mq.store.quarantine import QuarantineFilter, Verdict
from jukinet_mq.trust import TrustStore, signing
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    TOKYO,
    Country,
    delivery,
    tampered,
)

EVERYTHING = EnvelopeFilter()
HANAKO = Decision("replayed", "hanako", "fixed")
STATES = "SELECT state, count(*) FROM inbox WHERE kind = 'identity-update' GROUP BY 1 ORDER BY 1"
ENDS = "SELECT ended_how, count(*) FROM parked GROUP BY 1 ORDER BY 1"
HELD = "SELECT node, reason, arrivals, ended_how FROM quarantine ORDER BY position"
DECIDED = "SELECT outcome, reason, operator, explanation FROM quarantine_decision ORDER BY position"
REGISTER = "SELECT count(*) FROM register"


def update(number: int) -> IdentityUpdate:
    """Return a valid update about synthetic resident *number*."""
    example = IdentityUpdate.example()
    return example.model_copy(update={"resident_code": synthetic_resident_code(number)})


class CrashError(Exception):
    """Ends an operator's process between two batches."""


class Broken:
    """A handler that answers *result* as long as it is told so, and then works."""

    def __init__(self, result: Result) -> None:
        self.result: Result = result
        self.handled: list[UUID] = []

    async def __call__(
        self, tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        if not isinstance(self.result, Done):
            return [self.result] * len(arrivals)
        self.handled += [a.envelope.header.id for a in arrivals]
        return [Done()] * len(arrivals)


async def parked_in(country: Country, count: int, *, reason: str = "broken") -> Broken:
    """Park *count* updates of Chiyoda at Tokyo."""
    handler = Broken(Park(reason))
    country.handlers[Tier.PREFECTURE] = {"identity-update": handler}
    drafts = [Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(count)]
    sent = await country.publish(*drafts)
    await country.hand_over([delivery(one, TOKYO, country.now) for one in sent])
    return handler


async def replayed(
    database: Database, wanted: EnvelopeFilter, decision: Decision = HANAKO, **pace: Any
) -> list[ParkedEnvelope]:
    """Carry *decision* out and return what it concerned."""
    done: list[ParkedEnvelope] = []
    await decide_parked(database, wanted, decision, pace=Pace(**pace), tell=done.extend)
    return done


async def history(country: Country, **more: Any) -> list[parked.Parking]:
    """Return what was decided at the prefecture tier, the latest first."""
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        return await parked.history(tx, EVERYTHING, limit=1_000, **more)


async def drained(country: Country) -> None:
    """Let the retry loop try all that is due."""
    while await retry_due(country.desk(Tier.PREFECTURE)):
        pass


# --- Parked -------------------------------------------------------------------------------


async def test_fifty_operators_with_overlapping_selections_replay_each_once(
    country: Country,
) -> None:
    """Whoever comes first decides, and whoever is killed midway leaves the rest to others (G11)."""
    handler = await parked_in(country, 300)
    everything = [one.message_id for one in await _open(country)]
    database = country.databases[Tier.PREFECTURE]
    done: dict[str, list[UUID]] = {f"operator-{number}": [] for number in range(52)}

    async def operate(number: int, *, dies: bool) -> None:
        mine = done[f"operator-{number}"]

        def tell(batch: Sequence[ParkedEnvelope]) -> None:
            mine.extend(one.message_id for one in batch)
            if dies and mine:
                raise CrashError

        ids = None if number % 3 == 0 else everything[number * 4 : number * 4 + 100]
        decision = Decision("replayed", f"operator-{number}", "all at once")
        pace = Pace(batch_max=4)
        await decide_parked(database, EnvelopeFilter(ids=ids), decision, pace=pace, tell=tell)

    ends = await asyncio.gather(
        *(operate(number, dies=True) for number in range(50)), return_exceptions=True
    )
    await operate(51, dies=False)
    handler.result = Done()
    await drained(country)

    assert {CrashError, type(None)} >= {type(end) for end in ends}
    assert CrashError in {type(end) for end in ends}
    assert sorted(everything) == sorted(one for some in done.values() for one in some)
    assert [("replayed", 300)] == await country.fetch(Tier.PREFECTURE, ENDS)
    assert [("done", 300)] == await country.fetch(Tier.PREFECTURE, STATES)
    assert sorted(everything) == sorted(handler.handled)
    by = {(p.message_id, p.operator) for p in await history(country)}
    assert {(one, operator) for operator, some in done.items() for one in some} == by


async def test_replay_that_is_killed_between_batches_is_resumed_by_the_same_command(
    country: Country,
) -> None:
    """What was replayed is replayed, the rest is still parked, and nothing is done twice."""
    handler = await parked_in(country, 50)
    database = country.databases[Tier.PREFECTURE]
    told: list[ParkedEnvelope] = []

    async with Database(database.url, connections_max=1, clock=database.clock) as broken:

        def tell(batch: Sequence[ParkedEnvelope]) -> None:
            told.extend(batch)
            if len(told) >= 20:
                raise CrashError

        with pytest.raises(CrashError):
            await decide_parked(broken, EVERYTHING, HANAKO, pace=Pace(batch_max=10), tell=tell)
        with pytest.raises(DatabaseUnavailableError):
            await _decide_and_lose_the_connection(broken)

    assert [("replayed", 20), (None, 30)] == await country.fetch(Tier.PREFECTURE, ENDS)
    rest = await replayed(database, EVERYTHING, batch_max=10)
    handler.result = Done()
    await drained(country)

    assert 30 == len(rest)
    assert set() == {e.position for e in told} & {e.position for e in rest}
    assert [("done", 50)] == await country.fetch(Tier.PREFECTURE, STATES)
    assert 50 == len(handler.handled) == len(set(handler.handled))


async def _decide_and_lose_the_connection(database: Database) -> None:
    """Replay a batch in a transaction whose connection ends before its commit."""
    async with database.transaction() as tx:
        chosen = await parked.envelopes(tx, EVERYTHING, limit=10)
        assert chosen == await parked.decide(tx, chosen, HANAKO)
        other = await connect(database.url)
        await other.execute("SELECT pg_terminate_backend($1)", tx.connection.get_server_pid())
        await other.close()


async def test_what_is_parked_again_meanwhile_is_not_replayed_by_the_same_run(
    country: Country,
) -> None:
    """A run goes once through what was parked when it began, so it ends."""
    await parked_in(country, 20)
    database = country.databases[Tier.PREFECTURE]
    replays: list[ParkedEnvelope] = []

    async def handled_at_once() -> None:
        while len(replays) < 20:
            await drained(country)
            await asyncio.sleep(0)

    def tell(batch: Sequence[ParkedEnvelope]) -> None:
        replays.extend(batch)

    async with asyncio.timeout(30):
        await asyncio.gather(
            decide_parked(database, EVERYTHING, HANAKO, pace=Pace(batch_max=5), tell=tell),
            handled_at_once(),
        )
    await drained(country)

    assert 20 == len(replays)
    outcomes = [(p.outcome, p.outcome_reason) for p in await history(country)]
    assert [("parked_again", "broken")] * 20 == outcomes
    assert 20 == len(await _open(country))


async def test_outcome_of_each_replay_is_known_and_kept(country: Country) -> None:
    """Parked again, still tried and done are told apart, each beside who replayed it and why."""
    handler = await parked_in(country, 1)
    database = country.databases[Tier.PREFECTURE]
    outcomes = []

    await replayed(database, EVERYTHING, Decision("replayed", "hanako", "a guess"))
    outcomes.append((await history(country))[0].outcome)
    await drained(country)
    outcomes.append((await history(country))[0].outcome)
    handler.result = Retry("not_yet")
    await replayed(database, EVERYTHING, Decision("replayed", "taro", "a better guess"))
    await drained(country)
    [trying] = await history(country, operator="taro")
    country.later(minutes=1)
    handler.result = Done()
    await drained(country)

    assert ["pending", "parked_again"] == outcomes
    assert ("pending", "not_yet", 3) == (trying.outcome, trying.outcome_reason, trying.tries)
    assert trying.due_at is not None
    found = [(p.operator, p.explanation, p.outcome) for p in await history(country)]
    assert [("taro", "a better guess", "done"), ("hanako", "a guess", "parked_again")] == found


async def test_rate_is_kept(country: Country) -> None:
    """Fifty a second take two seconds for a hundred and some."""
    await parked_in(country, 101)
    loop = asyncio.get_running_loop()
    started = loop.time()

    done = await replayed(country.databases[Tier.PREFECTURE], EVERYTHING, per_second=50.0)

    assert 101 == len(done)
    assert 2.0 <= loop.time() - started < 10.0


async def test_every_filter_narrows_a_replay(country: Country) -> None:
    """Reason, kind, sender, node and age each leave out what they do not name."""
    await parked_in(country, 2, reason="old_cause")
    country.later(hours=2)
    country.handlers[Tier.PREFECTURE] = {"identity-update": Broken(Park("new_cause"))}
    new = await country.say(
        HAKODATE, HOKKAIDO, update(9).model_copy(update={"area_code": HAKODATE})
    )
    await country.hand_over([delivery(new, HOKKAIDO, country.now)])
    an_hour_ago = country.now - timedelta(hours=1)
    for one in (
        EnvelopeFilter(reason="new_cause"),
        EnvelopeFilter(sender=HAKODATE),
        EnvelopeFilter(node=HOKKAIDO),
        EnvelopeFilter(after=an_hour_ago),
        EnvelopeFilter(ids=[new.header.id]),
        EnvelopeFilter(ids=[new.header.event_id]),
    ):
        assert [new.header.id] == [e.message_id for e in await _open(country, one)]
    assert 2 == len(await _open(country, EnvelopeFilter(before=an_hour_ago)))
    assert 3 == len(await _open(country, EnvelopeFilter(kind="identity-update")))
    assert [] == await _open(country, EnvelopeFilter(kind="move-out-confirmation"))


async def test_due_times_follow_the_policy_and_are_visible(country: Country) -> None:
    """Twice at once, then doubling within its jitter; each due time is listed (G8)."""
    handler = Broken(Retry("not_yet"))
    country.handlers[Tier.PREFECTURE] = {"identity-update": handler}
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(sent, TOKYO, country.now)])
    policy = IdentityUpdate.retry
    waits = []

    for tries in range(1, policy.attempts_max):
        async with country.databases[Tier.PREFECTURE].transaction() as tx:
            [one] = await retries.pending(tx, EVERYTHING, limit=10)
        assert (sent.header.id, "not_yet", tries) == (one.message_id, one.reason, one.attempts)
        waits.append(one.due_at - country.now)
        country.now = one.due_at - timedelta(microseconds=1)
        assert waits[-1] == timedelta() or 0 == await retry_due(country.desk(Tier.PREFECTURE))
        country.now = one.due_at
        assert 1 == await retry_due(country.desk(Tier.PREFECTURE))

    for tries, wait in enumerate(waits, start=1):
        shortest, longest = (policy.delay(tries, jitter=jitter) for jitter in (0.0, 1.0))
        assert shortest is not None
        assert longest is not None
        assert shortest <= wait <= longest
    assert [("parked", 1)] == await country.fetch(Tier.PREFECTURE, STATES)
    handler.result = Done()
    await replayed(country.databases[Tier.PREFECTURE], EVERYTHING)
    await drained(country)
    assert [("done", 1)] == await country.fetch(Tier.PREFECTURE, STATES)


async def _open(country: Country, wanted: EnvelopeFilter = EVERYTHING) -> list[ParkedEnvelope]:
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        return await parked.envelopes(tx, wanted, limit=1_000)


# --- Quarantine ---------------------------------------------------------------------------


def without(country: Country, *nodes: NodeCode) -> TrustStore:
    """Return a trust store that does not know these nodes' keys."""
    return TrustStore.from_keys([key for key in country.trust.keys if key.node not in nodes])


async def released(
    country: Country,
    tier: Tier = Tier.PREFECTURE,
    wanted: QuarantineFilter | None = None,
    *,
    apply: bool = True,
) -> list[Verdict]:
    """Replay a tier's quarantine and return what came of it."""
    verdicts: list[Verdict] = []
    await release(
        country.desk(tier),
        wanted or QuarantineFilter(),
        Decision("replayed", "hanako", "key enrolled") if apply else None,
        pace=Pace(),
        tell=verdicts.extend,
    )
    return verdicts


async def unknown_key(country: Country, *numbers: int) -> list[SignedEnvelope]:
    """Let Tokyo hold updates of Chiyoda whose key it does not know yet."""
    whole = country.trust
    sent = [await country.say(CHIYODA, TOKYO, update(n)) for n in numbers]
    await country.collect(Tier.MUNICIPALITY)
    country.trust = without(country, CHIYODA)
    await country.hand_over([delivery(one, TOKYO, country.now) for one in sent])
    country.trust = whole
    return sent


async def test_delivery_that_is_good_now_is_kept_handled_and_answered(country: Country) -> None:
    """After its key was enrolled, a held update goes the way of every delivery, to J-LIS too."""
    [sent] = await unknown_key(country, 1)
    assert [(TOKYO, "key_unknown", 1, None)] == await country.fetch(Tier.PREFECTURE, HELD)

    verdicts = await released(country)
    await country.settle()

    assert ["accepted"] == [verdict.outcome for verdict in verdicts]
    assert [(TOKYO, "key_unknown", 1, "accepted")] == await country.fetch(Tier.PREFECTURE, HELD)
    assert [("accepted", None, "hanako", "key enrolled")] == (
        await country.fetch(Tier.PREFECTURE, DECIDED)
    )
    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        assert [(1,)] == await country.fetch(tier, REGISTER)
    answers = await country.fetch(
        Tier.MUNICIPALITY,
        "SELECT keeper, level FROM receipt_received WHERE message_id = $1 ORDER BY 1, 2",
        sent.header.id,
    )
    assert [(TOKYO, "processed"), (TOKYO, "rejected"), (JLIS, "processed")] == answers
    assert [] == await country.fetch(
        Tier.PREFECTURE, "SELECT * FROM sequence_gap WHERE closed_at IS NULL"
    )
    assert [] == await released(country)


async def test_dry_run_says_what_would_pass_and_changes_nothing(country: Country) -> None:
    """Without an order to apply, every check is made and nothing is written."""
    sent = await unknown_key(country, 1, 2)
    bad = tampered(delivery(sent[0], TOKYO, country.now))
    await country.hand_over([bad])

    verdicts = await released(country, apply=False)

    expected = ["accepted", "accepted", "refused"]
    assert expected == [verdict.outcome for verdict in verdicts]
    assert [(0,)] == await country.fetch(Tier.PREFECTURE, REGISTER)
    assert [] == await country.fetch(Tier.PREFECTURE, DECIDED)
    assert [(3,)] == await country.fetch(
        Tier.PREFECTURE, "SELECT count(*) FROM quarantine WHERE ended_at IS NULL"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_id": HAKODATE}, "sender_mismatch"),
        ({"routing_key": "13.130001.01.012025.identity-update"}, "sender_mismatch"),
        ({"type": "identity-update.v2"}, "property_mismatch"),
        ({"content_type": "text/plain"}, "property_mismatch"),
        ({"message_id": "00000000-0000-0000-0000-000000000000"}, "property_mismatch"),
        ({"exchange": "juki.relocation"}, "property_mismatch"),
    ],
)
async def test_replay_overrides_no_check(
    country: Country, changes: dict[str, str], reason: str
) -> None:
    """What carried a delivery is held with it, and stays what it is not trusted for."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(sent, TOKYO, country.now, **changes)])

    verdicts = await released(country)

    assert [("refused", reason)] == [(v.outcome, v.reason) for v in verdicts]
    assert [(TOKYO, reason, 1, None)] == await country.fetch(Tier.PREFECTURE, HELD)
    assert [("refused", reason, "hanako", "key enrolled")] == (
        await country.fetch(Tier.PREFECTURE, DECIDED)
    )
    assert [(0,)] == await country.fetch(Tier.PREFECTURE, REGISTER)


async def test_same_bytes_of_another_login_do_not_stand_in_for_the_good_delivery(
    country: Country,
) -> None:
    """Who sends a captured envelope before its sender cannot make it unacceptable."""
    whole = country.trust
    sent = await country.say(CHIYODA, TOKYO, update(1))
    country.trust = without(country, CHIYODA)
    stolen = delivery(sent, TOKYO, country.now, user_id=HAKODATE)
    await country.hand_over([stolen, delivery(sent, TOKYO, country.now)])
    country.trust = whole

    verdicts = await released(country)

    assert ["refused", "accepted"] == [verdict.outcome for verdict in verdicts]
    assert [(1,)] == await country.fetch(Tier.PREFECTURE, REGISTER)


async def test_original_of_a_forward_is_verified_again_as_one(country: Country) -> None:
    """J-LIS keeps, when it knows the key, what a forward had brought before it did."""
    whole = country.trust
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(e, TOKYO, country.now)
                             for e in await country.collect(Tier.MUNICIPALITY)])  # fmt: skip
    [forward] = [e for e in await country.collect(Tier.PREFECTURE)
                 if e.header.kind == "identity-forward"]  # fmt: skip
    country.trust = without(country, CHIYODA)
    await country.hand_over([delivery(forward, JLIS, country.now)])
    held = await country.fetch(Tier.NATIONAL, "SELECT reason, carried_by, login FROM quarantine")
    country.trust = whole

    verdicts = await released(country, Tier.NATIONAL)

    assert [("key_unknown", forward.header.id, TOKYO)] == held
    assert ["accepted"] == [verdict.outcome for verdict in verdicts]
    assert [(sent.header.id, forward.header.id)] == await country.fetch(
        Tier.NATIONAL,
        "SELECT message_id, carried_by FROM inbox WHERE kind = 'identity-update'",
    )
    assert [(1,)] == await country.fetch(Tier.NATIONAL, REGISTER)


async def test_bad_original_inside_a_good_forward_stays_alone(country: Country) -> None:
    """A held forward is kept when its key is known; an original of an unknown key is held then."""
    whole = country.trust
    await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(e, TOKYO, country.now)
                             for e in await country.collect(Tier.MUNICIPALITY)])  # fmt: skip
    [forward] = [e for e in await country.collect(Tier.PREFECTURE)
                 if e.header.kind == "identity-forward"]  # fmt: skip
    country.trust = without(country, TOKYO)
    await country.hand_over([delivery(forward, JLIS, country.now)])
    country.trust = whole
    country.trust = without(country, CHIYODA)

    verdicts = await released(country, Tier.NATIONAL)

    assert ["accepted"] == [verdict.outcome for verdict in verdicts]
    assert [("key_unknown", False, "accepted"), ("key_unknown", True, None)] == (
        await country.fetch(
            Tier.NATIONAL,
            "SELECT reason, carried_by IS NOT NULL, ended_how FROM quarantine ORDER BY position",
        )
    )


async def test_what_conflicts_stays_and_its_neighbours_are_kept(country: Country) -> None:
    """Of two envelopes under one id the first stands; a batch is kept without the second."""
    first = await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(first, TOKYO, country.now)])
    other = _signed_again(country, first)
    whole = country.trust
    country.trust = without(country, CHIYODA)
    await country.hand_over([delivery(other, TOKYO, country.now)])
    country.trust = whole
    [neighbour] = await unknown_key(country, 3)

    verdicts = await released(country)

    assert [("refused", "id_reused"), ("accepted", None)] == [
        (v.outcome, v.reason) for v in verdicts
    ]
    assert [(TOKYO, "key_unknown", 1, None), (TOKYO, "key_unknown", 1, "accepted")] == (
        await country.fetch(Tier.PREFECTURE, HELD)
    )
    kept = await country.fetch(
        Tier.PREFECTURE, "SELECT message_id FROM archive WHERE node <> sender ORDER BY 1"
    )
    assert sorted([(first.header.id,), (neighbour.header.id,)]) == kept


async def test_what_was_resent_meanwhile_is_known_as_kept_before(country: Country) -> None:
    """A replay of what its sender has relayed again changes nothing and ends its quarantine."""
    [sent] = await unknown_key(country, 1)
    await country.hand_over([delivery(sent, TOKYO, country.now)])

    verdicts = await released(country)

    assert ["kept_before"] == [verdict.outcome for verdict in verdicts]
    assert [(1,)] == await country.fetch(Tier.PREFECTURE, REGISTER)


async def test_what_is_not_held_whole_is_not_verified_again(country: Country) -> None:
    """Of a delivery over the limit only a part is here; its sender must resend."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    huge = replace(delivery(sent, TOKYO, country.now), signed=b"a" * (SIZE_MAX + 1))
    await country.hand_over([huge])

    [verdict] = await released(country)

    assert ("refused", "delivery_oversized") == (verdict.outcome, verdict.reason)
    assert "resend" in (verdict.text or "")


async def test_fifty_operators_release_each_delivery_once(country: Country) -> None:
    """Overlapping replays of the quarantine keep, handle and count every delivery once."""
    await unknown_key(country, *range(60))

    async def operate(number: int) -> list[Verdict]:
        wanted = QuarantineFilter(sender=CHIYODA if number % 2 else None)
        return await released(country, wanted=wanted)

    found = await asyncio.gather(*(operate(number) for number in range(50)))

    verdicts = [one for some in found for one in some]
    assert 60 == len(verdicts) == len({one.position for one in verdicts})
    assert {"accepted"} == {one.outcome for one in verdicts}
    assert [(60,)] == await country.fetch(Tier.PREFECTURE, REGISTER)
    assert [(60,)] == await country.fetch(Tier.PREFECTURE, "SELECT count(*) FROM register_history")


async def test_every_filter_narrows_what_of_the_quarantine_is_replayed(country: Country) -> None:
    """Number, reason, kind, login, node and age each leave out what they do not name."""
    await unknown_key(country, 1)
    country.later(hours=2)
    body = update(2).model_copy(update={"area_code": HAKODATE})
    other = await country.say(HAKODATE, HOKKAIDO, body)
    await country.hand_over([tampered(delivery(other, HOKKAIDO, country.now, type="other.v1"))])
    an_hour_ago = country.now - timedelta(hours=1)
    old, new = sorted(one.position for one in await _held(country))

    for wanted, expected in (
        (QuarantineFilter(positions=[new]), [new]),
        (QuarantineFilter(reason="signature_mismatch"), [new]),
        (QuarantineFilter(kind="other"), [new]),
        (QuarantineFilter(kind="identity-update"), [old]),
        (QuarantineFilter(kind="identity-update.v1"), [old]),
        (QuarantineFilter(kind="identity"), []),
        (QuarantineFilter(sender=HAKODATE), [new]),
        (QuarantineFilter(node=HOKKAIDO), [new]),
        (QuarantineFilter(after=an_hour_ago), [new]),
        (QuarantineFilter(before=an_hour_ago), [old]),
    ):
        verdicts = await released(country, wanted=wanted, apply=False)
        assert expected == [one.position for one in verdicts], wanted


async def test_handling_that_fails_after_a_release_is_retried(country: Country) -> None:
    """Once kept it is no matter of trust any more: it waits for its next try, or is parked."""
    await unknown_key(country, 1)
    handler = Broken(Retry("not_yet"))
    country.handlers[Tier.PREFECTURE] = {"identity-update": handler}

    verdicts = await released(country)

    assert ["accepted"] == [verdict.outcome for verdict in verdicts]
    assert [("pending", 1)] == await country.fetch(Tier.PREFECTURE, STATES)


async def test_discarded_delivery_stays_as_evidence_and_is_listed_when_it_comes_again(
    country: Country,
) -> None:
    """Discarding hides what was looked into, and nothing that comes later."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    bad = tampered(delivery(sent, TOKYO, country.now))
    await country.hand_over([bad])
    database = country.databases[Tier.PREFECTURE]
    decision = Decision("discarded", "hanako", "a line test")
    done: list[Verdict] = []

    await discard_quarantined(database, QuarantineFilter(), decision, pace=Pace(), tell=done.extend)

    assert ["discarded"] == [verdict.outcome for verdict in done]
    assert [] == await _held(country)
    assert [(bad.signed,)] == await country.fetch(Tier.PREFECTURE, "SELECT bytes FROM quarantine")
    await country.hand_over([bad])
    assert [2] == [one.arrivals for one in await _held(country)]
    past = await _decisions(country)
    assert [("discarded", "hanako", "a line test")] == past


async def _held(country: Country) -> list[quarantine.Quarantined]:
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        return await quarantine.held(tx, QuarantineFilter(), limit=100)


async def _decisions(country: Country) -> list[tuple[str, str, str]]:
    async with country.databases[Tier.PREFECTURE].transaction() as tx:
        past = await quarantine.history(tx, QuarantineFilter(), limit=100)
    return [(one.outcome, one.operator, one.explanation) for one in past]


def _signed_again(country: Country, envelope: SignedEnvelope) -> SignedEnvelope:
    """Return an authentic envelope under the same id with another number."""
    payload = dict(orjson.loads(signing.read(envelope.signed).payload))
    header = replace(envelope.header, sequence=99)
    payload["sequence"] = f"{header.sequence:020d}"
    signed = country.signing[CHIYODA].sign(orjson.dumps(payload))
    return replace(envelope, header=header, signed=signed)
