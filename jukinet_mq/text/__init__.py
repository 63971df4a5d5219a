"""What may stand in a name, a furigana, an address and a date.

Nothing here normalises, cuts or repairs: what is accepted goes through code point for code
point, ideographic variation sequences and characters beyond the BMP included.
"""

from __future__ import annotations

from jukinet_mq.text.characters import Offence, first_offence, juki_code, search_key
from jukinet_mq.text.dates import DateKind, PartialDate
from jukinet_mq.text.fields import (
    ADDRESS_GRAPHEMES_MAX,
    NAME_GRAPHEMES_MAX,
    check_address,
    check_alias,
    check_alphabet_name,
    check_free_text,
    check_furigana,
    check_name,
)

__all__ = [
    "ADDRESS_GRAPHEMES_MAX",
    "NAME_GRAPHEMES_MAX",
    "DateKind",
    "Offence",
    "PartialDate",
    "check_address",
    "check_alias",
    "check_alphabet_name",
    "check_free_text",
    "check_furigana",
    "check_name",
    "first_offence",
    "juki_code",
    "search_key",
]
