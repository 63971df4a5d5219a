"""How often what happens where: the shipped statistics as things to draw from.

Moves follow the matrix of 2025 between prefectures and, inside one, the municipal flows of
2024; everything else follows its own municipal figures of 2024. `LICENSES.md` has the sources.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

from jukinet_mq import data
from jukinet_mq.load.chance import Urn
from jukinet_mq.load.places import populated_areas
from jukinet_mq.messages import ChangeReason
from jukinet_mq.nodes import Area, Directory, directory

MOVES_WITHIN_A_YEAR: Final = 5_250_000
"""転居. No flow is published; moves between municipalities times the 1.011 that people report of
their last move (Employment Structure Survey 2022)."""

# Persons a year. Order of magnitude only: nothing is published by reason. Naturalisations are
# some 9,000 a year; corrections other than 転居 some million in all.
_NATURALIZATIONS: Final = 9_000
_NATIONALITY_LOSSES: Final = 1_000
_CORRECTIONS: Final = {
    ChangeReason.MOVE_WITHIN: MOVES_WITHIN_A_YEAR,
    ChangeReason.MINOR_CORRECTION: 500_000,
    ChangeReason.EX_OFFICIO_CORRECT: 480_000,
    ChangeReason.IN_CHANGE_REQUEST: 8_000,
    ChangeReason.IN_EX_OFFICIO_CORRECT: 2_000,
    ChangeReason.IN_EX_OFFICIO_ADD: 8_000,
    ChangeReason.RC_CHANGE_REQUEST: 1_500,
    ChangeReason.RC_EX_OFFICIO: 500,
}


@dataclass(frozen=True, slots=True)
class Season:
    """How much of each flow there is, 1.0 being the year's average.

    Attributes:
        between_prefectures: Moves from one to another.
        within_prefecture: Moves between municipalities of one.
        within_municipality: 転居.
    """

    between_prefectures: float = 1.0
    within_prefecture: float = 1.0
    within_municipality: float = 1.0

    @classmethod
    def of(cls, month: int) -> Season:
        """Return the season of a month, 1 to 12, by the shares of 2016."""
        row = data.table("monthly_shares")[month - 1]
        share = {name: float(cell) * 12 / 100 for name, cell in row.items() if name != "month"}
        return cls(
            between_prefectures=share["inter_prefecture_pct_2016"],
            within_prefecture=share["intra_prefecture_pct_2016"],
            within_municipality=share["intra_municipality_pct_2016"],
        )


AVERAGE: Final = Season()


class Journey(NamedTuple):
    """From where to where; areas, so wards for a designated city."""

    origin: Area
    destination: Area


class Figures:
    """The nation's rates; drawing needs a random source and changes nothing here."""

    __slots__ = ("_arrivals", "_departures", "_pairs", "_places", "_yearly")

    def __init__(self, nation: Directory, season: Season = AVERAGE) -> None:
        """Prepare to draw, which takes some 20 ms."""
        areas = populated_areas(nation)
        self._pairs = Urn(_flows(season))
        self._departures = _by_prefecture(areas, "moves_out_domestic")
        self._arrivals = _by_prefecture(areas, "moves_in_domestic")
        self._places = _places(areas)
        self._yearly = _yearly(self._places, season)

    @property
    def movers(self) -> float:
        """Persons a year who move between municipalities, wards counting as such."""
        return self._pairs.total

    def yearly(self, reason: ChangeReason) -> float:
        """Return how many persons a year have an entry changed for *reason*."""
        return self._yearly[reason]

    def journey(self, random: Random) -> Journey:
        """Return a move between two different areas.

        The pair of prefectures is drawn once, so the matrix is met exactly in expectation;
        two areas of it are drawn until they differ.
        """
        origin, destination = self._pairs.draw(random)
        while True:
            left = self._departures[origin].draw(random)
            reached = self._arrivals[destination].draw(random)
            if left is not reached:
                return Journey(left, reached)

    def place(self, reason: ChangeReason, random: Random) -> Area:
        """Return where an entry is changed for *reason*."""
        return self._places[reason].draw(random)


@functools.cache
def figures(season: Season = AVERAGE) -> Figures:
    """Return the figures of the packaged tables, prepared once per process and season."""
    return Figures(directory(), season)


def _flows(season: Season) -> list[tuple[tuple[str, str], float]]:
    flows: list[tuple[tuple[str, str], float]] = []
    for origin, destination, persons, _ in data.rows("od_prefecture_2025"):
        inside = origin == destination
        factor = season.within_prefecture if inside else season.between_prefectures
        flows.append(((origin, destination), int(persons) * factor))
    return flows


def _by_prefecture(areas: tuple[Area, ...], figure: str) -> dict[str, Urn[Area]]:
    grouped: dict[str, list[Area]] = {}
    for area in areas:
        grouped.setdefault(area.prefecture, []).append(area)
    return {prefecture: _by(figure, members) for prefecture, members in grouped.items()}


def _by(figure: str, areas: list[Area] | tuple[Area, ...]) -> Urn[Area]:
    return Urn((area, getattr(area, figure)) for area in areas)


_FIGURES: Final = {
    ChangeReason.DOMESTIC_MOVE_IN: "moves_in_domestic",
    ChangeReason.OVERSEAS_MOVE_IN_ETC: "moves_in_overseas",
    ChangeReason.BIRTH: "births",
    ChangeReason.EX_OFFICIO_ADD: "other_added",
    ChangeReason.DOMESTIC_MOVE_OUT: "moves_out_domestic",
    ChangeReason.OVERSEAS_MOVE_OUT: "moves_out_overseas",
    ChangeReason.DEATH: "deaths",
    ChangeReason.EX_OFFICIO_DELETE: "other_removed",
}
"""Reasons with municipal figures; the others happen where people live."""


def _places(areas: tuple[Area, ...]) -> dict[ChangeReason, Urn[Area]]:
    columns = {figure: _by(figure, areas) for figure in {*_FIGURES.values(), "population"}}
    return {reason: columns[_FIGURES.get(reason, "population")] for reason in ChangeReason}


def _yearly(places: dict[ChangeReason, Urn[Area]], season: Season) -> dict[ChangeReason, float]:
    """The table counts naturalisations and losses of nationality among `other`."""
    counted = {reason: places[reason].total for reason in _FIGURES}
    among_other = _NATURALIZATIONS + _NATIONALITY_LOSSES
    return {
        **counted,
        **_CORRECTIONS,
        ChangeReason.MOVE_WITHIN: MOVES_WITHIN_A_YEAR * season.within_municipality,
        ChangeReason.EX_OFFICIO_ADD: counted[ChangeReason.EX_OFFICIO_ADD] - among_other,
        ChangeReason.EX_OFFICIO_DELETE: counted[ChangeReason.EX_OFFICIO_DELETE] - among_other,
        ChangeReason.EX_OFFICIO_ADD_NATURALIZATION: _NATURALIZATIONS,
        ChangeReason.EX_OFFICIO_DELETE_NATURALIZATION: _NATURALIZATIONS,
        ChangeReason.EX_OFFICIO_ADD_NATIONALITY_LOSS: _NATIONALITY_LOSSES,
        ChangeReason.EX_OFFICIO_DELETE_NATIONALITY_LOSS: _NATIONALITY_LOSSES,
    }
