"""What happens in Japan, event by event, in the proportions of the shipped statistics.

Three layers, each of use alone: `Figures` draws where, `Population` draws who, and the
`Sampler` puts both into events in an order that could be real.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from jukinet_mq.clock import today_in_japan, utc_now
from jukinet_mq.load.chance import Urn
from jukinet_mq.load.events import (
    CardMoveIn,
    CardMoveOut,
    Change,
    PaperMove,
    Relocation,
    SampledEvent,
    as_mapping,
)
from jukinet_mq.load.figures import AVERAGE, Journey, Season, figures
from jukinet_mq.load.households import FAMILY_SIZES, MEAN_FAMILY_SIZE, Lifespan
from jukinet_mq.load.people import Population, Resident
from jukinet_mq.messages import ChangeReason
from jukinet_mq.nodes import Area, directory

CARD_MOVE_SHARE: Final = 0.4
"""Moves filed with a card instead of a paper certificate; 40 to 80 % is the plausible range."""
FOLLOW_AFTER: Final = 200
"""Events between a move-out and the move-in that it leads to."""

_MOVE_REASONS: Final = frozenset({ChangeReason.DOMESTIC_MOVE_IN, ChangeReason.DOMESTIC_MOVE_OUT})
_FOREIGN_BEFORE_OR_AFTER: Final = {
    ChangeReason.EX_OFFICIO_ADD_NATURALIZATION: 0.0,
    ChangeReason.EX_OFFICIO_DELETE_NATURALIZATION: 1.0,
    ChangeReason.EX_OFFICIO_ADD_NATIONALITY_LOSS: 1.0,
    ChangeReason.EX_OFFICIO_DELETE_NATIONALITY_LOSS: 0.0,
    ChangeReason.OVERSEAS_MOVE_IN_ETC: 0.8,
    ChangeReason.OVERSEAS_MOVE_OUT: 0.8,
}
"""Share of foreign residents where the reason decides it; of travellers an assumption."""
_LIFESPANS: Final = {
    ChangeReason.BIRTH: Lifespan.NEWBORN,
    ChangeReason.DEATH: Lifespan.LATE,
    ChangeReason.OVERSEAS_MOVE_IN_ETC: Lifespan.ADULT,
    ChangeReason.OVERSEAS_MOVE_OUT: Lifespan.ADULT,
}
_PREVIOUS_NUMBER: Final = frozenset(
    {
        ChangeReason.IN_CHANGE_REQUEST,
        ChangeReason.IN_EX_OFFICIO_CORRECT,
        ChangeReason.RC_CHANGE_REQUEST,
    }
)
_FILED_WITHIN_DAYS: Final = 14
"""Moves are filed within 14 days (Act art. 22)."""
_PLANNED_AHEAD_DAYS_MAX: Final = 30


class Sampler:
    """Draws events; the same seed, instant and offset give the same events.

    Moves between two wards of one designated city count as moves in the statistics. Here
    they become a 転居 of each person: the city is one node, and nothing travels between
    municipalities.
    """

    __slots__ = (
        "_card_share",
        "_drawn",
        "_figures",
        "_follow_after",
        "_kinds",
        "_milliseconds",
        "_population",
        "_random",
        "_today",
    )

    def __init__(
        self,
        seed: int,
        *,
        at: datetime | None = None,
        offset: int = 0,
        capacity: int | None = None,
        card_share: float = CARD_MOVE_SHARE,
        month: int | None = None,
        follow_after: int = FOLLOW_AFTER,
    ) -> None:
        """Prepare to draw.

        Args:
            seed: Of everything random.
            at: The instant of the sample: nothing lies after its day in Japan but planned
                moves, and the events' ids begin with it. None for now.
            offset: First synthetic number to use, so that several processes do not meet.
            capacity: How many numbers to use; None for all that follow.
            card_share: Share of moves without paper, 0 to 1.
            month: Have as many moves as in that month (1 to 12); None for the year's average.
            follow_after: How many events lie between a move-out and its move-in.

        Raises:
            SyntheticRangeError: The test range does not hold these numbers.
        """
        at = utc_now() if at is None else at
        self._milliseconds = int(at.timestamp() * 1000)
        self._today = today_in_japan(at)
        self._random = Random(f"sampler/{seed}/{offset}")
        self._population = Population(seed, today=self._today, offset=offset, capacity=capacity)
        self._figures = figures(AVERAGE if month is None else Season.of(month))
        self._kinds = self._filings()
        self._card_share = card_share
        self._follow_after = follow_after
        self._drawn = 0

    def sample(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield *count* events as the JSON mappings that `producers.events` reads.

        Who must hold a move-in back until its certificate has come takes `events` instead.

        Raises:
            SyntheticRangeError: All synthetic numbers are used.
        """
        return map(as_mapping, self.events(count))

    def events(self, count: int) -> Iterator[SampledEvent]:
        """Yield exactly *count* events.

        A move-out is followed by its move-in within the sample, after `follow_after` other
        events, sooner only at the end; `load.events.follows` names the one of the other.

        Raises:
            SyntheticRangeError: All synthetic numbers are used.
        """
        waiting: deque[tuple[int, SampledEvent]] = deque()
        at_once: deque[SampledEvent] = deque()
        for place in range(count):
            room = count - place - len(waiting)
            if not at_once and room > 0 and not (waiting and waiting[0][0] <= place):
                now, later = self._filing(room)
                at_once.extend(now)
                waiting.extend((place + self._follow_after, event) for event in later)
            yield at_once.popleft() if at_once else waiting.popleft()[1]

    def identity_updates(
        self, count: int, *, reasons: Iterable[ChangeReason] = tuple(ChangeReason)
    ) -> Iterator[dict[str, Any]]:
        """Yield *count* single identity updates as JSON mappings, by municipal rates.

        Args:
            count: How many.
            reasons: Draw from these only, by their national weights.

        Raises:
            SyntheticRangeError: All synthetic numbers are used.
        """
        urn = Urn((reason, self._figures.yearly(reason)) for reason in dict.fromkeys(reasons))
        for _ in range(count):
            yield as_mapping(self._change(urn.draw(self._random)))

    def _filings(self) -> Urn[ChangeReason | None]:
        """Return what is filed at the counters; None stands for a move."""
        weighted: list[tuple[ChangeReason | None, float]] = [
            (reason, self._figures.yearly(reason))
            for reason in ChangeReason
            if reason not in _MOVE_REASONS
        ]
        return Urn([*weighted, (None, self._figures.movers / MEAN_FAMILY_SIZE)])

    def _filing(self, room: int) -> tuple[list[SampledEvent], list[SampledEvent]]:
        """Return the events of one filing, at most *room*: those of now, and those to follow."""
        reason = self._kinds.draw(self._random)
        while reason is None and room < 2:  # noqa: PLR2004 - a move-out and its move-in
            reason = self._kinds.draw(self._random)
        if reason is not None:
            return [self._change(reason)], []
        journey = self._figures.journey(self._random)
        if _is_within_a_city(journey):
            return self._move_within_a_city(journey, room), []
        if self._random.random() < self._card_share:
            return self._card_move(journey)
        return self._paper_move(journey, room)

    def _move_within_a_city(self, journey: Journey, room: int) -> list[SampledEvent]:
        size = min(FAMILY_SIZES.draw(self._random), room)
        address = self._population.address(journey.destination)
        day = self._past(_FILED_WITHIN_DAYS)
        return [
            self._changed(
                ChangeReason.MOVE_WITHIN, resident, journey.destination, address=address, on=day
            )
            for resident in self._population.household(size).members
        ]

    def _card_move(self, journey: Journey) -> tuple[list[SampledEvent], list[SampledEvent]]:
        relocation = self._relocation(journey, card_holder=True)
        left = CardMoveOut(self._event_id(), relocation)
        return [left], [CardMoveIn(self._event_id(), relocation, follows=left.event_id)]

    def _paper_move(
        self, journey: Journey, room: int
    ) -> tuple[list[SampledEvent], list[SampledEvent]]:
        """The former municipality deletes every entry when it hands out the certificate."""
        relocation = self._relocation(journey, size_max=room - 1)
        left = [
            self._changed(
                ChangeReason.DOMESTIC_MOVE_OUT,
                resident,
                journey.origin,
                address=relocation.former_address,
                on=relocation.planned_on,
            )
            for resident in relocation.household.members
        ]
        return [*left], [PaperMove(self._event_id(), relocation, follows=left[-1].event_id)]

    def _relocation(
        self, journey: Journey, *, size_max: int | None = None, card_holder: bool = False
    ) -> Relocation:
        size = FAMILY_SIZES.draw(self._random)
        filed_in_on = self._past(3)
        moved_in_on = filed_in_on - self._days(_FILED_WITHIN_DAYS)
        planned_on = moved_in_on - self._days(2)
        return Relocation(
            origin=journey.origin,
            destination=journey.destination,
            household=self._population.household(
                size if size_max is None else min(size, size_max), card_holder=card_holder
            ),
            former_address=self._population.address(journey.origin),
            new_address=self._population.address(journey.destination),
            filed_out_on=planned_on - self._days(_FILED_WITHIN_DAYS),
            planned_on=planned_on,
            moved_in_on=moved_in_on,
            filed_in_on=filed_in_on,
        )

    def _change(self, reason: ChangeReason) -> Change:
        area = self._figures.place(reason, self._random)
        resident = self._population.person(
            lifespan=_LIFESPANS.get(reason, Lifespan.MOVERS),
            foreign_share=_FOREIGN_BEFORE_OR_AFTER.get(reason),
        )
        return self._changed(
            reason,
            resident,
            area,
            address=self._population.address(area),
            on=self._day_of(reason, resident),
        )

    def _day_of(self, reason: ChangeReason, resident: Resident) -> date:
        match reason:
            case ChangeReason.BIRTH:
                return resident.born
            case ChangeReason.DOMESTIC_MOVE_OUT | ChangeReason.OVERSEAS_MOVE_OUT:
                return self._today + self._days(_PLANNED_AHEAD_DAYS_MAX)
            case _:
                return self._past(_FILED_WITHIN_DAYS)

    def _changed(
        self, reason: ChangeReason, resident: Resident, area: Area, *, address: str, on: date
    ) -> Change:
        previous = self._population.take_number() if reason in _PREVIOUS_NUMBER else None
        return Change(self._event_id(), reason, area, address, resident, on, previous)

    def _past(self, days: int) -> date:
        return self._today - self._days(days)

    def _days(self, bound: int) -> timedelta:
        return timedelta(days=self._random.randrange(bound))

    def _event_id(self) -> UUID:
        """Return a UUIDv7 (RFC 9562) that sorts after the one before."""
        milliseconds = self._milliseconds + (self._drawn >> 12)
        counter = self._drawn & 0xFFF
        self._drawn += 1
        high = milliseconds << 16 | 0x7000 | counter
        return UUID(int=high << 64 | 0b10 << 62 | self._random.getrandbits(62))


def identity_updates(
    count: int,
    seed: int,
    *,
    at: datetime | None = None,
    offset: int = 0,
    capacity: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield *count* single identity updates by municipal rates; for the benchmark.

    Raises:
        SyntheticRangeError: The test range does not hold so many residents.
    """
    return Sampler(seed, at=at, offset=offset, capacity=capacity).identity_updates(count)


def _is_within_a_city(journey: Journey) -> bool:
    route = directory().route
    return route(journey.origin.code) is route(journey.destination.code)
