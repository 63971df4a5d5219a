from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, timedelta
from typing import Protocol

import pytest
import regex
import unicodedata2  # type: ignore[import-not-found]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq import data
from jukinet_mq.errors import ImpossibleDateError, UnacceptableTextError
from jukinet_mq.text import (
    DateKind,
    PartialDate,
    check_address,
    check_alias,
    check_alphabet_name,
    check_free_text,
    check_furigana,
    check_name,
    first_offence,
    juki_code,
    search_key,
)
from jukinet_mq.text.characters import _HARMLESS
from jukinet_mq.text.dates import DAY_MAX, DAY_MIN

KANJI_SPELLINGS = [
    spelling
    for line in data.text("juki_unified_kanji.txt").splitlines()
    if not line.startswith("#")
    for spelling in line.split(" ")[1:]
]
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
forbidden = st.sampled_from(
    [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata2.category(c) in FORBIDDEN][::7]
) | st.sampled_from("\x00\t\n\r\x1b\x7f\x85\x9f\ufeff\ufffe\U0010ffff\ud800\udfff\ue000" + BIDI)
harmless = st.text(
    st.sampled_from("髙橋太郎﨑𠮷野々〆ヶあゝアー・ 　A-z1０-'（é"), max_size=12
) | st.lists(st.sampled_from(KANJI_SPELLINGS), max_size=6).map("".join)
SUBSTITUTES = [
    *"\ufffc\ufffd\u3013\u303e\u31ef",
    *map(chr, range(0x2E80, 0x2E9A)),
    *map(chr, range(0x2F00, 0x2FD6)),
    *map(chr, range(0x2FF0, 0x2FFC)),
    *map(chr, range(0x31C0, 0x31E4)),
]
COMPOSED_KANA = [
    kana
    for kana in map(chr, range(0x3041, 0x30FF))
    if len(unicodedata2.normalize("NFD", kana)) == 2
]
CHECKS = [check_name, check_address, check_furigana, check_alias, check_alphabet_name]
# What each check accepts one after the other in any order, and a character that it refuses.
PIECES = [
    (check_name, ["髙", "葛\U000e0100", "\ufa11\ufe00", "é", "カ\u309a", "ア", "A", " "], "\u202e"),
    (check_furigana, ["ア", "ー", "カ\u309a", "ㇷ\u309a", "ヽ", "・", " ", "　"], "\u3042"),
    (check_alias, ["あ", "ー", "髙", "葛\U000e0100", "々", "・", " ", "　"], "A"),
    (check_alphabet_name, ["A", "z", "'", "-", ".", " a"], "1"),
]


class Check(Protocol):
    def __call__(self, value: str, *, field: str) -> str: ...


def test_all_kanji_of_the_juki_net_pass_and_survive() -> None:
    """All 19,563 kanji in all their spellings pass as names and come back from UTF-8 the same."""
    for spelling in KANJI_SPELLINGS:
        name = f"{spelling}田　{spelling}"
        assert check_name(name, field="name") is name
        assert check_alias(name, field="alias") is name
        assert name.encode().decode() == name


@pytest.mark.parametrize("check", CHECKS)
@given(value=st.text(max_size=30) | harmless)
def test_what_passes_is_returned_as_the_very_same_string(check: Check, value: str) -> None:
    """No check changes a text: it comes back identical, or is refused at a real offset."""
    try:
        checked = check(value, field="text")
    except UnacceptableTextError as refusal:
        offset = refusal.facts["offset"]
        refused = refusal.facts["field"] == "text" and offset in range(len(value) + 1)
    else:
        refused = False

    assert refused or (checked is value and value.encode().decode() == value)


@pytest.mark.parametrize("check", CHECKS)
@given(before=harmless, offender=forbidden, after=harmless)
def test_forbidden_character_is_refused_everywhere(
    check: Check, before: str, offender: str, after: str
) -> None:
    """Controls, bidi controls, surrogates, private use and unassigned pass in no field."""
    with pytest.raises(UnacceptableTextError):
        check(before + offender + after, field="text")


@given(before=harmless, offender=forbidden, after=harmless)
def test_forbidden_character_is_named_by_offset_and_code_point(
    before: str, offender: str, after: str
) -> None:
    """The error tells where the character stands and which it is, and shows nothing else."""
    with pytest.raises(UnacceptableTextError) as refusal:
        check_name(before + offender + after, field="family_name")

    assert refusal.value.facts == {
        "field": "family_name",
        "offset": len(before),
        "code_point": f"U+{ord(offender):04X}",
    }
    assert str(refusal.value).isascii()


@pytest.mark.parametrize(("check", "pieces", "foreign"), PIECES)
@given(data_=st.data())
def test_acceptable_pieces_pass_in_any_order_up_to_the_first_foreign_character(
    check: Check, pieces: list[str], foreign: str, data_: st.DataObject
) -> None:
    """Any sequence of what a field may hold is accepted; what is refused is named exactly."""
    first = next(piece for piece in pieces if not piece.isspace())
    value = first + "".join(data_.draw(st.lists(st.sampled_from(pieces), max_size=40)))

    assert check(value, field="text") is value
    with pytest.raises(UnacceptableTextError) as refusal:
        check(value + foreign + first, field="text")
    assert len(value) == refusal.value.facts["offset"]


def test_fast_road_accepts_assigned_characters_only() -> None:
    """No code point that the slow road refuses slips through the precompiled pattern."""
    slipped = [
        hex(point)
        for point in range(sys.maxunicode + 1)
        if _HARMLESS.fullmatch(chr(point)) and unicodedata2.category(chr(point)) in FORBIDDEN
    ]

    assert [] == slipped


@pytest.mark.parametrize(
    ("value", "offset"),
    [
        ("\U000e0100", 0),
        ("あ\U000e0100", 1),
        ("A\ufe00", 1),
        ("葛\U000e0100\U000e0101", 2),
        ("葛\U000e0100城\ufe00 \ufe01", 5),
        ("葛\u180b", 1),
    ],
)
def test_variation_selector_without_a_kanji_is_refused(value: str, offset: int) -> None:
    """A selector varies the kanji right before it, once, and nothing else."""
    with pytest.raises(UnacceptableTextError, match="variation selector") as refusal:
        check_name(value, field="name")

    assert refusal.value.facts["offset"] == offset


@pytest.mark.parametrize("value", ["葛\U000e0100城", "\U00020bb7\U000e0101", "\ufa11\U000e0100"])
def test_variation_sequence_of_a_kanji_is_kept(value: str) -> None:
    """Ideographic variation sequences pass, beyond the BMP and on compatibility kanji too."""
    assert check_name(value, field="name") is value


@pytest.mark.parametrize("value", ["\ufa10田", "か\u309a", "ｶﾞ", "①", "Ⅳ", "é", "ﬁ", "\U0002f800"])
def test_text_that_normalisation_would_change_is_kept(value: str) -> None:
    """Nothing is normalised, not even what NFC or NFKC would turn into something else."""
    assert check_free_text(value, field="remark", graphemes_max=10) is value


@pytest.mark.parametrize("check", CHECKS)
@given(before=harmless, offender=st.sampled_from(SUBSTITUTES), after=harmless)
def test_what_stands_for_a_character_is_refused_everywhere(
    check: Check, before: str, offender: str, after: str
) -> None:
    """Placeholders, radicals, strokes and descriptions of kanji pass in no field."""
    with pytest.raises(UnacceptableTextError):
        check(before + offender + after, field="text")


def test_no_substitute_is_a_kanji_of_the_juki_net() -> None:
    """What is refused as a substitute is in none of the spellings that registers need."""
    assert set(SUBSTITUTES).isdisjoint("".join(KANJI_SPELLINGS))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("山\ufffd", r"U\+FFFD\) is a placeholder"),
        ("〓田", r"U\+3013\) is a placeholder"),
        ("\u2f00", r"U\+2F00\) is a radical .* write U\+4E00"),
        ("\u2ecc", r"U\+2ECC\) is a radical .* write the kanji itself"),
        ("\u2ff0\u6c35\u5de5", r"U\+2FF0\) is part of a description"),
        ("か\u3099", r"U\+3099\) is separate .* write both as U\+304C"),
        ("ハ\u309a", r"U\+309A\) is separate .* write both as U\+30D1"),
    ],
)
def test_refusal_says_what_to_write_instead(value: str, text: str) -> None:
    """Who must correct a text is told the character that is right, where there is one."""
    with pytest.raises(UnacceptableTextError, match=text):
        check_name(value, field="name")


@pytest.mark.parametrize("check", [check_name, check_address, check_furigana, check_alias])
@given(kana=st.sampled_from(COMPOSED_KANA), before=harmless)
def test_kana_with_a_separate_mark_is_refused(check: Check, kana: str, before: str) -> None:
    """A name has one spelling: か and its mark are two characters nowhere that が is one."""
    decomposed = unicodedata2.normalize("NFD", kana)

    with pytest.raises(UnacceptableTextError):
        check(before + decomposed, field="text")


@given(st.text(max_size=20))
def test_accepted_text_changes_under_nfc_in_single_characters_only(value: str) -> None:
    """Only compatibility characters, which registers tell apart, would change; nothing joins."""
    if first_offence(value) is None:
        assert len(unicodedata2.normalize("NFC", value)) >= len(value)


@pytest.mark.parametrize(
    "invisible", ["\u200b", "\u200d", "\u00ad", "\u3164", "\u2028", "\U000e0041"]
)
def test_invisible_character_is_refused(invisible: str) -> None:
    """Two names that look the same are the same: what cannot be seen may not stand in one."""
    with pytest.raises(UnacceptableTextError, match="offset 1"):
        check_name(f"山{invisible}田", field="name")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("value", ["", " ", "　 　"])
def test_blank_text_is_refused(check: Check, value: str) -> None:
    """A field without a value is left out, not filled with nothing."""
    with pytest.raises(UnacceptableTextError):
        check(value, field="text")


@pytest.mark.parametrize(
    ("check", "unit", "limit"),
    [
        (check_name, "辻\U000e0101", 100),
        (check_name, "𠮷", 100),
        (check_address, "か\u309a", 200),
        (check_furigana, "カ\u309a", 100),
        (check_alias, "葛\U000e0100", 100),
        (check_alphabet_name, "A", 100),
    ],
)
def test_length_counts_what_a_reader_counts(check: Check, unit: str, limit: int) -> None:
    """The limit is in grapheme clusters; one more is refused at its offset, nothing is cut."""
    assert check(unit * limit, field="text") == unit * limit
    with pytest.raises(UnacceptableTextError, match=f"at most {limit}") as refusal:
        check(unit * (limit + 1), field="text")

    assert refusal.value.facts == {"field": "text", "offset": limit * len(unit)}


@given(st.text("葛𠮷\U000e0100\u309aカA", min_size=90, max_size=130))
def test_length_limit_is_exact_for_any_mixture(value: str) -> None:
    """A text is too long exactly when it has over 100 grapheme clusters."""
    clusters = len(regex.findall(r"\X", value))
    offence = first_offence(value)

    if clusters > 100:
        with pytest.raises(UnacceptableTextError, match="at most 100"):
            check_name(value, field="name")
    elif offence is None:
        assert check_name(value, field="name") is value


def test_one_cluster_cannot_hold_a_megabyte() -> None:
    """Accents heaped on one letter are refused by their number, without counting clusters."""
    with pytest.raises(UnacceptableTextError, match="code points"):
        check_name("e" + "\u0301" * 1_000_000, field="name")


@pytest.mark.parametrize(
    "value", ["JOHN SMITH", "O'BRIEN MARY-ANN", "St. John", "'t Hooft G.", "NGUYEN VAN A", "X"]
)
def test_alphabet_name_of_letters_and_its_signs_passes(value: str) -> None:
    """ASCII letters, apostrophe, hyphen, period and single spaces make an alphabet name."""
    assert check_alphabet_name(value, field="alphabet_name") is value


@pytest.mark.parametrize(
    ("value", "offset"),
    [
        (" JOHN", 0),
        ("JOHN ", 4),
        ("JOHN  SMITH", 4),
        ("JOSÉ", 3),
        ("JOHN　SMITH", 4),
        ("ＪＯＨＮ", 0),
        ("JOHN3", 4),
        ("JOHN_", 4),
        ("JOHN, SMITH", 4),
        ("O’BRIEN", 1),
        ("-", 0),
    ],
)
def test_alphabet_name_with_anything_else_is_refused(value: str, offset: int) -> None:
    """Double or outer spaces, digits, accents and full-width letters make none."""
    with pytest.raises(UnacceptableTextError) as refusal:
        check_alphabet_name(value, field="alphabet_name")

    assert refusal.value.facts["offset"] == offset


@pytest.mark.parametrize(
    "value", ["山田　花子", "佐々木 まり", "ジョン・スミス", "〆木ヶ原", "金𠮷"]
)
def test_alias_of_kana_and_kanji_passes(value: str) -> None:
    """Kana, kanji, iteration marks, the middle dot and spaces make an alias."""
    assert check_alias(value, field="alias") is value


@pytest.mark.parametrize(
    ("value", "offset"),
    [("山田John", 2), ("김", 0), ("山田２", 2), ("山田。", 2), ("ﾔﾏﾀﾞ", 0), ("あ\U000e0100", 1)],
)
def test_alias_with_anything_else_is_refused(value: str, offset: int) -> None:
    """Roman letters, hangul, digits, half-width kana and other signs make none."""
    with pytest.raises(UnacceptableTextError, match=f"offset {offset} "):
        check_alias(value, field="alias")


@pytest.mark.parametrize(
    "value", ["タカハシ　タロウ", "ヴァレリー", "ジョン・スミス", "カ゚", "チㇷ゚", "ササヽ"]
)
def test_furigana_of_katakana_passes(value: str) -> None:
    """Katakana with small kana, ー, iteration marks and the middle dot make a furigana."""
    assert check_furigana(value, field="furigana") is value


@pytest.mark.parametrize(
    ("value", "offset"),
    [
        ("たかはし", 0),
        ("タカ橋", 2),
        ("ﾀｶﾊｼ", 0),
        ("タカ-ハシ", 2),
        ("ア゚", 1),
        ("゠", 0),
        ("タA", 1),
    ],
)
def test_furigana_with_anything_else_is_refused(value: str, offset: int) -> None:
    """Hiragana, kanji, half-width katakana and hyphens for ー make none, and none is repaired."""
    with pytest.raises(UnacceptableTextError, match=f"offset {offset} "):
        check_furigana(value, field="furigana")


@pytest.mark.parametrize(
    ("character", "code"),
    [
        ("髙", "J+9AD9"),
        ("𠮷", "J+AEAC"),
        ("﨑", "J+FA11"),
        ("葛", "J+B9D5"),
        ("葛\U000e0102", "J+845B"),
        ("々", "J+AD1D"),
        ("A", None),
        ("あ", None),
        ("髙橋", None),
        ("", None),
    ],
)
def test_kanji_has_its_juki_code(character: str, code: str | None) -> None:
    """A kanji of the set has its code, which a look at its Unicode value may get wrong."""
    assert juki_code(character) == code


def test_variants_of_one_kanji_have_codes_of_their_own() -> None:
    """The variants of 邉 that Unicode tells apart by a selector only have different codes."""
    variants = [s for s in KANJI_SPELLINGS if s.startswith("邉")]

    assert len({juki_code(variant) for variant in variants}) > 3


@given(st.text(max_size=20) | harmless)
def test_search_key_is_stable_and_leaves_the_text_alone(value: str) -> None:
    """The key of a key is itself, so stored and computed keys can be compared."""
    assert search_key(search_key(value)) == search_key(value)


def test_search_key_finds_a_name_however_it_is_spelt() -> None:
    """Selectors, compatibility kanji and widths do not hide a name from a search."""
    assert search_key("葛\U000e0100城") == search_key("葛城")
    assert search_key("\ufa10田") == search_key("塚田")
    assert search_key("ﾀｶﾊｼ") == search_key("タカハシ")


@given(st.dates(DAY_MIN, DAY_MAX))
def test_every_day_of_the_calendar_is_a_date(day: date) -> None:
    """Any day that a register can have is not after itself, and is after the day before."""
    exact = PartialDate.exact(day)

    assert exact == PartialDate.read(kind="exact", value=day.isoformat(), field="birth_date")
    assert exact.not_after(day, field="birth_date") is exact
    with pytest.raises(ImpossibleDateError, match="birth_date"):
        exact.not_after(day - timedelta(days=1), field="birth_date")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("exact", "2023-02-29", None),
        ("exact", "2024-13-01", None),
        ("exact", "20240501", None),
        ("exact", "2024-W18-3", None),
        ("exact", "２０２４-０５-０１", None),
        ("exact", "2024-05-01\n", None),
        ("exact", "2024-05-01", "令和６年５月１日"),
        ("exact", None, None),
        ("month", "2024-13", None),
        ("month", "2024", None),
        ("year", "0000", None),
        ("year", "2024-05", None),
        ("year", None, "令和元年頃"),
        ("unknown", "2024", None),
        ("text", None, None),
        ("text", "1912-07-30", "明治45年7月30日"),
        ("era", "2024", None),
    ],
)
def test_parts_that_make_no_date_are_refused_by_field(
    kind: str, value: str | None, text: str | None
) -> None:
    """A day that no calendar has, or a value that is not of its kind, names the field."""
    with pytest.raises(ImpossibleDateError, match=r"^birth_date: ") as refusal:
        PartialDate.read(kind=kind, value=value, text=text, field="birth_date")

    assert value is None or value not in str(refusal.value)
    assert refusal.value.facts == {"field": "birth_date"}


@pytest.mark.parametrize(
    "make",
    [
        PartialDate.unknown,
        lambda: PartialDate.unknown("年月日不詳"),
        lambda: PartialDate.in_year(2019, "令和元年頃"),
        lambda: PartialDate.in_month(1948, 3, "昭和23年3月上旬"),
        lambda: PartialDate.in_words("明治45年7月30日"),
        lambda: PartialDate.in_words("昭和58年2月29日"),
    ],
)
def test_date_known_in_part_is_read_back_as_it_was_made(make: Callable[[], PartialDate]) -> None:
    """Unknown, partial and nominal dates of the register have a form."""
    made = make()

    assert made == PartialDate.read(
        kind=made.kind.value, value=made.value, text=made.text, field="death_date"
    )


@pytest.mark.parametrize("day", [date(2024, 5, 1), date(2024, 5, 31)])
def test_partial_date_is_future_only_when_it_surely_is(day: date) -> None:
    """The month and year of the day itself pass, later ones do not, the unknown always does."""
    for past in (
        PartialDate.in_month(2024, 5),
        PartialDate.in_year(2024),
        PartialDate.unknown(),
        PartialDate.in_words("来年"),
    ):
        assert past.not_after(day, field="date") is past
    for later in (PartialDate.in_month(2024, 6), PartialDate.in_year(2025)):
        with pytest.raises(ImpossibleDateError, match="future"):
            later.not_after(day, field="date")


def test_words_of_a_date_are_checked_as_any_text() -> None:
    """What may stand in no text may not stand in the words of a date."""
    with pytest.raises(UnacceptableTextError, match=r"death_date\.text.*U\+202E"):
        PartialDate.read(kind="text", text="不詳\u202e", field="death_date")


def test_date_that_breaks_the_rules_cannot_be_made() -> None:
    """There is no way around the rules by building the value directly."""
    with pytest.raises(ImpossibleDateError):
        PartialDate(DateKind.EXACT, "2023-02-29")
