from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq import strict_json
from jukinet_mq.strict_json import DEPTH_MAX, NUMBER_MAX, SIZE_MAX, VALUES_MAX

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-NUMBER_MAX, NUMBER_MAX)
    | st.floats(-NUMBER_MAX, NUMBER_MAX)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def wrapped(text: str, way: list[bool]) -> bytes:
    """Return *text* inside as many arrays (False) and objects (True) as *way* is long."""
    for is_object in way:
        text = f'{{"in":{text}}}' if is_object else f"[0,{text}]"
    return text.encode()


@given(values, st.sampled_from([None, 2]))
def test_what_has_one_meaning_is_read_as_any_reader_reads_it(
    value: object, indent: int | None
) -> None:
    """JSON without anything odd is read whole, however it is spaced and escaped."""
    assert value == strict_json.read(json.dumps(value, indent=indent).encode())
    assert value == strict_json.read(orjson.dumps(value))


@given(st.dictionaries(texts, values, min_size=1, max_size=4), st.lists(st.booleans(), max_size=8),
       st.data())  # fmt: skip
def test_member_that_stands_twice_is_refused_at_every_depth(
    members: dict[str, Any], way: list[bool], data: st.DataObject
) -> None:
    """A name that an object holds twice is an error, also when it is escaped differently."""
    name = data.draw(st.sampled_from(sorted(members)))
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x80 else c for c in name)
    doubled = json.dumps(members)[:-1] + f",{json.dumps(name, ensure_ascii=False)}:1}}"
    spelled = json.dumps(members)[:-1] + f',"{escaped}":1}}' if escaped.isascii() else doubled
    for text in (doubled, spelled):
        with pytest.raises(ValueError, match="twice"):
            strict_json.read(wrapped(text, way))


@pytest.mark.parametrize(
    "number",
    [
        str(NUMBER_MAX + 1), str(-NUMBER_MAX - 1), "9" * 20, "9" * 400, "-" + "9" * 5000,
        "1e16", "1e308", "-1.5e300", "1e400", "-1e400", "1E+9999999999", "NaN", "-NaN",
        "Infinity", "-Infinity", "+1", "01", "0x10", ".5", "1.", "1_000",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", [[], [True], [False, True, False]])
def test_number_that_readers_read_differently_is_refused(number: str, way: list[bool]) -> None:
    """What is no number, or none that every reader reads exactly, is an error at any depth."""
    with pytest.raises(ValueError, match=r"not JSON|a number lies outside"):
        strict_json.read(wrapped(number, way))


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b'{"a":1}{}', b'{"a":1', b'{"a":1,}', b"[1,]", b"{'a':1}", b'{"a":1}\0',
        b"// note\n1", b"\xff\xfe", b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0"',
        b'"\t"', b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16-le"), '"住民"'.encode("cp932"),
    ],
)  # fmt: skip
def test_what_is_not_json_in_utf8_is_refused(text: bytes) -> None:
    """Other encodings, half characters and what is not JSON by RFC 8259 are errors."""
    with pytest.raises(ValueError, match="not JSON"):
        strict_json.read(text)


@pytest.mark.parametrize("way", [True, False])
def test_depth_is_bounded(*, way: bool) -> None:
    """The bound is read; one level more, and endless nesting, are errors."""
    assert strict_json.read(wrapped("1", [way] * DEPTH_MAX)) is not None
    for depth in (DEPTH_MAX + 1, 1_000, 20_000):
        with pytest.raises(ValueError, match=r"nested|depth"):
            strict_json.read(wrapped("1", [way] * depth))


def test_size_and_number_of_values_are_bounded() -> None:
    """A text at each bound is read, one beyond it is not."""
    assert SIZE_MAX - 2 == len(strict_json.read(b'"' + b"a" * (SIZE_MAX - 2) + b'"'))
    with pytest.raises(ValueError, match="bytes"):
        strict_json.read(b'"' + b"a" * (SIZE_MAX - 1) + b'"')
    assert VALUES_MAX - 1 == len(strict_json.read(json.dumps([0] * (VALUES_MAX - 1)).encode()))
    with pytest.raises(ValueError, match="values"):
        strict_json.read(json.dumps([0] * VALUES_MAX).encode())


@pytest.mark.parametrize("text", [b"null", b"[]", b"1", b'"a"', b'[{"a":1}]'])
def test_other_value_than_an_object_is_refused_where_an_object_is_read(text: bytes) -> None:
    """`read_object` takes objects only."""
    with pytest.raises(ValueError, match="object"):
        strict_json.read_object(text)
