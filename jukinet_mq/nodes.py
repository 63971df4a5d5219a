"""Who takes part: J-LIS, 47 prefectures, 1,741 municipalities, and who answers to whom.

The table is the Ministry's list of local governments with the figures of 2025-01-01 and of
the year 2024 (data/LICENSES.md). Wards of a designated city are areas, not nodes: their
notices travel through the city (Order for Enforcement art. 31(2)).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, NewType

from jukinet_mq import data
from jukinet_mq.errors import (
    CheckDigitError,
    InvariantError,
    UnknownNodeError,
    WardIsNotANodeError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tier(StrEnum):
    """The three floors of the network, lowest first."""

    MUNICIPALITY = "municipality"
    PREFECTURE = "prefecture"
    NATIONAL = "national"


class AreaKind(StrEnum):
    """What a row of the table is."""

    PREFECTURE = "prefecture"
    DESIGNATED_CITY = "designated_city"
    CITY = "city"
    SPECIAL_WARD = "special_ward"
    TOWN = "town"
    VILLAGE = "village"
    WARD = "ward"


_KINDS: Final = {kind.value: kind for kind in AreaKind}
_TIERS: Final = {AreaKind.PREFECTURE: Tier.PREFECTURE}
NodeCode = NewType("NodeCode", str)
NATIONAL_NODE: Final = NodeCode("jlis")
NATIONAL_PREFECTURE: Final = "00"
CODE_LENGTH: Final = 6


@dataclass(frozen=True, slots=True)
class Node:
    """A participant.

    Attributes:
        code: Six digits with their check digit, or `jlis`.
        tier: Its floor.
        prefecture: First two digits of its code; `00` for J-LIS.
        name: Official name in kanji.
        kana: The same in full-width katakana.
    """

    code: NodeCode
    tier: Tier
    prefecture: str
    name: str
    kana: str


class Area(NamedTuple):
    """One row of the table: a prefecture, a municipality or a ward of a designated city.

    A tuple, since 1,965 frozen dataclasses of 20 fields took 20 ms of every process's start.

    Attributes:
        code: Six digits with their check digit.
        name: Official name; a ward's begins with its city's.
        short_name: The name without the city's.
        kana: The name in full-width katakana.
        kind: What it is.
        parent_code: A ward's city; None for everything else.
        is_node: Whether `Directory.find` knows it: prefectures too, wards and the six
            villages of the Northern Territories not.
        northern_territories: One of those six villages.
        population_male: Persons on 2025-01-01, as are the two below.
        population_female: See above.
        population: See above; in a few places up to three persons more than both together.
        households: Households on 2025-01-01.
        moves_in_domestic: Persons in the year 2024, as are all below.
        moves_in_overseas: From abroad.
        moves_out_domestic: To elsewhere in Japan.
        moves_out_overseas: To abroad.
        births: Births.
        deaths: Deaths.
        other_added: Entries added for any other reason.
        other_removed: Entries removed for any other reason.
    """

    code: str
    name: str
    short_name: str
    kana: str
    kind: AreaKind
    parent_code: str | None
    is_node: bool
    northern_territories: bool
    population_male: int
    population_female: int
    population: int
    households: int
    moves_in_domestic: int
    moves_in_overseas: int
    moves_out_domestic: int
    moves_out_overseas: int
    births: int
    deaths: int
    other_added: int
    other_removed: int

    @property
    def prefecture(self) -> str:
        """Two digits of the prefecture it lies in."""
        return self.code[:2]


_NATIONAL = Node(
    code=NATIONAL_NODE,
    tier=Tier.NATIONAL,
    prefecture=NATIONAL_PREFECTURE,
    name="地方公共団体情報システム機構",
    kana="チホウコウキョウダンタイジョウホウシステムキコウ",
)


class Directory:
    """Every node and every area, in the table's order; never changes after it is built."""

    __slots__ = ("_areas", "_nodes", "_parents", "_routes", "_wards")

    def __init__(self, areas: Iterable[Area]) -> None:
        """Index *areas*; a prefecture's row must stand before those of its municipalities."""
        self._areas = {area.code: area for area in areas}
        self._nodes: dict[str, Node] = {
            area.code: _node(area) for area in self._areas.values() if area.is_node
        }
        self._parents = _parents(self._nodes.values())
        self._nodes[NATIONAL_NODE] = _NATIONAL
        wards = [area for area in self._areas.values() if area.kind is AreaKind.WARD]
        self._routes = self._nodes | {ward.code: self._nodes[_city(ward)] for ward in wards}
        self._wards: dict[str, tuple[Area, ...]] = {}
        for ward in wards:
            self._wards[_city(ward)] = (*self._wards.get(_city(ward), ()), ward)

    def find(self, code: str) -> Node | None:
        """Return the node with this code, or None. For the hot path: never raises."""
        return self._nodes.get(code)

    def node(self, code: str) -> Node:
        """Return the node with this code.

        Raises:
            WardIsNotANodeError: A ward of a designated city; the text names the city.
            CheckDigitError: Six digits whose last one is not their check digit.
            UnknownNodeError: Anything else, such as an abolished code.
        """
        found = self._nodes.get(code)
        if found is not None:
            return found
        city = self._routes.get(code)
        if city is not None:
            raise WardIsNotANodeError(
                f"{code} ({self._areas[code].name}) is a ward; its node is the city "
                f"{city.code} ({city.name}). Name the city and carry the ward in the body.",
                code=code,
                city=city.code,
            )
        if _is_code_shaped(code) and check_digit(code[:5]) != code[5]:
            raise CheckDigitError(f"node code: {_wrong_digit(code)}", code=code)
        raise self._unknown(code)

    def prefecture_of(self, code: str) -> Node:
        """Return the prefecture of a municipality, or the prefecture itself.

        Raises:
            UnknownNodeError: Also for `jlis`, which lies in no prefecture.
            CheckDigitError: As `node`.
            WardIsNotANodeError: As `node`.
        """
        node = self.node(code)
        if node.tier is Tier.PREFECTURE:
            return node
        parent = self._parents[code]
        if parent is None:
            raise UnknownNodeError(f"{code} is the national node; it lies in no prefecture")
        return parent

    def parent(self, code: str) -> Node | None:
        """Return whom a node answers to: prefecture, then J-LIS, then None. Raises as `node`."""
        return self._parents[self.node(code).code]

    def route(self, area_code: str) -> Node:
        """Return the node that receives for an area: a ward's city, or the node itself.

        Raises:
            UnknownNodeError: No node receives for this code.
        """
        found = self._routes.get(area_code)
        if found is None:
            raise self._unknown(area_code)
        return found

    def area(self, code: str) -> Area:
        """Return a row of the table, nodes or not.

        Raises:
            UnknownNodeError: Not in the table; `jlis` is not.
        """
        found = self._areas.get(code)
        if found is None:
            raise self._unknown(code)
        return found

    def areas(self) -> tuple[Area, ...]:
        """Return all 1,965 rows."""
        return tuple(self._areas.values())

    def wards(self, city: str) -> tuple[Area, ...]:
        """Return the wards of a designated city; none for any other code."""
        return self._wards.get(city, ())

    def nodes(self, tier: Tier | None = None, *, prefecture: str | None = None) -> tuple[Node, ...]:
        """Return the nodes of a tier, of a prefecture (two digits), or all; J-LIS stands last."""
        return tuple(
            node
            for node in self._nodes.values()
            if tier in (None, node.tier) and prefecture in (None, node.prefecture)
        )

    def _unknown(self, code: str) -> UnknownNodeError:
        """Say as exactly as the table allows why no node has this code."""
        if not _is_code_shaped(code):
            return UnknownNodeError(
                f"node code of {len(code)} characters; expected six digits, or {NATIONAL_NODE}"
            )
        area = self._areas.get(code)
        if area is not None and area.northern_territories:
            why = f"{area.name} lies in the Northern Territories and keeps no resident register"
        elif check_digit(code[:5]) != code[5]:
            why = _wrong_digit(code)
        else:
            why = (
                "no local government has this code; if it was merged or reorganised, use the "
                "code of its successor"
            )
        return UnknownNodeError(f"{code} is not a node: {why}", code=code)


@functools.cache
def directory() -> Directory:
    """Return the directory of the packaged table, read once per process."""
    return Directory(map(_area, data.rows("municipalities")))


@functools.lru_cache(maxsize=4096)
def check_digit(body: str) -> str:
    """Return the check digit of a local government code's first five digits (modulus 11).

    Weights 6 to 2 from the left; remainder 0 gives 1 and remainder 1 gives 0, unlike the
    numbers of persons.
    """
    total = sum(weight * int(digit) for weight, digit in zip(range(6, 1, -1), body, strict=True))
    return str((11 - total % 11) % 10)


def _is_code_shaped(code: str) -> bool:
    return len(code) == CODE_LENGTH and code.isascii() and code.isdigit()


def _wrong_digit(code: str) -> str:
    return (
        f"the check digit of {code} is {code[5]}, expected {check_digit(code[:5])}; "
        "look for a mistyped digit"
    )


def _city(ward: Area) -> str:
    if ward.parent_code is None:
        raise InvariantError(f"ward {ward.code} of the packaged table has no city")
    return ward.parent_code


def _node(area: Area) -> Node:
    return Node(
        code=NodeCode(area.code),
        tier=_TIERS.get(area.kind, Tier.MUNICIPALITY),
        prefecture=area.prefecture,
        name=area.name,
        kana=area.kana,
    )


def _parents(nodes: Iterable[Node]) -> dict[str, Node | None]:
    prefectures: dict[str, Node] = {}
    parents: dict[str, Node | None] = {NATIONAL_NODE: None}
    for node in nodes:
        prefecture = prefectures.setdefault(node.prefecture, node)
        parents[node.code] = _NATIONAL if prefecture is node else prefecture
    return parents


def _area(row: list[str]) -> Area:
    code, _, _, _, name, short_name, kana, kind, parent, is_node, territories, *figures = row
    return Area(
        code,
        name,
        short_name,
        kana,
        _KINDS[kind],
        parent or None,
        kind == AreaKind.PREFECTURE or is_node == "1",
        territories == "1",
        *map(int, figures),
    )
