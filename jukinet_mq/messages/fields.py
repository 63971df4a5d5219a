"""The field types that bodies are made of, each with what its JSON Schema can say of it.

A schema cannot count grapheme clusters or compute check digits: there it is as strict as a
pattern and a length in code points allow, and the description says what else is checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Protocol, Self, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypeAliasType

from jukinet_mq import nodes, text
from jukinet_mq.errors import CheckDigitError, ImpossibleDateError, RejectedError
from jukinet_mq.identifiers import validate_individual_number, validate_resident_code
from jukinet_mq.messages.body import Record, broken_rule, refused_by
from jukinet_mq.text import DateKind, PartialDate
from jukinet_mq.text.dates import DATE_TEXT_GRAPHEMES_MAX
from jukinet_mq.text.fields import CODE_POINTS_PER_GRAPHEME_MAX

PERSONS_MAX: Final = 50
"""Persons of one filing; the largest households of a register stay far below."""

RELATIONSHIP_GRAPHEMES_MAX: Final = 50


class _Check(Protocol):
    def __call__(self, value: str, /, *, field: str) -> str: ...


def _checked(check: _Check) -> AfterValidator:
    """Turn one of our checks into a pydantic validator; its error keeps its class."""

    def validate(value: str, info: ValidationInfo) -> str:
        try:
            return check(value, field=info.field_name or "value")
        except RejectedError as cause:
            raise refused_by(cause) from None

    return AfterValidator(validate)


def _text_schema(graphemes_max: int, description: str, **more: str) -> WithJsonSchema:
    return WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": graphemes_max * CODE_POINTS_PER_GRAPHEME_MAX,
            "description": f"{description} At most {graphemes_max} grapheme clusters.",
            **more,
        }
    )


def _check_relationship(value: str, /, *, field: str) -> str:
    return text.check_free_text(value, field=field, graphemes_max=RELATIONSHIP_GRAPHEMES_MAX)


def _check_area_digit(value: str, /, *, field: str) -> str:
    if nodes.check_digit(value[:5]) != value[5]:
        raise CheckDigitError(
            f"{field}: the last digit is not this area code's check digit; "
            "look for a mistyped digit",
            field=field,
        )
    return value


# Pydantic would also take `{...}` and `urn:uuid:...`, and a number of seconds as an instant.
_CANONICAL_ID: Final = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_CANONICAL_INSTANT: Final = re.compile(
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
)


def _read_id(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _CANONICAL_ID.fullmatch(value) is None:
        raise broken_rule("expected a UUID in lower case with hyphens")
    return UUID(value)


def _read_instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _CANONICAL_INSTANT.fullmatch(value) is None:
        raise broken_rule("expected an instant in UTC of the form YYYY-MM-DDTHH:MM:SS.ffffffZ")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise refused_by(ImpossibleDateError("no calendar has this instant")) from None


_PLAIN: Final = (
    "Never normalised. Refused: control, invisible, bidirectional, unassigned and private use "
    "characters, variation selectors that do not follow a kanji."
)

Name = TypeAliasType(
    "Name",
    Annotated[
        str,
        _checked(text.check_name),
        _text_schema(text.NAME_GRAPHEMES_MAX, f"Register characters, IVS included. {_PLAIN}"),
    ],
)
Furigana = TypeAliasType(
    "Furigana",
    Annotated[
        str,
        _checked(text.check_furigana),
        _text_schema(
            text.NAME_GRAPHEMES_MAX,
            "Full-width katakana, long-vowel and iteration marks, spaces.",
            pattern=r"^[ \u3000\u309a\u30a1-\u30fe\u31f0-\u31ff]+$",
        ),
    ],
)
Alias = TypeAliasType(
    "Alias",
    Annotated[
        str,
        _checked(text.check_alias),
        _text_schema(
            text.NAME_GRAPHEMES_MAX,
            "Hiragana, katakana, kanji and spaces; no letters, hangul or symbols.",
            pattern=r"^[^!-~\uff01-\uff5e\uac00-\ud7a3]+$",
        ),
    ],
)
AlphabetName = TypeAliasType(
    "AlphabetName",
    Annotated[
        str,
        _checked(text.check_alphabet_name),
        _text_schema(
            text.NAME_GRAPHEMES_MAX,
            "ASCII letters, apostrophe, hyphen, period, single spaces.",
            pattern=r"^(?=.*[A-Za-z])[A-Za-z'.-]+( [A-Za-z'.-]+)*$",
        ),
    ],
)
Address = TypeAliasType(
    "Address",
    Annotated[str, _checked(text.check_address), _text_schema(text.ADDRESS_GRAPHEMES_MAX, _PLAIN)],
)
Relationship = TypeAliasType(
    "Relationship",
    Annotated[str, _checked(_check_relationship), _text_schema(RELATIONSHIP_GRAPHEMES_MAX, _PLAIN)],
)
ResidentCode = TypeAliasType(
    "ResidentCode",
    Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{11}$"),
        _checked(validate_resident_code),
        Field(
            description="11 digits; the last is the check digit. Test range: 9999 and six digits."
        ),
    ],
)
IndividualNumber = TypeAliasType(
    "IndividualNumber",
    Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{12}$"),
        _checked(validate_individual_number),
        Field(
            description="12 digits; the last is the check digit. Test range: 99999 and six digits."
        ),
    ],
)
AreaCode = TypeAliasType(
    "AreaCode",
    Annotated[
        str,
        StringConstraints(pattern=r"^[0-9]{6}$"),
        _checked(_check_area_digit),
        Field(description="全国地方公共団体コード of a municipality or ward; last digit checks."),
    ],
)
SignedText = TypeAliasType(
    "SignedText",
    Annotated[
        str,
        StringConstraints(
            pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=256 * 1024
        ),
        Field(description="JWS compact serialisation (RFC 7515 section 7.1)."),
    ],
)
Day = date
"""A day in the calendar of Japan, `YYYY-MM-DD`."""
Id = TypeAliasType(
    "Id",
    Annotated[
        UUID,
        BeforeValidator(_read_id),
        Field(
            description="UUID in lower case with hyphens; a UUIDv7 when made here.",
            json_schema_extra={"pattern": _CANONICAL_ID.pattern},
        ),
    ],
)
Instant = TypeAliasType(
    "Instant",
    Annotated[
        AwareDatetime,
        BeforeValidator(_read_instant),
        AfterValidator(lambda instant: instant.astimezone(UTC)),
        Field(
            description="RFC 3339 in UTC, ending in Z, to the microsecond at most.",
            json_schema_extra={"pattern": _CANONICAL_INSTANT.pattern},
        ),
    ],
)


def require_distinct(codes: Sequence[str], *, field: str) -> None:
    """Refuse a person who is named twice.

    Raises:
        PydanticCustomError: Names *field* and how many are there twice.
    """
    doubled = len(codes) - len(set(codes))
    if doubled:
        raise broken_rule(f"{field} names {doubled} of {len(codes)} persons twice; name each once")


def _distinct(codes: list[str]) -> list[str]:
    require_distinct(codes, field="resident_codes")
    return codes


ResidentCodes = Annotated[
    list[ResidentCode],
    Field(min_length=1, max_length=PERSONS_MAX, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_distinct),
]
_Item = TypeVar("_Item")
Persons = Annotated[list[_Item], Field(min_length=1, max_length=PERSONS_MAX)]


def _date_rules(schema: dict[str, Any]) -> None:
    """Say in JSON Schema which parts each kind of date has."""
    absent = {"type": "null"}
    forms = {
        DateKind.EXACT: r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        DateKind.MONTH: r"^[0-9]{4}-(0[1-9]|1[0-2])$",
        DateKind.YEAR: r"^[0-9]{4}$",
    }
    rules: list[dict[str, Any]] = []
    for kind in DateKind:
        then: dict[str, Any] = {"properties": {"value": absent}}
        if kind in forms:
            value = {"type": "string", "pattern": forms[kind]}
            then = {"required": ["value"], "properties": {"value": value}}
        if kind is DateKind.EXACT:
            then["properties"]["value"]["format"] = "date"
            then["properties"]["text"] = absent
        if kind is DateKind.TEXT:
            then["required"] = ["text"]
            then["properties"]["text"] = {"type": "string"}
        rules.append({"if": {"properties": {"kind": {"const": kind.value}}}, "then": then})
    schema["allOf"] = rules


class RegisterDate(Record):
    """A date as the register holds it: exact, in part, unknown, or only in words.

    Nominal dates that no calendar has (29 February of a common year) are of kind `text`.
    """

    model_config = ConfigDict(json_schema_extra=_date_rules)

    kind: DateKind
    """How much is known."""
    value: Annotated[str, Field(max_length=10)] | None = None
    """exact: YYYY-MM-DD, month: YYYY-MM, year: YYYY (Gregorian); else missing."""
    text: Annotated[str, _text_schema(DATE_TEXT_GRAPHEMES_MAX, f"One line. {_PLAIN}")] | None = None
    """The register's words (令和元年頃, 年月日不詳): always with text, never with exact."""

    @model_validator(mode="after")
    def _is_a_date(self) -> Self:
        try:
            PartialDate(self.kind, self.value, self.text)
        except RejectedError as cause:
            raise refused_by(cause) from None
        return self

    @classmethod
    def of(cls, day: date | PartialDate) -> Self:
        """Return a day, or whatever is known of one."""
        if isinstance(day, PartialDate):
            return cls(kind=day.kind, value=day.value, text=day.text)
        return cls(kind=DateKind.EXACT, value=day.isoformat())

    @property
    def exact(self) -> date | None:
        """The day, where it is known."""
        if self.kind is not DateKind.EXACT or self.value is None:
            return None
        return date.fromisoformat(self.value)

    @property
    def partial(self) -> PartialDate:
        """The same as a value of `jukinet_mq.text`."""
        return PartialDate(self.kind, self.value, self.text)
