from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.errors import (
    CheckDigitError,
    JukinetError,
    UnknownNodeError,
    WardIsNotANodeError,
)
from jukinet_mq.nodes import (
    NATIONAL_NODE,
    AreaKind,
    Tier,
    check_digit,
    directory,
)

NODES = directory().nodes()
AREAS = directory().areas()
WARDS = [area for area in AREAS if area.kind is AreaKind.WARD]


def test_directory_holds_every_local_government_of_japan() -> None:
    """There are 1,741 municipalities, 47 prefectures and one national node."""
    assert {Tier.MUNICIPALITY: 1741, Tier.PREFECTURE: 47, Tier.NATIONAL: 1} == Counter(
        node.tier for node in NODES
    )


def test_areas_are_the_whole_table() -> None:
    """The table also knows 171 wards of 20 designated cities and 6 villages without a node."""
    kinds = Counter(area.kind for area in AREAS)

    assert len(AREAS) == 1965
    assert kinds == {
        AreaKind.PREFECTURE: 47,
        AreaKind.DESIGNATED_CITY: 20,
        AreaKind.CITY: 772,
        AreaKind.SPECIAL_WARD: 23,
        AreaKind.TOWN: 743,
        AreaKind.VILLAGE: 189,
        AreaKind.WARD: 171,
    }
    assert sum(area.northern_territories for area in AREAS) == 6


def test_every_code_of_the_table_has_its_check_digit() -> None:
    """All 1,965 codes satisfy the rule of the check digit."""
    assert [] == [area.code for area in AREAS if check_digit(area.code[:5]) != area.code[5]]


def test_area_is_a_node_exactly_when_the_directory_finds_one() -> None:
    """`is_node` of an area and `find` never disagree."""
    assert [] == [
        area.code for area in AREAS if area.is_node != (directory().find(area.code) is not None)
    ]


def test_nodes_answer_to_prefecture_then_nation() -> None:
    """Every municipality reaches J-LIS over the prefecture it lies in."""
    book = directory()
    for node in book.nodes(Tier.MUNICIPALITY):
        prefecture = book.parent(node.code)
        assert prefecture is not None
        assert (prefecture.tier, prefecture.prefecture) == (Tier.PREFECTURE, node.prefecture)
        assert prefecture == book.prefecture_of(node.code) == book.prefecture_of(prefecture.code)
        assert book.parent(prefecture.code) == book.node(NATIONAL_NODE)


def test_national_node_answers_to_nobody() -> None:
    """J-LIS has no parent and lies in no prefecture."""
    assert directory().parent(NATIONAL_NODE) is None
    with pytest.raises(UnknownNodeError, match="no prefecture"):
        directory().prefecture_of(NATIONAL_NODE)


def test_nodes_are_selected_by_tier_and_prefecture() -> None:
    """Tokyo has 62 municipalities and its own node, in the table's order."""
    tokyo = directory().nodes(prefecture="13")

    assert tokyo[0].code == "130001"
    assert tokyo[1].name == "千代田区"
    assert tokyo[1:] == directory().nodes(Tier.MUNICIPALITY, prefecture="13")
    assert len(tokyo) == 63


def test_every_ward_routes_to_its_city_and_is_no_node() -> None:
    """What is meant for a ward goes to its city; naming the ward as a node names the city."""
    for ward in WARDS:
        city = directory().route(ward.code)
        assert ward.name.startswith(city.name)
        assert ward in directory().wards(city.code)
        assert directory().find(ward.code) is None
        with pytest.raises(WardIsNotANodeError, match=city.code):
            directory().node(ward.code)


def test_only_designated_cities_have_wards() -> None:
    """The wards of the 20 designated cities are all the wards there are."""
    cities = [area for area in AREAS if directory().wards(area.code)]

    assert [area.kind for area in cities] == [AreaKind.DESIGNATED_CITY] * 20
    assert sum(len(directory().wards(city.code)) for city in cities) == len(WARDS)


@given(st.sampled_from(NODES))
def test_node_routes_to_itself(node: object) -> None:
    """A node receives what is meant for its own code."""
    code = node.code  # type: ignore[attr-defined]
    assert directory().route(code) is directory().node(code) is directory().find(code)


@pytest.mark.parametrize(
    ("code", "error", "told"),
    [
        ("131017", CheckDigitError, "expected 6"),
        ("016951", UnknownNodeError, "Northern Territories"),
        ("221317", UnknownNodeError, "successor"),  # a ward of Hamamatsu until 2023
        ("13101", UnknownNodeError, "5 characters"),
        ("１３１０１６", UnknownNodeError, "six digits"),
        ("", UnknownNodeError, "six digits"),
        ("JLIS", UnknownNodeError, "jlis"),
    ],
)
def test_code_without_a_node_is_refused_with_its_reason(
    code: str, error: type[JukinetError], told: str
) -> None:
    """Whoever names what is no node learns what is wrong with it."""
    assert directory().find(code) is None
    with pytest.raises(error, match=told):
        directory().node(code)


@pytest.mark.parametrize("code", ["131017", "016951", "221317", "", "130009"])
def test_code_without_a_node_routes_nowhere(code: str) -> None:
    """Nothing can be addressed to a code that neither is a node nor has one."""
    with pytest.raises(UnknownNodeError):
        directory().route(code)


def test_area_outside_the_table_is_refused() -> None:
    """An area is looked up in the table only; the six villages are in it, J-LIS is not."""
    assert directory().area("016951").name == "色丹村"
    with pytest.raises(UnknownNodeError):
        directory().area(NATIONAL_NODE)


@given(st.text(max_size=8))
def test_any_text_is_a_node_or_refused(code: str) -> None:
    """Whatever is asked for, the answer is the node with this code or one of our errors."""
    try:
        assert directory().node(code).code == code
    except (UnknownNodeError, CheckDigitError, WardIsNotANodeError):
        assert directory().find(code) is None
