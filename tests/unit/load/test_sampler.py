from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any, Never
from uuid import UUID

import pytest

from jukinet_mq.clock import today_in_japan
from jukinet_mq.errors import SyntheticRangeError
from jukinet_mq.identifiers import is_synthetic_individual_number, is_synthetic_resident_code
from jukinet_mq.load.events import (
    CardMoveIn,
    CardMoveOut,
    Change,
    PaperMove,
    SampledEvent,
    as_mapping,
    follows,
)
from jukinet_mq.load.figures import figures
from jukinet_mq.load.sampler import Sampler, identity_updates
from jukinet_mq.messages import ChangeReason, ResidentClass
from jukinet_mq.nodes import directory
from jukinet_mq.producers.events import CardMoveInFiled, IdentityUpdateFiled, MoveFiled, read_event
from jukinet_mq.producers.filings import check_event
from jukinet_mq.producers.publisher import Publisher

AT = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
COUNT = 8_000


@pytest.fixture(scope="module")
def sample() -> list[SampledEvent]:
    """8,000 events."""
    return list(Sampler(11, at=AT).events(COUNT))


def test_every_event_is_one_that_the_publisher_reads(sample: list[SampledEvent]) -> None:
    """Nothing of a sample is refused."""
    for event in sample:
        assert read_event(as_mapping(event)).event_id == event.event_id


def test_everything_may_be_filed_on_the_day_of_the_sample(sample: list[SampledEvent]) -> None:
    """Nothing that the publisher can refuse without its database: no date ahead, no wrong route."""
    publisher = Publisher(directory(), trust=_untouched, signing_key=_untouched)
    assert str(today_in_japan(AT)) == "2026-04-01"

    for event in sample:
        check_event(read_event(as_mapping(event)), publisher, at=AT)


def test_move_ins_are_filed_while_the_card_still_serves(sample: list[SampledEvent]) -> None:
    """No sampled filing needs the paper certificate after all."""
    for event in sample:
        if isinstance(event, CardMoveIn):
            filed = read_event(as_mapping(event))
            assert isinstance(filed, CardMoveInFiled)
            assert filed.moved_in_on <= filed.filed_on <= filed.last_day(filed.planned_on)


def test_sample_has_the_length_that_was_asked_for() -> None:
    """Also where the last filings have no room for the move-in that follows."""
    for count in (0, 1, 2, 3, 50, 201):
        events = list(Sampler(count, at=AT).events(count))
        assert len(events) == count
        assert len({event.event_id for event in events}) == count


def test_same_seed_gives_the_same_sample() -> None:
    """Repeatable byte for byte; another seed, offset or instant gives other events."""

    def draw(seed: int, *, at: datetime = AT, offset: int = 0) -> list[dict[str, Any]]:
        return list(Sampler(seed, at=at, offset=offset).sample(200))

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)
    assert draw(5) != draw(5, offset=10_000)
    later = draw(5, at=AT.replace(minute=31))
    assert {e["event_id"] for e in draw(5)}.isdisjoint(e["event_id"] for e in later)


def test_ids_are_uuid_version_7_in_order_of_drawing() -> None:
    """They begin with the sample's instant and sort as they were drawn."""
    ids = [UUID(e["event_id"]) for e in Sampler(1, at=AT).identity_updates(5_000)]

    assert {UUID(int=each.int).version for each in ids} == {7}
    assert ids[0].int >> 80 == int(AT.timestamp() * 1000)
    assert all(before < after for before, after in pairwise(ids))


def test_card_moves_come_in_pairs(sample: list[SampledEvent]) -> None:
    """Every move-out is followed by the move-in of the same people, much later but at the end."""
    places = {event.event_id: place for place, event in enumerate(sample)}
    moved_in = {e.follows: e for e in sample if isinstance(e, CardMoveIn)}
    moved_out = {e.event_id: e for e in sample if isinstance(e, CardMoveOut)}

    assert moved_in.keys() == moved_out.keys()
    assert len(moved_out) > 500
    for event_id, event in moved_in.items():
        assert event.relocation is moved_out[event_id].relocation
        distance = places[event.event_id] - places[event_id]
        assert distance >= 200 or places[event.event_id] > COUNT - 600


def test_paper_moves_delete_the_entry_first(sample: list[SampledEvent]) -> None:
    """The former municipality reports the move-out of everybody before the move-in is filed."""
    left: set[str] = set()
    moves = 0
    for event in sample:
        match event:
            case Change(reason=ChangeReason.DOMESTIC_MOVE_OUT):
                left.add(event.resident.resident_code)
            case PaperMove():
                moves += 1
                assert left.issuperset(m.resident_code for m in event.relocation.household.members)
            case _:
                pass
    assert moves > 500


def test_what_follows_comes_after(sample: list[SampledEvent]) -> None:
    """No event comes before the one that it follows."""
    seen: set[UUID] = set()
    for event in sample:
        earlier = follows(event)
        assert earlier is None or earlier in seen
        seen.add(event.event_id)


def test_moves_between_wards_of_one_city_are_moves_within() -> None:
    """No move names one node twice; the wards' people appear as 転居."""
    for event in Sampler(3, at=AT).events(3_000):
        if isinstance(event, PaperMove | CardMoveOut | CardMoveIn):
            origin, destination = event.relocation.origin, event.relocation.destination
            assert directory().route(origin.code) != directory().route(destination.code)


def test_mix_is_computed_from_the_figures(sample: list[SampledEvent]) -> None:
    """Kinds and reasons come in their yearly proportions."""
    kinds = Counter(type(event) for event in sample)
    reasons = Counter(event.reason for event in sample if isinstance(event, Change))
    moves = kinds[PaperMove] + kinds[CardMoveOut]

    assert kinds[CardMoveOut] / moves == pytest.approx(0.4, abs=0.04)
    filings = figures().movers / 1.21 * 0.945  # less the moves between wards of a city
    for reason in (ChangeReason.BIRTH, ChangeReason.DEATH):
        expected = figures().yearly(reason) / filings
        assert reasons[reason] / moves == pytest.approx(expected, rel=0.15)
    assert reasons[ChangeReason.DOMESTIC_MOVE_OUT] / kinds[PaperMove] == pytest.approx(
        1.21, abs=0.06
    )


@pytest.mark.parametrize(("share", "kind"), [(0.0, CardMoveOut), (1.0, PaperMove)])
def test_share_of_card_moves_can_be_chosen(share: float, kind: type) -> None:
    """None, or all of them."""
    events = Sampler(2, at=AT, card_share=share).events(500)

    assert not any(isinstance(event, kind) for event in events)


def test_month_of_many_moves_has_more_of_them() -> None:
    """March has more moves among its events than January."""

    def moves(month: int) -> int:
        sampler = Sampler(2, at=AT, month=month)
        return sum(not isinstance(event, Change) for event in sampler.events(2_000))

    assert moves(3) > 1.5 * moves(1)


@pytest.mark.parametrize("reason", ChangeReason)
def test_every_reason_can_be_asked_for(reason: ChangeReason) -> None:
    """All 20 reasons give valid updates with the numbers that they need."""
    for content in Sampler(4, at=AT).identity_updates(30, reasons=[reason]):
        event = read_event(content)
        assert isinstance(event, IdentityUpdateFiled)
        assert event.update.reason is reason


def test_naturalised_are_japanese_after_and_foreign_before() -> None:
    """The class of the entry is that of the side of the change."""

    def classes(reason: ChangeReason) -> set[str]:
        updates = Sampler(4, at=AT).identity_updates(100, reasons=[reason])
        return {content["update"]["resident_class"] for content in updates}

    assert classes(ChangeReason.EX_OFFICIO_ADD_NATURALIZATION) == {ResidentClass.JAPANESE}
    assert classes(ChangeReason.EX_OFFICIO_DELETE_NATURALIZATION) == {ResidentClass.FOREIGN}
    assert classes(ChangeReason.EX_OFFICIO_ADD_NATIONALITY_LOSS) == {ResidentClass.FOREIGN}
    assert classes(ChangeReason.EX_OFFICIO_DELETE_NATIONALITY_LOSS) == {ResidentClass.JAPANESE}


def test_no_number_lies_outside_the_test_ranges(sample: list[SampledEvent]) -> None:
    """Codes and numbers, the previous ones too, wherever they stand in an event."""
    found: Counter[str] = Counter()
    rare = Sampler(9, at=AT, offset=100_000).identity_updates(
        200, reasons=[ChangeReason.IN_CHANGE_REQUEST, ChangeReason.RC_CHANGE_REQUEST]
    )
    for content in [*map(as_mapping, sample), *rare]:
        for name, value in _strings(content):
            if "resident_code" in name:
                assert is_synthetic_resident_code(value)
                found[name] += 1
            elif "individual_number" in name:
                assert is_synthetic_individual_number(value)
                found[name] += 1
    assert set(found) == {
        "resident_code",
        "resident_codes",
        "individual_number",
        "previous_resident_code",
        "previous_individual_number",
    }


def test_newborns_have_no_individual_number_yet() -> None:
    """It is designated after the entry."""
    births = Sampler(4, at=AT).identity_updates(50, reasons=[ChangeReason.BIRTH])

    assert not any("individual_number" in content["update"] for content in births)


def test_identity_updates_for_the_benchmark_are_all_single_updates() -> None:
    """Every one an identity update with another resident; moves among them by their rates."""
    updates = list(identity_updates(3_000, 1, at=AT))

    assert {content["event"] for content in updates} == {"identity-update"}
    assert len({content["update"]["resident_code"] for content in updates}) == 3_000
    reasons = Counter(content["update"]["reason"] for content in updates)
    assert reasons["domestic_move_in"] > 500 < reasons["domestic_move_out"]
    assert updates == list(identity_updates(3_000, 1, at=AT))


def test_sample_larger_than_its_range_of_numbers_ends_with_an_error() -> None:
    """Numbers are never used twice and never made outside the range."""
    with pytest.raises(SyntheticRangeError, match="are used"):
        list(Sampler(1, at=AT, capacity=100).sample(500))


def test_family_register_notice_is_needed_for_japanese_nationals_only() -> None:
    """Foreign residents have no family register to report to."""
    for event in Sampler(6, at=AT).events(1_000):
        if isinstance(event, PaperMove):
            filed = read_event(as_mapping(event))
            assert isinstance(filed, MoveFiled)
            japanese = filed.persons[0].resident_class is ResidentClass.JAPANESE
            assert filed.family_register_notice_needed is japanese


def test_drawing_is_far_faster_than_the_network() -> None:
    """Half a million places a second and 25,000 events on an idle core; a tenth must do here."""
    random = Random(1)
    begun = time.process_time()
    for _ in range(20_000):
        figures().journey(random)
    assert time.process_time() - begun < 0.4

    begun = time.process_time()
    assert sum(1 for _ in Sampler(1, at=AT).events(5_000)) == 5_000
    assert time.process_time() - begun < 2


def _untouched(*_: object) -> Never:
    raise AssertionError("a check needs no key")


def _strings(content: Any, name: str = "") -> list[tuple[str, str]]:
    """Return every string of a mapping with the name of its nearest field."""
    match content:
        case dict():
            return [pair for key, value in content.items() for pair in _strings(value, key)]
        case list():
            return [pair for value in content for pair in _strings(value, name)]
        case str():
            return [(name, content)]
        case _:
            return []
