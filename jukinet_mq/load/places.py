"""Addresses that look real: a real municipality or ward, and a quarter and number made up."""

from __future__ import annotations

from random import Random
from typing import Final

from jukinet_mq import data
from jukinet_mq.load.chance import Urn
from jukinet_mq.nodes import Area, AreaKind, Directory

_NUMERALS: Final = ("一", "二", "三", "四", "五", "六", "七", "八")
_BUILDINGS: Final = (
    "コーポ桜",
    "メゾン青葉",
    "ハイツ若葉",
    "パークマンション",
    "グランドハイム弐番館",
    "サンライズ栄",
    "県営住宅",
    "レジデンス・ヴィラ",
)
_IN_A_BUILDING: Final = 0.45
"""Addresses with a building and room (方書); an assumption."""
_RURAL: Final = frozenset({AreaKind.TOWN, AreaKind.VILLAGE})


class Places:
    """Draws addresses."""

    __slots__ = ("_areas", "_full_names", "_random", "_towns")

    def __init__(self, random: Random, directory: Directory) -> None:
        """Learn the names of all areas that people live in."""
        self._random = random
        self._towns = data.text("town_names.txt").split()
        self._full_names = _full_names(directory)
        self._areas = Urn((area, area.population) for area in populated_areas(directory))

    def address(self, area: Area) -> str:
        """Return an address in *area*; of a designated city, one of its wards."""
        random = self._random
        town = random.choice(self._towns)
        if area.kind in _RURAL:
            place = f"大字{town}{random.randrange(1, 3000)}番地{random.randrange(1, 30)}"
        else:
            place = (
                f"{town}{self._quarter(town)}{random.randrange(1, 40)}番{random.randrange(1, 30)}号"
            )
        return f"{self._full_names[area.code]}{place}{self._building()}"

    def domicile(self) -> str:
        """Return a registered domicile (本籍), anywhere in Japan."""
        area = self._areas.draw(self._random)
        town = self._random.choice(self._towns)
        number = self._random.randrange(1, 3000)
        return f"{self._full_names[area.code]}{town}{self._quarter(town)}{number}番地"

    def _quarter(self, town: str) -> str:
        """Most quarters with houses numbered by block are divided into 丁目."""
        return "" if town.endswith("本町") else f"{self._random.choice(_NUMERALS)}丁目"

    def _building(self) -> str:
        if self._random.random() >= _IN_A_BUILDING:
            return ""
        room = self._random.randrange(1, 13) * 100 + self._random.randrange(1, 13)
        return f" {self._random.choice(_BUILDINGS)}{room}号"


def populated_areas(directory: Directory) -> tuple[Area, ...]:
    """Return the areas that addresses lie in: municipalities, with wards for their city.

    The 1,892 figures of these add up to the nation's.
    """
    return tuple(
        area
        for area in directory.areas()
        if area.kind not in (AreaKind.PREFECTURE, AreaKind.DESIGNATED_CITY)
        and not area.northern_territories
    )


def _full_names(directory: Directory) -> dict[str, str]:
    return {
        area.code: f"{directory.prefecture_of(directory.route(area.code).code).name}{area.name}"
        for area in populated_areas(directory)
    }
