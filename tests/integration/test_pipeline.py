"""What one tier's pipeline guarantees, counted in the databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import orjson
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.results import Done, Park, Result, Retry, Workplace
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import SIZE_MAX, SignedEnvelope, digest_of
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import ChangeReason, IdentityUpdate, MoveInNotice
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.trust import SealingKey, signing
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    arrivals,
    delivery,
    tampered,
)

ARCHIVED = "SELECT node, sender, message_id FROM archive WHERE node <> sender ORDER BY 1, 2, 3"
QUARANTINED = "SELECT node, reason, arrivals FROM quarantine ORDER BY position"
ANSWERS = "SELECT keeper, level, reason, matches FROM receipt_received ORDER BY keeper, level"


async def test_update_is_kept_and_receipted_by_both_keepers(country: Country) -> None:
    """Prefecture and J-LIS hold an update once each, and both say `processed`."""
    sent = await country.say(CHIYODA, TOKYO, update(1))

    await country.settle()

    for tier, node in ((Tier.PREFECTURE, TOKYO), (Tier.NATIONAL, JLIS)):
        kept = await country.fetch(
            tier, "SELECT digest FROM archive WHERE node = $1 AND message_id = $2", node,
            sent.header.id,
        )  # fmt: skip
        assert [(digest_of(sent.signed),)] == kept
        held = await country.fetch(tier, "SELECT node, message_id, present FROM register")
        assert [(node, sent.header.id, True)] == held
    assert [(TOKYO, "processed", None, True), (JLIS, "processed", None, True)] == (
        await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    )


async def test_prefecture_passes_on_the_very_bytes(country: Country) -> None:
    """J-LIS archives the municipality's signed bytes, not a copy made by the prefecture."""
    sent = [await country.say(CHIYODA, TOKYO, update(n)) for n in range(5)]

    await country.settle()

    kept = await country.fetch(
        Tier.NATIONAL, "SELECT signed FROM archive WHERE sender = $1 ORDER BY message_id", CHIYODA
    )
    assert [(e.signed,) for e in sent] == kept


async def test_notice_is_opened_by_its_recipient_and_kept_sealed_by_the_tiers_above(
    country: Country,
) -> None:
    """The former municipality processes a notice; the tiers above say no more than `kept`."""
    notice = MoveInNotice.example()
    sender, recipient = SAPPORO, CHIYODA
    sent = await country.say(sender, recipient, notice)

    await country.settle()

    answers = await country.fetch(
        Tier.MUNICIPALITY,
        "SELECT keeper, level FROM receipt_received WHERE message_id = $1 ORDER BY keeper",
        sent.header.id,
    )
    assert sorted(
        [(recipient, "processed"), (TOKYO, "kept"), (HOKKAIDO, "kept"), (JLIS, "kept")]
    ) == answers  # fmt: skip


async def test_repeated_delivery_changes_nothing_and_gets_the_same_receipt(
    country: Country,
) -> None:
    """What comes again is not kept twice; the first receipt's very envelope goes out again."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    await country.collect(Tier.MUNICIPALITY)
    first = arrivals(sent, country.now)
    await country.hand_over(first)
    await country.settle()
    before = await _everything(country)

    tallies = await country.hand_over(first)
    again = await country.collect(Tier.PREFECTURE)

    assert [(0, 1)] == [(t.kept, t.duplicates) for t in tallies]
    carrier = await country.fetch(
        Tier.PREFECTURE, "SELECT carried_by FROM receipt_given WHERE message_id = $1",
        sent.header.id,
    )  # fmt: skip
    assert [row[0] for row in carrier] == [e.header.id for e in again if e.header.kind == "receipt"]
    await country.hand_over([d for e in again for d in arrivals(e, country.now)])
    assert before == await _everything(country)


async def test_batch_with_a_delivery_twice_keeps_it_once(country: Country) -> None:
    """The same envelope twice within one batch is one envelope."""
    sent = await country.say(CHIYODA, TOKYO, update(1))

    tallies = await country.hand_over(arrivals(sent, country.now) * 2)

    assert [(1, 1, 0)] == [(t.kept, t.duplicates, t.quarantined) for t in tallies]


async def test_tampered_envelope_is_quarantined_and_its_sender_learns_why(
    country: Country,
) -> None:
    """An envelope changed in transit reaches no register; the sender gets the reason."""
    await country.say(CHIYODA, TOKYO, update(1))

    await country.settle(lambda d: [tampered(d) if d.node == TOKYO else d])

    assert [] == await country.fetch(Tier.PREFECTURE, "SELECT * FROM register")
    assert [(TOKYO, "signature_mismatch", 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    assert [(TOKYO, "rejected", "signature_mismatch", False)] == (
        await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    )


async def test_one_poison_among_a_hundred_good_ones_is_alone_in_quarantine(
    country: Country,
) -> None:
    """A bad member of a batch does not take its neighbours with it."""
    drafts = [Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(101)]
    sent = await country.publish(*drafts)
    deliveries = [delivery(e, TOKYO, country.now) for e in sent]
    deliveries[50] = tampered(deliveries[50])

    tallies = await country.hand_over(deliveries)

    assert [(100, 0, 1)] == [(t.kept, t.duplicates, t.quarantined) for t in tallies]
    assert [(100,)] == await country.fetch(Tier.PREFECTURE, "SELECT count(*) FROM register")


GARBAGE = {
    "garbage bytes": (b"\x00\xff\xfenonsense", "envelope_malformed"),
    "nothing": (b"", "envelope_malformed"),
    "huge": (b"a" * (SIZE_MAX + 1), "delivery_oversized"),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_quarantined_and_the_worker_goes_on(country: Country, name: str) -> None:
    """Bytes that are no envelope are held with their reason; the next delivery is kept."""
    signed, reason = GARBAGE[name]
    sent = await country.say(CHIYODA, TOKYO, update(1))
    good = delivery(sent, TOKYO, country.now)

    tallies = await country.hand_over([replace(good, signed=signed), good])

    assert [(1, 0, 1)] == [(t.kept, t.duplicates, t.quarantined) for t in tallies]
    assert [(TOKYO, reason, 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)


async def test_same_garbage_again_is_counted_not_held_again(country: Country) -> None:
    """A flood of the same bytes fills no disk."""
    sent = await country.say(CHIYODA, TOKYO, update(1))
    bad = tampered(delivery(sent, TOKYO, country.now))

    for _ in range(3):
        await country.hand_over([bad])

    assert [(TOKYO, "signature_mismatch", 3)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_id": HAKODATE}, "sender_mismatch"),
        ({"user_id": None}, "sender_mismatch"),
        ({"routing_key": "13.130001.01.012025.identity-update"}, "sender_mismatch"),
        ({"message_id": "00000000-0000-0000-0000-000000000000"}, "property_mismatch"),
        ({"type": "identity-update.v2"}, "property_mismatch"),
        ({"exchange": "juki.relocation"}, "property_mismatch"),
    ],
)
async def test_delivery_that_disagrees_with_its_envelope_is_quarantined(
    country: Country, changes: dict[str, str | None], reason: str
) -> None:
    """Login, routing key and properties must say what the signed content says."""
    sent = await country.say(CHIYODA, TOKYO, update(1))

    await country.hand_over([delivery(sent, TOKYO, country.now, **changes)])

    assert [(TOKYO, reason, 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    assert [] == await country.fetch(Tier.PREFECTURE, ARCHIVED)


async def test_envelope_at_the_wrong_reader_is_quarantined(country: Country) -> None:
    """An authentic update in another prefecture's queue is held there, and kept nowhere."""
    sent = await country.say(CHIYODA, TOKYO, update(1))

    await country.hand_over([delivery(sent, HOKKAIDO, country.now)])

    assert [(HOKKAIDO, "kind_not_allowed_here", 1)] == (
        await country.fetch(Tier.PREFECTURE, QUARANTINED)
    )


async def test_id_used_for_other_content_is_quarantined(country: Country) -> None:
    """The first envelope under an id stands; another one under it is held as `id_reused`."""
    message_id = uuid7()
    first = await country.say(CHIYODA, TOKYO, update(1), id=message_id)
    await country.hand_over([delivery(first, TOKYO, country.now)])
    other = country.signed_again(first, sequence=2)

    await country.hand_over([delivery(other, TOKYO, country.now)])

    assert [(TOKYO, "id_reused", 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    assert [(TOKYO, CHIYODA, message_id)] == await country.fetch(Tier.PREFECTURE, ARCHIVED)


async def test_number_used_for_another_envelope_is_quarantined(country: Country) -> None:
    """The first envelope under a number stands; another one is held as `sequence_reused`."""
    first = await country.say(CHIYODA, TOKYO, update(1))
    await country.hand_over([delivery(first, TOKYO, country.now)])
    other = country.signed_again(first, id=uuid7())

    await country.hand_over([delivery(other, TOKYO, country.now)])

    assert [(TOKYO, "sequence_reused", 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    assert [(TOKYO, CHIYODA, first.header.id)] == await country.fetch(Tier.PREFECTURE, ARCHIVED)


async def test_missing_number_is_noticed_and_closed_when_it_comes(country: Country) -> None:
    """A number that did not arrive stands open as a gap until its envelope arrives."""
    sent = [await country.say(CHIYODA, TOKYO, update(n)) for n in range(4)]
    deliveries = [delivery(e, TOKYO, country.now) for e in sent]
    open_gaps = "SELECT sequence FROM sequence_gap WHERE closed_at IS NULL ORDER BY 1"

    await country.hand_over([deliveries[0], deliveries[3]])
    assert [(2,), (3,)] == await country.fetch(Tier.PREFECTURE, open_gaps)
    await country.hand_over([deliveries[2]])
    assert [(2,)] == await country.fetch(Tier.PREFECTURE, open_gaps)
    await country.hand_over([deliveries[1]])

    assert [] == await country.fetch(Tier.PREFECTURE, open_gaps)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_register_ends_with_the_latest_event_whatever_the_order_of_arrival(
    country: Country, order: Sequence[int]
) -> None:
    """An older update goes to the history and overwrites nothing."""
    sent = []
    for reason in (
        ChangeReason.DOMESTIC_MOVE_IN,
        ChangeReason.MOVE_WITHIN,
        ChangeReason.DOMESTIC_MOVE_OUT,
    ):
        sent.append(await country.say(CHIYODA, TOKYO, IdentityUpdate.example(reason)))
        country.later(minutes=1)

    for index in order:
        await country.hand_over([delivery(sent[index], TOKYO, country.now)])

    assert [(sent[2].header.id, False)] == await country.fetch(
        Tier.PREFECTURE, "SELECT message_id, present FROM register"
    )
    assert [(3,)] == await country.fetch(Tier.PREFECTURE, "SELECT count(*) FROM register_history")


async def test_changed_resident_code_ends_the_former_entry(country: Country) -> None:
    """After a change of code the register holds the resident under the new code only."""
    await country.say(CHIYODA, TOKYO, update(2))
    country.later(minutes=1)
    changed = IdentityUpdate.example(ChangeReason.RC_CHANGE_REQUEST)
    await country.say(CHIYODA, TOKYO, changed)

    await country.settle()

    held = await country.fetch(
        Tier.NATIONAL, "SELECT resident_code, present FROM register ORDER BY present"
    )
    assert [(changed.previous_resident_code, False), (changed.resident_code, True)] == held


async def test_history_keeps_for_150_years_from_the_next_notice(country: Country) -> None:
    """Retention begins with the next notice of the same resident (Order 30-6)."""
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example())
    await country.settle()
    country.later(days=10)
    await country.say(CHIYODA, TOKYO, IdentityUpdate.example(ChangeReason.MOVE_WITHIN))
    await country.settle()

    years = await country.fetch(
        Tier.NATIONAL,
        "SELECT date_part('year', keep_until) FROM register_retention ORDER BY keep_until",
    )

    assert [(2176.0,), (None,)] == years


class Failing:
    """A handler that fails a number of times, by answer or by raising, and then works."""

    def __init__(self, times: int, *, how: str) -> None:
        self.left, self.how, self.tries = times, how, 0

    async def __call__(
        self, tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        self.tries += 1
        if self.left <= 0:
            return [Done()] * len(arrivals)
        self.left -= 1
        if self.how == "raise":
            raise RuntimeError("handler broke")
        return [Retry("not_yet")] * len(arrivals)


@pytest.mark.parametrize("how", ["answer", "raise"])
async def test_failed_handling_is_retried_from_the_inbox_until_it_works(
    country: Country, how: str
) -> None:
    """Kept at once and receipted as kept; handled again when due, then receipted as processed."""
    handler = Failing(3, how=how)
    country.handlers[Tier.PREFECTURE] = {"identity-update": handler}
    await country.say(CHIYODA, TOKYO, update(1))

    await country.settle()
    assert [(TOKYO, "kept", None, True)] == await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    desk = country.desk(Tier.PREFECTURE)
    while await retry_due(desk):
        pass
    state = "SELECT state, attempts FROM inbox WHERE node = $1 AND kind = 'identity-update'"
    assert [("pending", 3)] == await country.fetch(Tier.PREFECTURE, state, TOKYO)
    country.later(minutes=1)
    await retry_due(desk)
    await country.settle()

    assert [("done", 4)] == await country.fetch(Tier.PREFECTURE, state, TOKYO)
    assert [(TOKYO, "kept", None, True), (TOKYO, "processed", None, True)] == (
        await country.fetch(Tier.MUNICIPALITY, ANSWERS)
    )


async def test_spent_policy_parks(country: Country) -> None:
    """What never works is parked with its reason after the policy's last try."""
    country.handlers[Tier.PREFECTURE] = {"identity-update": Failing(10**6, how="answer")}
    await country.say(CHIYODA, TOKYO, update(1))
    await country.settle()

    desk = country.desk(Tier.PREFECTURE)
    tries = 1
    for _ in range(20):
        country.later(minutes=15)
        tries += await retry_due(desk)

    assert IdentityUpdate.retry.attempts_max == tries
    assert [("not_yet", tries)] == await country.fetch(
        Tier.PREFECTURE, "SELECT reason, attempts FROM parked WHERE ended_at IS NULL"
    )


async def test_one_failing_member_of_a_group_leaves_its_neighbours_done(
    country: Country,
) -> None:
    """A handler that breaks on one envelope of a batch is asked for each alone."""

    async def picky(
        tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        codes = [a.envelope.body.resident_code for a in arrivals]  # type: ignore[union-attr]
        if synthetic_resident_code(3) in codes:
            raise UnknownEventError("no such resident")
        return [Done()] * len(arrivals)

    country.handlers[Tier.PREFECTURE] = {"identity-update": picky}
    sent = await country.publish(*(Draft(CHIYODA, TOKYO, update(n), country.now) for n in range(6)))

    await country.hand_over([delivery(e, TOKYO, country.now) for e in sent])

    states = await country.fetch(
        Tier.PREFECTURE, "SELECT state, reason, count(*) FROM inbox GROUP BY 1, 2 ORDER BY 1"
    )
    assert [("done", None, 5), ("parked", "event_unknown", 1)] == states


async def test_parking_answer_parks_at_once(country: Country) -> None:
    """A handler that says nobody but a person can help is not asked again."""

    async def never(
        tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        return [Park("needs_a_person")] * len(arrivals)

    country.handlers[Tier.PREFECTURE] = {"identity-update": never}
    await country.say(CHIYODA, TOKYO, update(1))

    await country.settle()

    assert [("needs_a_person", 1)] == await country.fetch(
        Tier.PREFECTURE, "SELECT reason, attempts FROM parked"
    )
    assert 0 == await retry_due(country.desk(Tier.PREFECTURE))


async def _everything(country: Country) -> list[object]:
    counts = []
    for tier in Tier:
        for table in ("archive", "inbox", "register", "register_history", "receipt_given",
                      "receipt_received", "outbox", "quarantine"):  # fmt: skip
            counts += await country.fetch(tier, f"SELECT '{table}', count(*) FROM {table}")
    return counts


def _payload(envelope: SignedEnvelope) -> dict[str, object]:
    return dict(orjson.loads(signing.read(envelope.signed).payload))


async def test_envelope_that_no_longer_opens_is_parked_and_its_neighbours_handled(
    country: Country,
) -> None:
    """A lost private key stops one envelope's retry, not the worker and not the others'."""
    country.handlers[Tier.PREFECTURE] = {"identity-update": Failing(1, how="answer")}
    await country.say(CHIYODA, TOKYO, update(1))
    await country.say(HAKODATE, HOKKAIDO, update(2).model_copy(update={"area_code": HAKODATE}))
    await country.settle()
    country.sealing[TOKYO] = SealingKey.generate()

    country.later(minutes=1)
    await retry_due(country.desk(Tier.PREFECTURE))

    states = await country.fetch(
        Tier.PREFECTURE,
        "SELECT node, state, reason FROM inbox WHERE kind = 'identity-update' ORDER BY node",
    )
    assert [(HOKKAIDO, "done", None), (TOKYO, "parked", "seal_unopenable")] == states
