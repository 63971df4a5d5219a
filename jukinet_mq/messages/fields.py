"""The field types that bodies are made of, each with what its JSON Schema can say of it.

A schema cannot count grapheme clusters or compute check digits: there it is as strict as a
pattern and a length in code points allow, and the description says what else is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Final, Protocol, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    GetPydanticSchema,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

from jukinet_mq import nodes, text
from jukinet_mq.errors import CheckDigitError, ImpossibleDateError, RejectedError
from jukinet_mq.identifiers import validate_individual_number, validate_resident_code
from jukinet_mq.messages.body import broken_rule, refused_by
from jukinet_mq.text.dates import DAY_MAX, DAY_MIN, YEAR_PATTERN, problem_of_day
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


def text_schema(graphemes_max: int, description: str, **more: str) -> WithJsonSchema:
    """Return the schema of a text whose clusters are counted; *more* are further keywords."""
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


def _check_day(day: date) -> date:
    problem = problem_of_day(day)
    if problem is not None:
        raise refused_by(ImpossibleDateError(problem))
    return day


_INSTANT_MIN: Final = datetime.combine(DAY_MIN, time.min, UTC)
_INSTANT_MAX: Final = datetime.combine(DAY_MAX, time.max, UTC)


def in_utc(instant: datetime) -> datetime:
    """Return *instant*, which has an offset, in UTC.

    Raises:
        PydanticCustomError: It lies outside the days that `Day` allows. At the ends of Python's
            calendar it could not be converted.
    """
    if not _INSTANT_MIN <= instant <= _INSTANT_MAX:
        raise refused_by(
            ImpossibleDateError(f"expected an instant between {DAY_MIN} and {DAY_MAX}")
        )
    return instant.astimezone(UTC)


# Pydantic alone would also take `{...}` and `urn:uuid:...`, and a number of seconds as an
# instant. Said in its core's own terms, since a Python function here took 3 µs a field.
_ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_INSTANT_PATTERN: Final = (
    rf"^{YEAR_PATTERN}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,6}})?Z$"
)


def _spelled(pattern: str, value: CoreSchema, *, in_python: CoreSchema) -> GetPydanticSchema:
    """Let JSON hold *value* in the one spelling of *pattern*, Python only the type itself."""
    spelled = core_schema.chain_schema([core_schema.str_schema(pattern=pattern), value])
    return GetPydanticSchema(
        lambda _source, _handler: core_schema.json_or_python_schema(spelled, in_python)
    )


PLAIN_TEXT: Final = (
    "Never normalised. Refused: control, invisible, bidirectional, unassigned and private use "
    "characters, variation selectors that do not follow a kanji, placeholders (U+FFFC, U+FFFD, "
    "U+3013, U+303E), radicals and strokes, ideographic descriptions, and marks that NFC would "
    "join with the character before them."
)

Name = TypeAliasType(
    "Name",
    Annotated[
        str,
        _checked(text.check_name),
        text_schema(text.NAME_GRAPHEMES_MAX, f"Register characters, IVS included. {PLAIN_TEXT}"),
    ],
)
Furigana = TypeAliasType(
    "Furigana",
    Annotated[
        str,
        _checked(text.check_furigana),
        text_schema(
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
        text_schema(
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
        text_schema(
            text.NAME_GRAPHEMES_MAX,
            "ASCII letters, apostrophe, hyphen, period, single spaces.",
            pattern=r"^(?=.*[A-Za-z])[A-Za-z'.-]+( [A-Za-z'.-]+)*$",
        ),
    ],
)
Address = TypeAliasType(
    "Address",
    Annotated[
        str, _checked(text.check_address), text_schema(text.ADDRESS_GRAPHEMES_MAX, PLAIN_TEXT)
    ],
)
Relationship = TypeAliasType(
    "Relationship",
    Annotated[
        str, _checked(_check_relationship), text_schema(RELATIONSHIP_GRAPHEMES_MAX, PLAIN_TEXT)
    ],
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
Day = TypeAliasType(
    "Day",
    Annotated[
        date,
        AfterValidator(_check_day),
        WithJsonSchema(
            {
                "type": "string",
                "format": "date",
                "pattern": f"^{YEAR_PATTERN}-",
                "description": f"A day of Japan's calendar, from {DAY_MIN} to {DAY_MAX}.",
            }
        ),
    ],
)
Id = TypeAliasType(
    "Id",
    Annotated[
        UUID,
        _spelled(
            _ID_PATTERN,
            core_schema.uuid_schema(strict=False),
            in_python=core_schema.uuid_schema(strict=True),
        ),
        WithJsonSchema(
            {
                "type": "string",
                "format": "uuid",
                "pattern": _ID_PATTERN,
                "description": "UUID in lower case with hyphens; a UUIDv7 when made here.",
            }
        ),
    ],
)
Instant = TypeAliasType(
    "Instant",
    Annotated[
        datetime,
        _spelled(
            _INSTANT_PATTERN,
            core_schema.datetime_schema(strict=False, tz_constraint="aware"),
            in_python=core_schema.no_info_after_validator_function(
                in_utc,
                core_schema.datetime_schema(strict=True, tz_constraint="aware"),
            ),
        ),
        WithJsonSchema(
            {
                "type": "string",
                "format": "date-time",
                "pattern": _INSTANT_PATTERN,
                "description": "RFC 3339 in UTC, ending in Z, to the microsecond at most; "
                "years 1800 to 2199.",
            }
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
