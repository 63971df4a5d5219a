from __future__ import annotations

from collections import Counter
from importlib.resources import files

import pytest

from jukinet_mq import data
from jukinet_mq.nodes import AreaKind, Tier, directory
from jukinet_mq.text import juki_code

PREFECTURES = [f"{n:02d}" for n in range(1, 48)]


def test_every_file_has_its_source_and_licence() -> None:
    """No data is shipped without saying where it comes from and under which licence."""
    licences = data.text("LICENSES.md")
    shipped = {entry.name for entry in files(data).iterdir() if entry.is_file()}

    assert [] == [
        name
        for name in sorted(shipped - {"LICENSES.md", "__init__.py"})
        if f"`{name}`" not in licences
    ]


def test_columns_of_the_municipality_table_stand_where_the_directory_reads_them() -> None:
    """The directory reads by position; these are the positions."""
    head = data.text("municipalities.csv").splitlines()[0].split(",")

    assert head[:11] == [
        "code",
        "jis_code5",
        "prefecture_code",
        "prefecture",
        "name",
        "short_name",
        "kana",
        "kind",
        "parent_code",
        "is_node",
        "northern_territories",
    ]
    sapporo = next(row for row in data.table("municipalities") if row["code"] == "011002")
    area = directory().area("011002")
    assert [int(sapporo[name]) for name in head[11:]] == list(area[8:])
    assert (area.population, area.households, area.births, area.deaths) == (
        int(sapporo["population_20250101"]),
        int(sapporo["households_20250101"]),
        int(sapporo["births_2024"]),
        int(sapporo["deaths_2024"]),
    )


def test_figures_of_the_municipalities_add_up_to_the_nation() -> None:
    """Sums over the 1,741 municipalities are the published national flows of 2024."""
    areas = [directory().area(node.code) for node in directory().nodes(Tier.MUNICIPALITY)]

    assert sum(area.moves_in_domestic for area in areas) == 5_206_486
    assert sum(area.moves_out_domestic for area in areas) == 5_232_024


def test_sexes_add_up_to_the_population_but_for_single_persons() -> None:
    """The Ministry's totals hold at most three persons more than the men and women of a place."""
    apart = {a.population - a.population_male - a.population_female for a in directory().areas()}

    assert apart == {0, 1, 2, 3}


def test_prefectures_have_the_people_of_their_municipalities() -> None:
    """The population of every prefecture is that of its municipalities together."""
    book = directory()

    for prefecture in book.nodes(Tier.PREFECTURE):
        places = book.nodes(Tier.MUNICIPALITY, prefecture=prefecture.prefecture)
        people = sum(book.area(place.code).population for place in places)
        assert people == book.area(prefecture.code).population


def test_wards_have_the_people_of_their_city() -> None:
    """The population of a designated city is that of its wards together."""
    cities = [area for area in directory().areas() if area.kind is AreaKind.DESIGNATED_CITY]

    assert len(cities) == 20
    for city in cities:
        wards = directory().wards(city.code)
        assert sum(ward.population for ward in wards) == city.population


def test_prefecture_codes_are_the_prefectures_of_their_rows() -> None:
    """The first two digits of every code are its prefecture's, all 47 of them."""
    rows = data.table("municipalities")

    assert [] == [r["code"] for r in rows if r["code"][:2] != r["prefecture_code"]]
    assert PREFECTURES == sorted({row["prefecture_code"] for row in rows})


def test_there_are_20_change_reasons_in_their_classes() -> None:
    """Article 11 of the Rule gives 6 reasons to add, 6 to delete and 8 to correct."""
    reasons = data.table("change_reasons")

    assert len({reason["key"] for reason in reasons}) == 20
    assert Counter(reason["group"] for reason in reasons) == {
        "add": 6,
        "delete": 6,
        "correct_four": 3,
        "correct_individual_number": 3,
        "correct_resident_code": 2,
    }


def test_migration_matrix_is_complete() -> None:
    """All 47 by 47 pairs are there, and the published ones add up to the published total."""
    rows = data.table("od_prefecture_2025")
    pairs = {(row["origin_prefecture"], row["destination_prefecture"]) for row in rows}
    between = [row for row in rows if row["basis"] == "published"]

    assert pairs == {(origin, target) for origin in PREFECTURES for target in PREFECTURES}
    assert len(rows) == len(pairs)
    assert sum(int(row["persons"]) for row in between) == 2_515_731


@pytest.mark.parametrize(
    "column",
    [
        "intra_municipality_pct_2016",
        "intra_prefecture_pct_2016",
        "inter_prefecture_pct_2016",
        "inter_municipal_blend_pct_2025weights",
    ],
)
def test_monthly_shares_are_a_year(column: str) -> None:
    """The shares of the twelve months add up to a year, but for their rounding."""
    rows = data.table("monthly_shares")

    assert [row["month"] for row in rows] == [str(month) for month in range(1, 13)]
    assert sum(float(row[column]) for row in rows) == pytest.approx(100, abs=0.6)


def test_kanji_table_gives_every_code_once() -> None:
    """The 19,563 Juki Net codes are distinct, and no spelling stands for two of them."""
    lines = [
        line.split(" ")
        for line in data.text("juki_unified_kanji.txt").splitlines()
        if not line.startswith("#")
    ]
    spellings = [spelling for _, *own in lines for spelling in own]

    assert len(lines) == len({code for code, *_ in lines}) == 19_563
    assert len(spellings) == len(set(spellings))
    assert [] == [code for code, *own in lines for s in own if juki_code(s) != f"J+{code}"]
