"""Whatever is done to envelopes on their way is noticed, and the place is named (G14)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.envelope import Delivery, SignedEnvelope, encode
from jukinet_mq.messages import MoveInNotice
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.store.sequences import GRACE
from jukinet_mq.trust import SigningKey
from jukinet_mq.trust.sealing import seal
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    arrivals,
    delivery,
)

SEED = 14
SENT = 60
BASE64URL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEPT = "SELECT count(*) FROM archive WHERE node <> sender"
HELD = "SELECT node, message_id, login, reason FROM quarantine ORDER BY position"
OPEN_GAPS = """
SELECT node, sender, recipient, plane, sequence FROM sequence_gap
WHERE closed_at IS NULL ORDER BY sequence
"""


async def updates(country: Country, count: int = SENT) -> list[SignedEnvelope]:
    """Publish updates of Chiyoda; nothing is carried anywhere yet."""
    sent = [await country.say(CHIYODA, TOKYO, update(n)) for n in range(1, count + 1)]
    await country.collect(Tier.MUNICIPALITY)
    return sent


def at_tokyo(country: Country, envelopes: Iterable[SignedEnvelope]) -> list[Delivery]:
    """Return the envelopes as they arrive at the prefecture."""
    return [delivery(envelope, TOKYO, country.now) for envelope in envelopes]


def flipped(whole: Delivery, position: int, chance: random.Random) -> Delivery:
    """Return *whole* with one byte of its body changed: one of the alphabet, or any other."""
    signed = bytearray(whole.signed)
    others = BASE64URL if chance.random() < 0.7 else bytes(range(256))
    signed[position] = chance.choice([byte for byte in others if byte != signed[position]])
    return replace(whole, signed=bytes(signed))


def positions(signed: bytes, count: int, chance: random.Random) -> list[int]:
    """Return places all over: the first and last byte of each part, the dots, and any others."""
    dots = [index for index, byte in enumerate(signed) if byte == ord(".")]
    edges = [0, len(signed) - 1, *dots, *(d - 1 for d in dots), *(d + 1 for d in dots)]
    return edges + [chance.randrange(len(signed)) for _ in range(count - len(edges))]


async def nothing_kept(country: Country, tier: Tier = Tier.PREFECTURE) -> None:
    """Assert that no keeper of a tier has kept or registered anything."""
    assert [(0,)] == await country.fetch(tier, KEPT)
    assert [(0,)] == await country.fetch(tier, "SELECT count(*) FROM register_history")


async def test_flipped_byte_anywhere_is_held_and_named(country: Country) -> None:
    """Nothing of it is kept; quarantine names keeper, envelope, login and reason."""
    chance = random.Random(SEED)
    sent = await updates(country)
    places = positions(sent[0].signed, SENT, chance)
    deliveries = [
        flipped(whole, place % len(whole.signed), chance)
        for whole, place in zip(at_tokyo(country, sent), places, strict=True)
    ]

    await country.hand_over(deliveries)

    await nothing_kept(country)
    held = await country.fetch(Tier.PREFECTURE, HELD)
    assert [(TOKYO, str(e.header.id), CHIYODA) for e in sent] == [row[:3] for row in held]
    reasons = {row[3] for row in held}
    assert {"signature_mismatch", "envelope_malformed"} <= reasons
    assert reasons <= {"signature_mismatch", "envelope_malformed", "key_unknown", "kind_unknown"}


async def test_flipped_byte_of_a_sealed_notice_is_held_by_every_keeper(country: Country) -> None:
    """Prefectures and J-LIS cannot open a move-in notice, and notice a change all the same."""
    chance = random.Random(SEED)
    sent = await country.say(SAPPORO, CHIYODA, MoveInNotice.example())
    await country.collect(Tier.MUNICIPALITY)
    whole = arrivals(sent, country.now)
    deliveries = [flipped(d, p, chance) for d in whole for p in positions(d.signed, 15, chance)]

    await country.hand_over(deliveries)

    for tier in Tier:
        await nothing_kept(country, tier)
        held = await country.fetch(tier, HELD)
        assert {d.node for d in deliveries} >= {row[0] for row in held}
        assert {str(sent.header.id)} == {row[1] for row in held}
    await country.hand_over(whole)
    kept = [await country.fetch(tier, KEPT) for tier in Tier]
    assert [[(1,)], [(2,)], [(1,)]] == kept


async def test_truncated_and_lengthened_bytes_are_held(country: Country) -> None:
    """Every prefix of an envelope and everything hung on to it is another thing than was said."""
    chance = random.Random(SEED)
    [sent] = await updates(country, 1)
    [whole] = at_tokyo(country, [sent])
    lengths = [0, 1, len(whole.signed) - 1, *chance.sample(range(2, len(whole.signed) - 1), 20)]
    added = [b"A", b".", b"=", b"\0", b"\n", b" ", whole.signed]
    bodies = [whole.signed[:n] for n in lengths]
    bodies += [whole.signed + more for more in added] + [more + whole.signed for more in added]

    await country.hand_over([replace(whole, signed=body) for body in bodies])

    await nothing_kept(country)
    held = await country.fetch(Tier.PREFECTURE, HELD)
    assert len(set(bodies)) == len(held)
    assert {(TOKYO, str(sent.header.id), CHIYODA)} == {row[:3] for row in held}
    assert {row[3] for row in held} <= {"envelope_malformed", "signature_mismatch"}


async def test_reordered_envelopes_are_all_kept_and_no_number_is_missing(country: Country) -> None:
    """Order on the way is nobody's word: the numbers and the events' instants are signed."""
    sent = await updates(country)
    deliveries = at_tokyo(country, sent)
    random.Random(SEED).shuffle(deliveries)

    for start in range(0, SENT, 7):
        await country.hand_over(deliveries[start : start + 7])

    assert [(SENT,)] == await country.fetch(Tier.PREFECTURE, KEPT)
    assert [] == await country.fetch(Tier.PREFECTURE, OPEN_GAPS)
    assert [] == await country.fetch(Tier.PREFECTURE, HELD)


async def test_dropped_envelopes_are_named_one_by_one_and_come_when_asked_for(
    country: Country,
) -> None:
    """Each missing number is noted with keeper, sender, recipient and plane, then resent."""
    sent = await updates(country)
    chance = random.Random(SEED)
    dropped = {e.header.id for e in chance.sample(sent[:-1], 12)}
    await country.hand_over(at_tokyo(country, [e for e in sent if e.header.id not in dropped]))

    named = await country.fetch(Tier.PREFECTURE, OPEN_GAPS)
    country.later(seconds=GRACE.total_seconds() + 1)
    asked = await ask_for_missing(country.databases[Tier.PREFECTURE], country.publisher, [TOKYO])
    await country.settle()

    missing = [e.header.sequence for e in sent if e.header.id in dropped]
    assert [(TOKYO, CHIYODA, TOKYO, "identity", number) for number in missing] == named
    assert len(missing) == asked
    assert [] == await country.fetch(Tier.PREFECTURE, OPEN_GAPS)
    assert [(SENT,)] == await country.fetch(
        Tier.NATIONAL, "SELECT count(DISTINCT message_id) FROM register_history"
    )


async def said_with(
    country: Country, by: SigningKey, sender: NodeCode, sequence: int
) -> SignedEnvelope:
    """Return an envelope in *sender*'s name that it has not published, signed with a key."""
    real = await country.say(sender, TOKYO, update(500))
    header = replace(real.header, id=uuid7(), sequence=sequence)
    readers = [country.trust.sealing_key(node, country.now) for node in (TOKYO, JLIS)]
    claims = encode(header, seal(update(501).dump_json(), readers), sealed=True)
    return replace(real, header=header, signed=by.sign(claims))


@pytest.mark.parametrize("forger", ["a stranger", "another node"])
async def test_added_envelope_is_held(country: Country, forger: str) -> None:
    """Whom the keeper does not know cannot add a record, nor can a node in another's name."""
    await updates(country, 3)
    key = SigningKey.generate() if forger == "a stranger" else country.signing[HAKODATE]
    forged = await said_with(country, key, CHIYODA, sequence=4)

    await country.hand_over(at_tokyo(country, [forged]))

    await nothing_kept(country)
    reason = "key_unknown" if forger == "a stranger" else "signer_untrusted"
    assert [(TOKYO, str(forged.header.id), CHIYODA, reason)] == await country.fetch(
        Tier.PREFECTURE, HELD
    )


async def test_record_of_one_place_put_in_another_is_held(country: Country) -> None:
    """An authentic envelope under another login, id, key or queue is not where it was said."""
    [sent] = await updates(country, 1)
    [whole] = at_tokyo(country, [sent])
    moved = [
        replace(whole, user_id=HAKODATE),
        replace(whole, message_id=str(uuid7())),
        replace(whole, routing_key=whole.routing_key.replace("131016", "012025")),
        replace(whole, node=NodeCode("010006")),
        replace(whole, exchange="juki.relocation"),
    ]

    for one in moved:
        await country.hand_over([one])

    await nothing_kept(country)
    held = await country.fetch(Tier.PREFECTURE, "SELECT sum(arrivals) FROM quarantine")
    assert [(len(moved),)] == held


async def test_tampering_for_a_while_leaves_no_trace_but_in_quarantine(country: Country) -> None:
    """What was flipped, dropped, swapped and doubled at random is whole again after resends."""
    chance = random.Random(SEED)

    def meddle(whole: Delivery) -> list[Delivery]:
        match chance.randrange(6):
            case 0:
                return [flipped(whole, chance.randrange(len(whole.signed)), chance)]
            case 1:
                return [replace(whole, signed=whole.signed[: chance.randrange(len(whole.signed))])]
            case 2:
                return []
            case 3:
                return [whole, whole]
            case _:
                return [whole]

    for number in range(1, SENT + 1):
        await country.say(CHIYODA, TOKYO, update(number))
    envelopes = await country.collect(Tier.MUNICIPALITY)
    deliveries = [c for d in at_tokyo(country, envelopes) for c in meddle(d)]
    chance.shuffle(deliveries)
    await country.hand_over(deliveries)
    await country.say(CHIYODA, TOKYO, update(SENT + 1))  # its number shows what is missing before
    await country.settle()
    country.later(seconds=(GRACE + timedelta(seconds=1)).total_seconds())
    await ask_for_missing(country.databases[Tier.PREFECTURE], country.publisher, [TOKYO])
    await country.settle()

    assert [(SENT + 1, SENT + 1)] == await country.fetch(
        Tier.NATIONAL, "SELECT count(*), count(DISTINCT message_id) FROM register_history"
    )
    assert [] == await country.fetch(Tier.PREFECTURE, OPEN_GAPS)
    assert [] != await country.fetch(Tier.PREFECTURE, HELD)
