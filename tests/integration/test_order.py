"""Per resident the registers end as the events happened, in whatever order they arrive."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.envelope import Delivery, SignedEnvelope
from jukinet_mq.errors import DatabaseUnavailableError
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import ChangeReason, EventClass, IdentityUpdate
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.producers.publisher import Draft
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    arrivals,
)

PLACES = {
    CHIYODA: (TOKYO, "131016", "東京都千代田区霞が関二丁目1番2号"),
    SAPPORO: (HOKKAIDO, "011011", "北海道札幌市中央区北一条西二丁目1番地"),
    HAKODATE: (HOKKAIDO, "012025", "北海道函館市東雲町4番13号"),
}
REGISTER = """
SELECT node, resident_code, message_id, present, event_time FROM register
WHERE resident_code = ANY ($1::text[])
"""
HISTORY = """
SELECT message_id, count(*) FROM register_history
WHERE node = 'jlis' AND message_id = ANY ($1::uuid[]) GROUP BY message_id
"""


@dataclass(frozen=True)
class Said:
    """An update, who says it, and how many minutes after the first event it happened."""

    at: NodeCode
    resident: int
    reason: ChangeReason
    minute: int


R = ChangeReason
LIVES = {
    "moves between prefectures and back": [
        Said(CHIYODA, 1, R.DOMESTIC_MOVE_OUT, 0),
        Said(SAPPORO, 1, R.DOMESTIC_MOVE_IN, 10),
        Said(SAPPORO, 1, R.DOMESTIC_MOVE_OUT, 20),
        Said(CHIYODA, 1, R.DOMESTIC_MOVE_IN, 30),
    ],
    "moves within a prefecture, deleted and added at one instant": [
        Said(SAPPORO, 1, R.MOVE_WITHIN, 0),
        Said(SAPPORO, 1, R.DOMESTIC_MOVE_OUT, 10),
        Said(HAKODATE, 1, R.DOMESTIC_MOVE_IN, 10),
        Said(HAKODATE, 1, R.MINOR_CORRECTION, 11),
    ],
    "code is changed, then changed resident moves": [
        Said(CHIYODA, 2, R.DOMESTIC_MOVE_IN, 0),
        Said(CHIYODA, 1, R.RC_CHANGE_REQUEST, 10),
        Said(CHIYODA, 1, R.IN_CHANGE_REQUEST, 20),
        Said(CHIYODA, 1, R.DOMESTIC_MOVE_OUT, 30),
    ],
    "corrections at one and the same instant": [
        Said(CHIYODA, 1, R.MINOR_CORRECTION, 0),
        Said(CHIYODA, 1, R.MOVE_WITHIN, 0),
        Said(CHIYODA, 1, R.IN_CHANGE_REQUEST, 0),
        Said(CHIYODA, 1, R.EX_OFFICIO_CORRECT, 0),
    ],
    "naturalised: deleted and added as one event": [
        Said(CHIYODA, 1, R.EX_OFFICIO_DELETE_NATURALIZATION, 5),
        Said(CHIYODA, 1, R.EX_OFFICIO_ADD_NATURALIZATION, 5),
        Said(CHIYODA, 1, R.DEATH, 9),
        Said(CHIYODA, 3, R.DEATH, 9),
    ],
}


def body(said: Said) -> IdentityUpdate:
    """Return the update as its municipality would say it; a former code is the next resident's."""
    _, area, address = PLACES[said.at]
    example = IdentityUpdate.example(said.reason)
    changed: dict[str, Any] = {
        "resident_code": synthetic_resident_code(said.resident),
        "individual_number": synthetic_individual_number(said.resident),
        "area_code": area,
        "address": address,
    }
    if example.previous_resident_code is not None:
        changed["previous_resident_code"] = synthetic_resident_code(said.resident + 1)
    return example.model_copy(update=changed)


def about_others(life: Sequence[Said], number: int) -> list[Said]:
    """Return the same life of other residents, so that many fit into one register."""
    return [replace(said, resident=said.resident + 10 * number) for said in life]


async def tell(country: Country, life: Sequence[Said]) -> list[SignedEnvelope]:
    """Publish a life, each event at its instant."""
    return await country.publish(
        *(
            Draft(s.at, PLACES[s.at][0], body(s), country.now + timedelta(minutes=s.minute))
            for s in life
        )
    )


def expected(
    sent: Sequence[SignedEnvelope], life: Sequence[Said], node: NodeCode
) -> dict[str, Any]:
    """Say what a register must hold, by sorting the events and applying them one after another."""
    held: dict[str, tuple[UUID, bool, datetime]] = {}
    events = zip(sent, life, strict=True)
    for envelope, said in sorted(events, key=lambda e: (e[0].header.time, e[0].header.id)):
        if node not in (JLIS, PLACES[said.at][0]):
            continue
        update, header = body(said), envelope.header
        present = update.event_class is not EventClass.DELETE
        held[update.resident_code] = (header.id, present, header.time)
        if update.previous_resident_code is not None:
            held[update.previous_resident_code] = (header.id, False, header.time)
    return held


async def registers(country: Country, residents: Sequence[int]) -> dict[NodeCode, dict[str, Any]]:
    """Return what each register holds of *residents* and of the former codes that they may have."""
    codes = [synthetic_resident_code(n) for r in residents for n in (r, r + 1)]
    held: dict[NodeCode, dict[str, Any]] = {TOKYO: {}, HOKKAIDO: {}, JLIS: {}}
    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        for node, code, *rest in await country.fetch(tier, REGISTER, codes):
            held[node][code] = tuple(rest)
    return held


async def prove(country: Country, sent: Sequence[SignedEnvelope], life: Sequence[Said]) -> None:
    """Hold the registers against the events, and the history for having each once."""
    held = await registers(country, [said.resident for said in life])
    for node in (TOKYO, HOKKAIDO, JLIS):
        assert expected(sent, life, node) == held[node], (node, life)
    ids = [envelope.header.id for envelope in sent]
    assert {(message_id, 1) for message_id in ids} == set(
        await country.fetch(Tier.NATIONAL, HISTORY, ids)
    )


async def deliver(country: Country, batches: Sequence[Sequence[SignedEnvelope]]) -> None:
    """Hand over batch by batch; what the prefectures forward reaches J-LIS the other way round."""
    forwards = []
    for batch in batches:
        await country.hand_over([d for e in batch for d in arrivals(e, country.now)])
        forwards.append(await country.collect(Tier.PREFECTURE))
    for each in reversed(forwards):
        await country.hand_over([d for e in each for d in arrivals(e, country.now)])


@pytest.mark.parametrize("life", LIVES)
async def test_registers_end_the_same_for_every_order_of_arrival(
    country: Country, life: str
) -> None:
    """Prefectures' and J-LIS's registers are what the events make as they happened.

    Every permutation, each of residents of its own; each update of one comes in another batch.
    """
    country.later(hours=1)
    orders = list(permutations(range(len(LIVES[life]))))
    lives = [about_others(LIVES[life], number) for number in range(len(orders))]
    sent = [await tell(country, each) for each in lives]
    await country.collect(Tier.MUNICIPALITY)
    country.later(hours=2)

    await deliver(
        country,
        [
            [envelopes[order[step]] for envelopes, order in zip(sent, orders, strict=True)]
            for step in range(len(LIVES[life]))
        ],
    )

    for envelopes, each in zip(sent, lives, strict=True):
        await prove(country, envelopes, each)


EXAMPLES = itertools.count(1)
REASONS = st.sampled_from(
    [R.DOMESTIC_MOVE_IN, R.DOMESTIC_MOVE_OUT, R.MOVE_WITHIN, R.MINOR_CORRECTION, R.DEATH,
     R.IN_CHANGE_REQUEST, R.RC_CHANGE_REQUEST]
)  # fmt: skip
SAIDS = st.builds(
    Said, st.sampled_from(list(PLACES)), st.integers(1, 3), REASONS, st.integers(0, 3)
)


@given(
    life=st.lists(SAIDS, min_size=2, max_size=12),
    size=st.integers(1, 5),
    shuffle=st.randoms(use_true_random=False),
    doubled=st.booleans(),
)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_lives_in_any_order_and_batches_end_the_same(
    country: Country, life: list[Said], size: int, shuffle: random.Random, doubled: bool
) -> None:
    """Several residents, several municipalities, ties, repetitions and batches of any size."""
    country.later(hours=1)
    life = about_others(life, next(EXAMPLES))
    sent = await tell(country, life)
    await country.collect(Tier.MUNICIPALITY)
    country.later(hours=1)
    order = sent * 2 if doubled else list(sent)
    shuffle.shuffle(order)

    await deliver(country, [order[i : i + size] for i in range(0, len(order), size)])

    await prove(country, sent, life)


async def test_what_a_gap_brings_late_takes_its_place_in_the_past(country: Country) -> None:
    """An update that was lost and asked for again overwrites nothing that happened after it."""
    life = LIVES["moves between prefectures and back"]
    country.later(hours=1)
    sent = await tell(country, life)
    lost = str(sent[0].header.id)
    country.later(hours=1)
    await country.settle(lambda d: [] if d.message_id == lost else [d])
    country.later(hours=2)

    await ask_for_missing(country.databases[Tier.PREFECTURE], country.publisher, None)
    await country.settle()

    await prove(country, sent, life)


async def test_workers_side_by_side_end_the_same(country: Country) -> None:
    """Four workers that handle two residents' updates at once agree on the latest."""
    country.later(hours=1)
    life = [Said(CHIYODA, 1 + n % 2, R.MINOR_CORRECTION, n % 5) for n in range(20)]
    sent = await tell(country, life)
    await country.collect(Tier.MUNICIPALITY)
    country.later(hours=1)
    deliveries = [d for e in sent for d in arrivals(e, country.now)]

    await asyncio.gather(*(_patiently(country, deliveries[i::4]) for i in range(4)))
    await country.settle()

    await prove(country, sent, life)


async def _patiently(country: Country, batch: Sequence[Delivery]) -> None:
    """Do what a worker does when two transactions have locked each other out: try again."""
    while True:
        try:
            await country.hand_over(batch)
            return
        except DatabaseUnavailableError:
            continue
