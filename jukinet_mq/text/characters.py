"""Single characters: which may stand in any text, and which Juki Net code a kanji has."""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

import unicodedata2  # type: ignore[import-not-found]  # ships no types

from jukinet_mq import data

# Blocks whose every code point is assigned since Unicode 15.1: what these patterns accept
# needs no second look. Younger kanji take the slow road through `first_offence`.
KANJI: Final = (
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufa6d\ufa70-\ufad9"
    r"\U00020000-\U0002a6df\U0002a700-\U0002b739\U0002b740-\U0002b81d\U0002b820-\U0002cea1"
    r"\U0002ceb0-\U0002ebe0\U0002ebf0-\U0002ee5d\U0002f800-\U0002fa1d"
    r"\U00030000-\U0003134a\U00031350-\U000323af"
)
VARIATION_SELECTORS: Final = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ASCII_AND_FULL_WIDTH: Final = r" -~\u2010-\u2015\u2212\uff01-\uff5e"
_KANA_AND_SIGNS: Final = r"\u3000-\u3012\u3014-\u303d\u303f\u3041-\u3096\u309b-\u30ff\u31f0-\u31ff"

_SELECTOR: Final = re.compile(rf"[{VARIATION_SELECTORS}\u180b-\u180d\u180f]")
_SELECTORS_OF_KANJI: Final = re.compile(f"[{VARIATION_SELECTORS}]")
_KANJI_BASE: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_BIDI: Final = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Letters and marks by category, but drawn as nothing.
_BLANK: Final = re.compile(r"[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]")
_BYTE_ORDER_MARK: Final = "\ufeff"
# The replacement and object replacement characters, the geta mark and the variation indicator:
# what programs and people write for a character that they could not.
_PLACEHOLDER: Final = re.compile(r"[\ufffc\ufffd\u3013\u303e]")
_DESCRIPTION: Final = re.compile(r"[\u2ff0-\u2fff\u31ef]")
_RADICAL: Final = re.compile(r"[\u2e80-\u2fdf\u31c0-\u31ee]")

_FORBIDDEN_CATEGORIES: Final = {
    "Cc": "a control character",
    "Cf": "an invisible format character",
    "Cn": "not assigned by Unicode",
    "Co": "a private use character, which means something else at every vendor",
    "Cs": "half of a surrogate pair",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


class Offence(NamedTuple):
    """The first character that may stand in no text.

    Attributes:
        offset: Its index in code points.
        why: What it is, to follow "is".
    """

    offset: int
    why: str


def sequence_of(characters: str) -> re.Pattern[str]:
    """Return a pattern of any number of *characters*, kanji among them with their selectors.

    To be used with `match`, which returns the longest acceptable beginning: no part of the
    pattern can fail after it has matched, so it never backtracks and takes linear time. Possessive
    quantifiers would say the same, but Python 3.11.2 (Debian 12) matches them wrongly.
    """
    return re.compile(f"[{characters}]*(?:(?<=[{KANJI}])[{VARIATION_SELECTORS}][{characters}]*)*")


_HARMLESS: Final = sequence_of(_ASCII_AND_FULL_WIDTH + _KANA_AND_SIGNS + KANJI)


def first_offence(value: str) -> Offence | None:
    """Return the first character of *value* that may stand in no text, or None."""
    match = _HARMLESS.match(value)
    harmless = match.end() if match else 0
    if harmless == len(value):
        return None
    for offset in range(harmless, len(value)):
        why = objection(value, offset)
        if why is not None:
            return Offence(offset, why)
    return None


def objection(value: str, offset: int) -> str | None:
    """Return why the character at *offset* may stand in no text, to follow "is"; None if it may."""
    character, before = value[offset], value[offset - 1] if offset else ""
    if _SELECTOR.match(character):
        after_kanji = _SELECTORS_OF_KANJI.match(character) and _KANJI_BASE.match(before)
        return None if after_kanji else "a variation selector without a kanji before it"
    if character == _BYTE_ORDER_MARK:
        return "a byte order mark"
    if _BIDI.match(character):
        return "a control of the writing direction"
    if _BLANK.match(character):
        return "an invisible character"
    return (
        _FORBIDDEN_CATEGORIES.get(unicodedata2.category(character))
        or _substitution(character)
        or _decomposition(character, before=before)
    )


def _substitution(character: str) -> str | None:
    """Say what stands there in the place of a character of the register."""
    if _PLACEHOLDER.match(character):
        return "a placeholder for a character that was lost; take the text from its source again"
    if _DESCRIPTION.match(character):
        return "part of a description of a kanji; write the kanji itself"
    if _RADICAL.match(character):
        kanji = unicodedata2.normalize("NFKC", character)
        return f"a radical or stroke, not a kanji; write {_name(kanji, unless=character)}"
    return None


def _decomposition(character: str, *, before: str) -> str | None:
    """Say which one character Unicode has for two (NFC): two spellings would be two names."""
    composed = unicodedata2.normalize("NFC", before + character)
    if not before or len(composed) > 1:
        return None
    return f"separate from the character before it; write both as {_name(composed)}"


def _name(character: str, *, unless: str = "") -> str:
    return "the kanji itself" if character == unless else f"U+{ord(character):04X}"


def search_key(value: str) -> str:
    """Return what to compare when searching: selectors stripped, then NFKC.

    For looking up only. Never store or send it in the place of the text: it merges
    characters that the law keeps apart.
    """
    stripped = _SELECTORS_OF_KANJI.sub("", value)
    return str(unicodedata2.normalize("NFKC", stripped))


def juki_code(character: str) -> str | None:
    """Return the Juki Net unified code (`J+9AD9`) of one kanji, or None outside the set.

    Args:
        character: One code point, or one with its variation selector.
    """
    return _juki_codes().get(character)


@functools.cache
def _juki_codes() -> dict[str, str]:
    codes: dict[str, str] = {}
    for line in data.text("juki_unified_kanji.txt").splitlines():
        if not line.startswith("#"):
            code, *spellings = line.split(" ")
            codes.update(dict.fromkeys(spellings, f"J+{code}"))
    return codes
