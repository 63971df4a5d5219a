"""Codes of local governments on the command line, and which one was likely meant.

A spreadsheet drops leading zeros, statistics leave the check digit out, notices name wards. What
is no code is refused with the likely code; it never selects nothing, or something else.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

import typer

from jukinet_mq.errors import JukinetError
from jukinet_mq.nodes import (
    CODE_LENGTH,
    NATIONAL_NODE,
    AreaKind,
    Node,
    Tier,
    check_digit,
    directory,
)

HINTS_MAX: Final = 3
_J_LIS: Final = frozenset({"jlis", "j-lis"})


def complete_node(incomplete: str) -> list[tuple[str, str]]:
    """Return the codes that begin like this, with their names."""
    return [(n.code, n.name) for n in directory().nodes() if n.code.startswith(incomplete)]


def read_node(text: str) -> str:
    """Return the code of a node."""
    return _node(text).code


def read_area(text: str) -> str:
    """Return the code of a node or of a ward."""
    if directory().find(text) is None and not _is_ward(text):
        raise typer.BadParameter(_refusal(text))
    return text


def read_municipality(text: str) -> str:
    """Return the code of a municipality."""
    node = _node(text)
    if node.tier is not Tier.MUNICIPALITY:
        raise typer.BadParameter(f"{_label(node.code)} is no municipality")
    return node.code


def read_prefecture(text: str) -> str:
    """Return the two digits of a prefecture, which may be named by its code too."""
    found = {n.prefecture: n.code for n in directory().nodes(Tier.PREFECTURE)}
    if text in found:
        return text
    if (node := directory().find(text)) is not None:
        if node.tier is Tier.PREFECTURE:
            return node.prefecture
        lies = f"; it lies in {_label(found[node.prefecture])}" if node.prefecture in found else ""
        raise typer.BadParameter(f"{_label(node.code)} is no prefecture{lies}")
    likely = unicodedata.normalize("NFKC", text).strip().zfill(2)
    hints = [f"leading zero missing: {likely}?"] if likely in found else likely_codes(text)
    hint = "; or ".join(hints[:HINTS_MAX]) or f"expected {min(found)} to {max(found)}, or its code"
    raise typer.BadParameter(f"{text!r} is no prefecture; {hint}")


def read_area_of_body(text: str) -> str:
    """Return a code for an event: of any area, also of one that is no more, if it can be one."""
    if _is_code(text) and check_digit(text[:-1]) == text[-1]:
        return text
    return read_area(text)


def likely_codes(text: str) -> list[str]:
    """Return what may have been meant by *text*: why, code and name; the likeliest first."""
    return list(dict.fromkeys(_likely(unicodedata.normalize("NFKC", text).strip(), text)))


def _node(text: str) -> Node:
    node = directory().find(text)
    if node is None:
        raise typer.BadParameter(_refusal(text))
    return node


def _refusal(text: str) -> str:
    hints = likely_codes(text)
    if hints:
        return f"{text!r} is no code of a node; {'; or '.join(hints[:HINTS_MAX])}"
    try:
        directory().node(text)
    except JukinetError as error:
        return f"{text!r}: {error}; `jukinet node list` shows all"
    return f"{text!r} is no code of a node"


def _likely(text: str, original: str) -> Iterator[str]:
    if text != original and directory().find(text) is not None:
        yield from _known("with half-width digits alone", text)
    elif _is_ward(text):
        yield _ward(text)
    elif text.isascii() and text.isdigit():
        yield from _likely_digits(text)
    elif text.lower() in _J_LIS:
        yield from _known("J-LIS is", NATIONAL_NODE)
    else:
        yield from _known("the code alone", text[:CODE_LENGTH])
        yield from _named(text)


def _likely_digits(text: str) -> Iterator[str]:
    match len(text):
        case 6:
            yield from _known("check digit wrong", _completed(text[:-1]))
        case 5:
            yield from _known("leading zero missing", f"0{text}")
            yield from _known("check digit missing", _completed(text))
        case 4:
            yield from _known("leading zero and check digit missing", _completed(f"0{text}"))
        case 1 | 2:
            yield from _known("the prefecture's code is", _completed(f"{int(text):02}000"))
        case _:
            pass


def _known(why: str, code: str) -> Iterator[str]:
    """Yield a hint if there is such a node; of a ward, the hint at its city."""
    if directory().find(code) is not None:
        yield f"{why}: {_label(code)}?"
    elif _is_ward(code):
        yield f"{why}: {_ward(code)}"


def _named(text: str) -> Iterator[str]:
    names = _names()
    found = names.get(text, ())
    near = () if found else difflib.get_close_matches(text, names, HINTS_MAX)
    for code in found or [code for name in near for code in names[name]]:
        yield f"its code is {_label(code)}?"


@cache
def _names() -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for node in directory().nodes():
        for name in {node.name, node.kana}:
            names.setdefault(name, []).append(node.code)
    return names


def _completed(body: str) -> str:
    return body + check_digit(body)


def _is_code(text: str) -> bool:
    return len(text) == CODE_LENGTH and text.isascii() and text.isdigit()


def _is_ward(text: str) -> bool:
    return _is_code(text) and any(
        area.code == text and area.kind is AreaKind.WARD for area in directory().areas()
    )


def _ward(code: str) -> str:
    city = directory().route(code).code
    return f"{code} {directory().area(code).name} is a ward; its node is {_label(city)}"


def _name(code: str) -> str:
    return directory().node(code).name


def _label(code: str) -> str:
    return f"{code} {_name(code)}"
