"""Names that look real and are nobody's: common surnames and given names, put together.

Registers hold more spellings than keyboards do. Some names are therefore written with the
traditional, compatibility (U+FA11) and non-BMP (U+20BB7) kanji and the ideographic variation
sequences (U+9089 U+E0117) that a real register has; every one is in the Juki Net set.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from jukinet_mq import data
from jukinet_mq.load.chance import Urn
from jukinet_mq.messages import Sex

# Written as escapes: many look the same as their base, and no editor may normalise them.
SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "高": ("\u9ad9",),
    "崎": ("\ufa11",),
    "吉": ("\U00020bb7",),
    "丈": ("\U0002000b",),
    "塚": ("\ufa10",),
    "辺": (
        "\u908a",
        "\u9089",
        "\u9089\U000e010f",
        "\u9089\U000e0113",
        "\u9089\U000e0117",
        "\u9089\U000e011b",
        "\u908a\U000e0108",
        "\u908a\U000e010b",
    ),
    "邉": ("\u9089\U000e010f", "\u9089\U000e0112", "\u9089\U000e0119"),
    "辻": ("\u8fbb\U000e0102", "\u8fbb\U000e0103"),
    "葛": ("\u845b\U000e0102", "\u845b\U000e0103"),
    "榊": ("\u698a\U000e0102", "\u698a\U000e0103"),
    "祇": ("\u7947\U000e0102", "\u7947\U000e0103"),
    "斎": ("\u9f4b",),
    "斉": ("\u9f4a",),
    "橋": ("\U0002363a", "\u69d7"),
    "土": ("\U0002123d",),
    "原": ("\U00020a64",),
    "浜": ("\u6ff1", "\u6ff5"),
    "沢": ("\u6fa4",),
    "桜": ("\u6afb",),
    "広": ("\u5ee3",),
    "島": ("\u5d8b", "\u5d8c"),
    "柳": ("\u6801",),
    "瀬": ("\u7028",),
    "徳": ("\u5fb7",),
    "国": ("\u570b",),
    "真": ("\u771e",),
    "富": ("\u51a8",),
    "隆": ("\uf9dc",),
    "神": ("\ufa19",),
    "福": ("\ufa1b",),
    "祐": ("\ufa4f",),
    "都": ("\ufa26",),
    "恵": ("\u60e0",),
}
"""Kanji of the name tables, and other ways in which registers write them."""

OTHER_SPELLING_SHARE: Final = 0.08
"""Names with such a kanji that are written with another spelling of it; an assumption."""

# Population by nationality of 2024 in rough order; an assumption as a whole.
_ORIGINS: Final = {
    "china": 24,
    "vietnam": 17,
    "korea": 11,
    "philippines": 9,
    "nepal": 7,
    "brazil": 6,
    "indonesia": 6,
    "taiwan": 3,
    "america": 3,
}
_WITH_KANJI: Final = {"china": 0.6, "taiwan": 0.6, "korea": 0.5}
"""Foreign residents who had the kanji of their name added beside the letters; an assumption."""
_ALIAS_SHARE: Final = {"korea": 0.4, "china": 0.08, "taiwan": 0.08, "brazil": 0.15}
_ALIAS_SHARE_ELSEWHERE: Final = 0.04
_JAPANESE_SURNAME_IN_ALIAS: Final = 0.5

WITHOUT_FURIGANA: Final = 0.03
"""Entries of Japanese nationals that hold no furigana yet; an assumption."""
FORMER_SURNAME: Final = {Sex.FEMALE: 0.02, Sex.MALE: 0.002, Sex.UNRECORDED: 0.0}
"""Entries that hold a former surname; an assumption."""


@dataclass(frozen=True, slots=True)
class Written:
    """A name, or a part of one, as written and as read.

    Attributes:
        text: Register characters.
        furigana: Full-width katakana.
    """

    text: str
    furigana: str

    def followed_by(self, given: Written) -> Written:
        """Return surname and given name, one space between them."""
        return Written(f"{self.text} {given.text}", f"{self.furigana} {given.furigana}")


@dataclass(frozen=True, slots=True)
class RegisteredName:
    """What an entry holds for a name.

    Attributes:
        name: 氏名 in register characters; a foreign resident may have none.
        alphabet_name: As on the residence card; foreign residents only.
        furigana: Japanese nationals only, missing on a few entries.
        former_surname: 旧氏 with its furigana; Japanese nationals only.
        alias: 通称; foreign residents only.
    """

    name: str | None
    alphabet_name: str | None = None
    furigana: str | None = None
    former_surname: Written | None = None
    alias: str | None = None

    @property
    def shown(self) -> str:
        """The name as others write it."""
        return self.name or self.alphabet_name or ""

    def fields(self) -> dict[str, Any]:
        """Return the fields of `messages.Person`; what is missing left out."""
        former = self.former_surname
        fields = {
            "name": self.name,
            "alphabet_name": self.alphabet_name,
            "furigana": self.furigana,
            "former_surname": former and former.text,
            "former_surname_furigana": former and former.furigana,
            "alias": self.alias,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _ForeignPart:
    alphabet: str
    kanji: str
    kana: str


class Names:
    """Draws names; one per generator of people."""

    __slots__ = ("_foreign", "_given", "_origins", "_random", "_surnames")

    def __init__(self, random: Random) -> None:
        """Read the tables."""
        self._random = random
        self._surnames = _surnames()
        self._given = _given_names()
        self._foreign = _foreign_parts()
        self._origins = Urn(_ORIGINS.items())

    def surname(self) -> Written:
        """Return a surname; the common ones come often."""
        return self._spelled(self._surnames.draw(self._random))

    def given(self, sex: Sex, *, born: int) -> Written:
        """Return a given name of the generation that was born in that year."""
        names = self._given[_table_sex(sex), _generation(born)]
        return self._spelled(self._random.choice(names))

    def origin(self) -> str:
        """Return where a foreign household comes from."""
        return self._origins.draw(self._random)

    def japanese(self, sex: Sex, *, born: int, surname: Written) -> RegisteredName:
        """Return a Japanese national's name with that surname."""
        written = surname.followed_by(self.given(sex, born=born))
        share = FORMER_SURNAME[sex]
        return RegisteredName(
            name=written.text,
            furigana=None if self._random.random() < WITHOUT_FURIGANA else written.furigana,
            former_surname=self.surname() if self._random.random() < share else None,
        )

    def foreign(self, sex: Sex, *, origin: str) -> RegisteredName:
        """Return a foreign resident's name."""
        surname = self._random.choice(self._foreign[origin, "surname"])
        given = self._random.choice(self._foreign[origin, _table_sex(sex)])
        with_kanji = self._random.random() < _WITH_KANJI.get(origin, 0)
        return RegisteredName(
            name=f"{surname.kanji} {given.kanji}" if with_kanji else None,
            alphabet_name=f"{surname.alphabet} {given.alphabet}",
            alias=self._alias(surname, given, origin=origin),
        )

    def _alias(self, surname: _ForeignPart, given: _ForeignPart, *, origin: str) -> str | None:
        if self._random.random() >= _ALIAS_SHARE.get(origin, _ALIAS_SHARE_ELSEWHERE):
            return None
        first = surname.kana
        if self._random.random() < _JAPANESE_SURNAME_IN_ALIAS:
            first = self._surnames.draw(self._random).text
        return f"{first} {given.kanji or given.kana}"

    def _spelled(self, name: Written) -> Written:
        """Return *name*, now and then with one of its kanji spelled otherwise."""
        if self._random.random() >= OTHER_SPELLING_SHARE:
            return name
        for kanji in name.text:
            spellings = SPELLINGS.get(kanji)
            if spellings is not None:
                other = self._random.choice(spellings)
                return Written(name.text.replace(kanji, other), name.furigana)
        return name


_GENERATIONS: Final = (2006, 1986, 1956, 1900)


def _table_sex(sex: Sex) -> str:
    return "male" if sex is Sex.MALE else "female"


def _generation(born: int) -> int:
    return next((first for first in _GENERATIONS if born >= first), _GENERATIONS[-1])


def _surnames() -> Urn[Written]:
    """Weight by rank: the tenth is about half as common as the first, as in the real order."""
    written = [Written(*row) for row in data.rows("surnames")]
    return Urn((name, 1 / (rank + 10)) for rank, name in enumerate(written))


def _given_names() -> dict[tuple[str, int], list[Written]]:
    found: dict[tuple[str, int], list[Written]] = {}
    for sex, born_from, name, furigana in data.rows("given_names"):
        found.setdefault((sex, int(born_from)), []).append(Written(name, furigana))
    return found


def _foreign_parts() -> dict[tuple[str, str], list[_ForeignPart]]:
    found: dict[tuple[str, str], list[_ForeignPart]] = {}
    for origin, part, alphabet, kanji, kana in data.rows("foreign_names"):
        found.setdefault((origin, part), []).append(_ForeignPart(alphabet, kanji, kana))
    return found
