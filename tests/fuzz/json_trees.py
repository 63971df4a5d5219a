"""JSON texts bent at one place or several, but whole everywhere else.

A tree is a JSON value whose objects are lists of pairs, so that a member may stand twice, and
whose leaves are texts, so that they may be what no writer writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from jukinet_mq.identifiers import synthetic_resident_code

Leaf = bytes
Tree = Any  # Leaf | Members | list[Tree]; recursive types confuse the tools


@dataclass
class Members:
    """An object: names as JSON texts, values as trees."""

    pairs: list[tuple[bytes, Tree]]


ODD_LEAVES: Final = [
    b"1e400", b"-1e400", b"NaN", b"-Infinity", b"-0", b"0.0", b"1E-999", b"9" * 25,
    b"9007199254740992", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616",
    b"00000000000000000001", b"0x10", b"null", b"true", b"[]", b"{}", b'""', b'"\\u0000"',
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b"'a'", b"",
    b'"' + b"a" * 70_000 + b'"', b"[" * 40 + b"]" * 40, b"[" * 3_000 + b"]" * 3_000,
    b'{"a":1,"a":2}', b"[" + b"0," * 20_000 + b"0]",
    b'"0001-01-01T00:00:00+09:00"', b'"9999-12-31T23:59:59-01:00"',
    b'"0001-01-01"', b'"9999-12-31"',
    b'"2026-02-30"', b'"2026-06-30T23:59:60Z"', b'"-2026-01-01"', b'"20260101"',
    b'"00000000000000000000"', b'"09223372036854775808"', b'"99999999999999999999"',
    b'"00000000-0000-0000-0000-000000000000"', b'"jlis"', b'"131016"', b'"131016\\n"',
    '"１３１０１６"'.encode(), '"\\u202e住基"'.encode(),
    '"か\\u3099"'.encode(), '"\ufffd〓\u2f00"'.encode(), b'"000000"',
]  # fmt: skip
_EDGES: Final = [
    (b"", b""), (b"", b""), (b"", b""), (b"\xef\xbb\xbf", b""), (b"", b"{}"), (b"", b"\0"),
    (b" \n\t", b"\r\n"), (b"[", b"]"), (b"", b"\xff"), (b"//\n", b""),
]  # fmt: skip

leaves = st.sampled_from(ODD_LEAVES) | st.text(max_size=8).map(
    lambda text: json.dumps(text).encode()
)


def dumped(value: object) -> bytes:
    """Return one value as JSON text; half characters escaped."""
    return json.dumps(value).encode()


def tree_of(value: object) -> Tree:
    """Return a JSON value as a tree."""
    if isinstance(value, dict):
        return Members([(dumped(name), tree_of(one)) for name, one in value.items()])
    if isinstance(value, list):
        return [tree_of(one) for one in value]
    return dumped(value)


def text_of(tree: Tree) -> bytes:
    """Return the JSON text of a tree."""
    if isinstance(tree, Members):
        return b"{" + b",".join(n + b":" + text_of(v) for n, v in tree.pairs) + b"}"
    if isinstance(tree, list):
        return b"[" + b",".join(map(text_of, tree)) + b"]"
    return bytes(tree)


@st.composite
def bent(draw: st.DrawFn, value: object) -> bytes:
    """Return the text of *value*, bent in up to three places."""
    tree = tree_of(value)
    for _ in range(draw(st.integers(1, 3))):
        tree = draw(_bent_once(tree))
    before, after = draw(st.sampled_from(_EDGES))
    return before + text_of(tree) + after


@st.composite
def _bent_once(draw: st.DrawFn, tree: Tree) -> Tree:
    if isinstance(tree, Members) and tree.pairs:
        return Members(draw(_bent_pairs(tree.pairs)))
    if isinstance(tree, list) and tree and draw(st.booleans()):
        at = draw(st.integers(0, len(tree) - 1))
        return [*tree[:at], draw(_bent_once(tree[at])), *tree[at + draw(st.integers(0, 1)) :]]
    return draw(leaves)


@st.composite
def _bent_pairs(draw: st.DrawFn, pairs: list[tuple[bytes, Tree]]) -> list[tuple[bytes, Tree]]:
    at = draw(st.integers(0, len(pairs) - 1))
    name, value = pairs[at]
    how = draw(st.sampled_from(["inside", "inside", "retype", "drop", "double", "add", "rename"]))
    match how:
        case "inside":
            return [*pairs[:at], (name, draw(_bent_once(value))), *pairs[at + 1 :]]
        case "retype":
            return [*pairs[:at], (name, draw(leaves)), *pairs[at + 1 :]]
        case "drop":
            return [*pairs[:at], *pairs[at + 1 :]]
        case "double":
            return [*pairs, (name, draw(st.just(value) | leaves))]
        case "add":
            return [*pairs, (draw(leaves.filter(lambda leaf: leaf[:1] == b'"')), draw(leaves))]
        case _:
            return [*pairs[:at], (dumped(draw(st.text(max_size=8))), value), *pairs[at + 1 :]]


_DAYS: Final = [
    "0001-01-01", "1868-01-25", "1989-01-07", "2026-03-28", "2026-04-01", "2026-04-02",
    "2028-02-29", "2100-01-01", "9999-12-31",
]  # fmt: skip
_INSTANTS: Final = [
    "0001-01-01T00:00:00+09:00", "1970-01-01T00:00:00Z", "2026-03-31T23:59:59.999999+14:00",
    "2026-04-01T03:00:00Z", "2026-04-01T03:05:00.5Z", "2026-04-01T12:30:00+09:00",
    "9999-12-31T23:59:59-01:00",
]  # fmt: skip
_CODES: Final = ["131016", "011002", "011011", "012025", "130001"]
_TEXTS: Final = [
    "髙橋 花子", "葛󠄀", "﨑", "𠮷", "か\u3099", "⼀", "〓", "\ufffd", "ー", "あ" * 300, "A", "é",
    "１２３", "  ", "\u3000", "👪", "ﾊﾅｺ", "\u2028", "a\nb", "%s{0}", "'; --", "[red]x[/red]",
    "true", "0", "unknown", "text", "exact", "year", "1994", "1994-04", "2026-13",
    "R6.4.1", "male", "japanese", "birth", "domestic_move_in", "create",
]  # fmt: skip
_LOOKS: Final = [
    (re.compile(r"\d{4}-\d\d-\d\d"), _DAYS),
    (re.compile(r"\d{4}-\d\d-\d\dT.*"), _INSTANTS),
    (re.compile(r"\d{6}"), _CODES),
    (re.compile(r"\d{11}"), [synthetic_resident_code(n) for n in (1, 3, 5)]),
    (re.compile(r"[0-9a-f]{8}-.*"), ["00000000-0000-0000-0000-000000000000"]),
]


@st.composite
def altered(draw: st.DrawFn, value: object) -> Any:
    """Return *value* with another leaf of the same look in the place of one or two.

    What comes out is a whole JSON value, and right more often than one that is `bent`.
    """
    places = st.sampled_from(list(_places(value, ())))
    for path, leaf in draw(st.lists(places, min_size=1, max_size=2)):
        value = _replaced(value, path, draw(_alike(leaf)))
    return value


def _places(value: object, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the leaves and the paths to them."""
    inner: Any = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    if not inner:
        yield path, value
    for step, one in inner:
        yield from _places(one, (*path, step))


def _alike(leaf: object) -> st.SearchStrategy[Any]:
    if isinstance(leaf, bool):
        return st.just(not leaf)
    if isinstance(leaf, int):
        return st.sampled_from([0, 1, leaf + 1, 2**53 - 1])
    for look, others in _LOOKS:
        if look.fullmatch(str(leaf)):
            return st.sampled_from(others)
    return st.sampled_from([*_TEXTS, str(leaf)[::-1], str(leaf)[:-1]])


def _replaced(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    step, *rest = path
    whole = dict(value) if isinstance(value, dict) else list(value)
    whole[step] = _replaced(value[step], tuple(rest), new)
    return whole
