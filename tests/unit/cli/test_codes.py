from __future__ import annotations

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli import codes
from jukinet_mq.nodes import AreaKind, Tier, directory
from tests.fixtures.refusing import refusal

NODES = [node for node in directory().nodes() if node.tier is not Tier.NATIONAL]
WARDS = [area for area in directory().areas() if area.kind is AreaKind.WARD]


def no_node(text: str) -> str:
    """Return why *text* is no node."""
    return refusal(codes.read_node, text)


@given(st.sampled_from(directory().nodes()))
def test_every_code_of_a_node_is_read(node: object) -> None:
    """What the directory has is taken as it is."""
    code = node.code  # type: ignore[attr-defined]
    assert code == codes.read_node(code)


@given(st.sampled_from([node for node in NODES if node.code.startswith("0")]))
def test_code_without_its_leading_zero_is_refused_with_the_code(node: object) -> None:
    """A spreadsheet drops the zero of nine prefectures' codes."""
    code, name = node.code, node.name  # type: ignore[attr-defined]
    assert f"leading zero missing: {code} {name}?" in no_node(code[1:])
    assert f"leading zero and check digit missing: {code} {name}?" in no_node(code[1:-1])


@given(st.sampled_from(NODES), st.integers(1, 9))
def test_code_without_its_check_digit_or_with_another_is_refused_with_the_code(
    node: object, other: int
) -> None:
    """Statistics leave the check digit out; a typing error makes it wrong."""
    code, name = node.code, node.name  # type: ignore[attr-defined]
    wrong = f"{code[:-1]}{(int(code[-1]) + other) % 10}"
    assert f"check digit missing: {code} {name}?" in no_node(code[:-1])
    assert f"check digit wrong: {code} {name}?" in no_node(wrong)


@given(st.sampled_from(WARDS))
def test_ward_is_refused_with_its_city(ward: object) -> None:
    """A ward is no node, with its leading zero or without; its city is."""
    city = directory().route(ward.code)  # type: ignore[attr-defined]
    said = f"is a ward; its node is {city.code} {city.name}"
    assert said in no_node(ward.code)  # type: ignore[attr-defined]
    if ward.code.startswith("0"):  # type: ignore[attr-defined]
        assert said in no_node(ward.code[1:])  # type: ignore[attr-defined]
    assert ward.code == codes.read_area(ward.code)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("０１１００２", "011002 札幌市"),
        (" 131016", "131016 千代田区"),
        ("131016 千代田区", "131016 千代田区"),
        ("札幌市", "011002 札幌市"),
        ("札幌", "011002 札幌市"),
        ("13", "130001 東京都"),
        ("1", "010006 北海道"),
        ("JLIS", "jlis"),
        ("J-LIS", "jlis"),
    ],
)
def test_code_written_otherwise_is_refused_with_the_code(text: str, meant: str) -> None:
    """Full-width digits, names and numbers of prefectures lead to the code."""
    assert meant in no_node(text)


@given(st.text() | st.text(alphabet="0123456789", max_size=8) | st.just("\udcff"))
def test_any_other_text_is_a_usage_error(text: str) -> None:
    """Whatever is typed is read as a node's code, or refused."""
    for read in (codes.read_node, codes.read_area, codes.read_municipality, codes.read_prefecture):
        assert refusal(read, text) or read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12025", "leading zero missing: 012025 函館市?"),
        ("012025", "it lies in 010006 北海道"),
        ("1", "leading zero missing: 01?"),
        ("１３", "13?"),
        ("99", "expected 01 to 47"),
        ("00", "expected 01 to 47"),
        ("jlis", "jlis 地方公共団体情報システム機構 is no prefecture"),
        ("東京都", "130001 東京都"),
    ],
)
def test_what_is_no_prefecture_selects_no_other(text: str, said: str) -> None:
    """The first two digits of something else are no prefecture's number."""
    assert said in refusal(codes.read_prefecture, text)


@pytest.mark.parametrize("text", ["01", "010006"])
def test_prefecture_is_named_by_its_number_or_its_code(text: str) -> None:
    """Both are in use."""
    assert "01" == codes.read_prefecture(text)


def test_prefecture_is_no_municipality() -> None:
    """Where a municipality must be named, another node selects nothing."""
    with pytest.raises(typer.BadParameter, match="130001 東京都 is no municipality"):
        codes.read_municipality("130001")


def test_area_that_is_no_more_may_stand_in_an_event() -> None:
    """An event may name a municipality that was merged away; a mistyped one it may not."""
    assert "132179" == codes.read_area_of_body("132179")
    with pytest.raises(typer.BadParameter, match="011002 札幌市"):
        codes.read_area_of_body("11002")
