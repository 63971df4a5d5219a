"""Clocks that differ and clocks that are set: nothing takes negative time, order stands (G15)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jukinet_mq.cli import journey, status
from jukinet_mq.clock import SKEW_MAX
from jukinet_mq.consumers.overdue import chase
from jukinet_mq.load.tally import tally
from jukinet_mq.messages import ChangeReason, IdentityUpdate
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.producers.filed import IdentityUpdateFiled
from jukinet_mq.producers.filings import file_events
from jukinet_mq.store import timeline
from jukinet_mq.store.proof import read_books
from tests.fixtures import filing
from tests.fixtures.bodies import update
from tests.fixtures.country import CHIYODA, JLIS, TOKYO, Country
from tests.integration.test_pipeline import QUARANTINED

SECOND = timedelta(seconds=1)


def set_clock(country: Country, tier: Tier, off: timedelta) -> None:
    """Let a tier's clock go ahead of the others, or behind them."""
    country.databases[tier].clock = lambda: country.now + off


async def spoken(country: Country, off: timedelta, **changes: object) -> None:
    """Let Chiyoda, whose clock is *off*, say something and carry it everywhere."""
    set_clock(country, Tier.MUNICIPALITY, off)
    await country.say(CHIYODA, TOKYO, update(1, **changes), time=country.now + off)
    await country.settle()


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_sender_whose_clock_differs_is_believed_and_nothing_takes_negative_time(
    country: Country, minutes: int
) -> None:
    """Five minutes either way: kept, answered; `status` and `demo` show no negative times."""
    await spoken(country, timedelta(minutes=minutes))

    assert [] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    books, known = {}, {}
    [[sent]] = await country.fetch(
        Tier.MUNICIPALITY, "SELECT message_id FROM outbox WHERE kind = 'identity-update'"
    )
    for tier, database in country.databases.items():
        async with database.transaction() as tx:
            books[tier] = await read_books(tx, since=country.now - timedelta(days=1))
            known[tier] = await timeline.look_up(tx, sent)
    [way] = journey.journeys(known, directory(), lambda *_: True)
    shown = [status.later(way, step) for step in way.steps]
    assert not [text for text in shown if "-" in text], shown
    assert (minutes > 0) is any("clocks differ" in text for text in shown)
    for kind in tally(books, dict.fromkeys(Tier, 0)):
        assert not [s for s in (*kind.delays, *kind.national_delays) if s < 0]


async def test_envelope_from_the_future_is_held_and_its_sender_learns_why(country: Country) -> None:
    """One second more than the tolerance is too much; the tolerance itself is not."""
    await spoken(country, SKEW_MAX)
    assert [] == await country.fetch(Tier.PREFECTURE, QUARANTINED)

    await spoken(country, SKEW_MAX + SECOND)

    assert [(TOKYO, "time_in_future", 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    rejected = "SELECT keeper, reason FROM receipt_received WHERE level = 'rejected'"
    assert [(TOKYO, "time_in_future")] == await country.fetch(Tier.MUNICIPALITY, rejected)


async def test_clock_stepped_back_an_hour_loses_no_number_and_no_order(country: Country) -> None:
    """Numbers go on, and the register follows the instants that the counters have given."""
    country.later(hours=-2)
    at_nine = await country.say(CHIYODA, TOKYO, update(1))
    await country.settle()
    country.later(minutes=50)
    moved = IdentityUpdate.example(ChangeReason.MOVE_WITHIN)
    at_ten_to_ten = await country.say(
        CHIYODA, TOKYO, moved.model_copy(update={"resident_code": update(1).resident_code})
    )
    set_clock(country, Tier.MUNICIPALITY, timedelta(hours=-1))
    # Said while the clock is an hour behind, and dated by it: before both of them.
    stepped = await country.say(CHIYODA, TOKYO, update(1), time=country.now - timedelta(hours=1))
    await country.settle()

    numbers = """
    SELECT sequence FROM inbox WHERE node = $1 AND kind = 'identity-update' ORDER BY 1
    """
    assert [(1,), (2,), (3,)] == await country.fetch(Tier.PREFECTURE, numbers, TOKYO)
    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        assert [] == await country.fetch(tier, "SELECT * FROM sequence_gap")
        assert [] == await country.fetch(tier, QUARANTINED)
    history = "SELECT message_id FROM register_history ORDER BY event_time"
    in_order = [(stepped.header.id,), (at_nine.header.id,), (at_ten_to_ten.header.id,)]
    assert in_order == await country.fetch(Tier.NATIONAL, history)
    assert [(JLIS, at_ten_to_ten.header.id)] == await country.fetch(
        Tier.NATIONAL, "SELECT node, message_id FROM register"
    )


async def test_receipts_held_while_a_clock_was_behind_come_again_when_it_is_right(
    country: Country,
) -> None:
    """An hour behind, a municipality holds what seems to be of the future, and says so; no more."""
    set_clock(country, Tier.MUNICIPALITY, timedelta(hours=-1))
    await country.say(CHIYODA, TOKYO, update(1), time=country.now - timedelta(hours=1))
    await country.settle()
    held = await country.fetch(Tier.MUNICIPALITY, QUARANTINED)
    missing = "SELECT count(*) FROM receipt_received WHERE matches"
    assert [(0,)] == await country.fetch(Tier.MUNICIPALITY, missing)

    set_clock(country, Tier.MUNICIPALITY, timedelta(0))
    for _ in range(2):
        country.later(hours=1)
        await chase(country.databases[Tier.MUNICIPALITY])
        await country.settle()

    assert [(CHIYODA, "time_in_future", 1)] * 2 == held
    answers = "SELECT keeper, level FROM receipt_received WHERE matches ORDER BY keeper"
    assert [(TOKYO, "processed"), (JLIS, "processed")] == await country.fetch(
        Tier.MUNICIPALITY, answers
    )
    recorded = "SELECT count(*) FROM register_history"
    assert [(1,)] == await country.fetch(Tier.NATIONAL, recorded)


async def filed(country: Country, event: IdentityUpdateFiled) -> None:
    """File an event that names no instant, and carry what follows everywhere."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        await file_events(tx, country.publisher, [event])
    await country.settle()


DATED = "SELECT event_time FROM register_history ORDER BY recorded_at, event_time"


async def test_update_filed_after_the_clock_was_set_back_comes_after_the_earlier_one(
    country: Country,
) -> None:
    """What names no instant is never dated before what was dated here before it."""
    first = country.now
    await filed(country, filing.update(1))
    country.later(minutes=1)
    set_clock(country, Tier.MUNICIPALITY, timedelta(hours=-1))

    await filed(country, filing.update(1))
    await filed(country, filing.update(1))

    moment = timedelta(microseconds=1)
    assert [(first + n * moment,) for n in range(3)] == await country.fetch(Tier.NATIONAL, DATED)
    [[held]] = await country.fetch(Tier.NATIONAL, "SELECT event_time FROM register")
    assert first + 2 * moment == held


async def test_clock_that_was_ahead_dates_by_itself_again_when_it_is_right(
    country: Country,
) -> None:
    """Instants that no keeper has believed do not draw the later ones along."""
    set_clock(country, Tier.MUNICIPALITY, timedelta(hours=1))
    await filed(country, filing.update(1))
    assert [(TOKYO, "time_in_future", 1)] == await country.fetch(Tier.PREFECTURE, QUARANTINED)
    set_clock(country, Tier.MUNICIPALITY, timedelta(0))
    country.later(minutes=1)

    await filed(country, filing.update(1))

    assert [(country.now,)] == await country.fetch(Tier.NATIONAL, DATED)
