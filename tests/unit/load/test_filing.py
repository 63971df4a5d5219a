"""Which events are held back, and which people move elsewhere than planned."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from jukinet_mq.load.events import CardMoveIn, CardMoveOut, SampledEvent, as_mapping
from jukinet_mq.load.filing import Filings, divert
from jukinet_mq.load.sampler import Sampler
from jukinet_mq.producers.events import CardMoveInFiled, read_event

AT = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def sample() -> list[SampledEvent]:
    """A thousand events of the nation."""
    return list(Sampler(7, at=AT).events(1_000))


def test_some_file_where_they_had_not_planned_to_move(sample: list[SampledEvent]) -> None:
    """A small share of card-based move-ins is diverted to another municipality; nobody is lost."""
    after = list(divert(sample, seed=7))

    changed = [(a, b) for a, b in zip(sample, after, strict=True) if a != b]
    card_move_ins = sum(isinstance(event, CardMoveIn) for event in sample)
    assert 0 < len(changed) < 0.15 * card_move_ins
    for before, now in changed:
        assert isinstance(before, CardMoveIn)
        assert isinstance(now, CardMoveIn)
        assert before.relocation.destination != now.relocation.destination
        assert before.relocation.household == now.relocation.household
        assert isinstance(read_event(as_mapping(now)), CardMoveInFiled)


def test_same_seed_diverts_the_same_people(sample: list[SampledEvent]) -> None:
    """A run can be repeated."""
    assert list(divert(sample, seed=3)) == list(divert(sample, seed=3))


def test_card_move_in_waits_for_its_certificate_unless_it_is_diverted(
    sample: list[SampledEvent],
) -> None:
    """Who comes where planned is held back; who comes elsewhere asks for the certificate."""
    filed = Filings()
    waiting = [event for event in divert(sample, seed=7) if filed.must_wait(event)]

    card_move_ins = [event for event in sample if isinstance(event, CardMoveIn)]
    assert len(card_move_ins) == len(waiting) + filed.diverted
    assert filed.diverted > 0
    assert all(isinstance(event, CardMoveIn) for event in waiting)


def test_nothing_else_is_held_back(sample: list[SampledEvent]) -> None:
    """Move-outs, paper moves and single changes are filed when they come."""
    filed = Filings()
    others = [event for event in sample if not isinstance(event, CardMoveIn)]

    assert [] == [event for event in islice(others, 500) if filed.must_wait(event)]
    assert any(isinstance(event, CardMoveOut) for event in others)
