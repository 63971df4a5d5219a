"""The texts of a notice, field by field. Each check returns the very string it was given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import regex

from jukinet_mq.errors import UnacceptableTextError
from jukinet_mq.text.characters import KANJI, first_offence, objection, sequence_of

NAME_GRAPHEMES_MAX: Final = 100
ADDRESS_GRAPHEMES_MAX: Final = 200
# A cluster of kana or kanji has at most two code points, an honest one of any script seldom
# more than four; without a bound one cluster could hold a megabyte of accents.
CODE_POINTS_PER_GRAPHEME_MAX: Final = 4

_GRAPHEME: Final = regex.compile(r"\X")
_LETTER: Final = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class _Script:
    """A closed set of characters.

    Attributes:
        acceptable: Matches the longest acceptable beginning, so its end is the offender. To be
            used with `match`: nothing follows the repetition, so it never backtracks.
        expected: The set in words.
    """

    acceptable: re.Pattern[str]
    expected: str


_ALPHABET: Final = _Script(
    re.compile(r"(?:[A-Za-z'.-]|(?<=[A-Za-z'.-]) (?=[A-Za-z'.-]))*"),
    "ASCII letters, apostrophes, hyphens, periods and single spaces between them",
)
_ALIAS: Final = _Script(
    sequence_of(
        r" \u3000\u3005-\u3007\u303b\u3041-\u3096\u309d\u309e\u30a1-\u30fe\u31f0-\u31ff" + KANJI
    ),
    "hiragana, katakana, kanji and spaces",
)
_FURIGANA: Final = _Script(
    # カ゚ and its kin have no code point of their own; JIS X 0213 spells them with U+309A.
    re.compile(r"(?:[ \u3000\u30a1-\u30fe\u31f0-\u31ff]|(?<=[カキクケコセツトㇷ])\u309a)*"),
    "full-width katakana, the long-vowel mark and spaces",
)


def check_name(value: str, *, field: str) -> str:
    """Return a name as it is.

    Raises:
        UnacceptableTextError: Blank, over 100 grapheme clusters, or a character that may
            stand in no text.
    """
    return check_free_text(value, field=field, graphemes_max=NAME_GRAPHEMES_MAX)


def check_address(value: str, *, field: str) -> str:
    """Return an address as it is.

    Raises:
        UnacceptableTextError: As `check_name`, over 200 grapheme clusters.
    """
    return check_free_text(value, field=field, graphemes_max=ADDRESS_GRAPHEMES_MAX)


def check_free_text(value: str, *, field: str, graphemes_max: int) -> str:
    """Return any one-line text as it is.

    Raises:
        UnacceptableTextError: Blank, over *graphemes_max* grapheme clusters, or holding a
            control, invisible, unassigned or private use character, a lone surrogate, a
            variation selector that does not follow a kanji, a placeholder, a radical, or a
            character and its mark where Unicode has one character for both.
    """
    _refuse_too_long(value, field=field, graphemes_max=graphemes_max)
    offence = first_offence(value)
    if offence is not None:
        raise _unacceptable(value, offence.offset, f"is {offence.why}", field=field)
    _refuse_blank(value, field=field)
    return value


def check_furigana(value: str, *, field: str) -> str:
    """Return a furigana as it is: katakana, ー, iteration marks, ・ and spaces.

    Half-width katakana is refused, not widened.

    Raises:
        UnacceptableTextError: Blank, too long or anything else in it.
    """
    return _check_script(value, _FURIGANA, field=field)


def check_alias(value: str, *, field: str) -> str:
    """Return an alias (通称) as it is: hiragana, katakana, kanji; no letters, no hangul.

    Raises:
        UnacceptableTextError: Blank, too long or anything else in it.
    """
    return _check_script(value, _ALIAS, field=field)


def check_alphabet_name(value: str, *, field: str) -> str:
    """Return a foreign resident's name in roman letters as it is.

    Raises:
        UnacceptableTextError: Without a letter, too long, a space that is not single and
            between two words, or any character but ASCII letters, apostrophe, hyphen, period.
    """
    _check_script(value, _ALPHABET, field=field)
    if _LETTER.search(value) is None:
        raise UnacceptableTextError(f"{field}: holds no letter", field=field, offset=0)
    return value


def _check_script(value: str, script: _Script, *, field: str) -> str:
    _refuse_too_long(value, field=field, graphemes_max=NAME_GRAPHEMES_MAX)
    match = script.acceptable.match(value)
    end = match.end() if match else 0
    if end < len(value):
        why = objection(value, end)
        said = f"is {why}" if why else f"may not stand there; expected {script.expected}"
        raise _unacceptable(value, end, said, field=field)
    _refuse_blank(value, field=field)
    return value


def _refuse_blank(value: str, *, field: str) -> None:
    if not value or value.isspace():
        raise UnacceptableTextError(
            f"{field}: found no visible character; leave the field out when there is no value",
            field=field,
            offset=0,
        )


def _refuse_too_long(value: str, *, field: str, graphemes_max: int) -> None:
    """Count clusters only when there are more code points than clusters allowed."""
    if len(value) <= graphemes_max:
        return
    code_points_max = graphemes_max * CODE_POINTS_PER_GRAPHEME_MAX
    if len(value) > code_points_max:
        raise UnacceptableTextError(
            f"{field}: found {len(value)} code points, expected at most {code_points_max}; "
            "a text is never cut, shorten it at its source",
            field=field,
            offset=code_points_max,
        )
    starts = [cluster.start() for cluster in _GRAPHEME.finditer(value)]
    if len(starts) > graphemes_max:
        raise UnacceptableTextError(
            f"{field}: found {len(starts)} characters, expected at most {graphemes_max}; "
            "a text is never cut, shorten it at its source",
            field=field,
            offset=starts[graphemes_max],
        )


def _unacceptable(value: str, offset: int, why: str, *, field: str) -> UnacceptableTextError:
    code_point = f"U+{ord(value[offset]):04X}"
    return UnacceptableTextError(
        f"{field}: the character at offset {offset} ({code_point}) {why}",
        field=field,
        offset=offset,
        code_point=code_point,
    )
