"""Dates as registers really hold them: exact, in part, unknown, or only in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, assert_never

from jukinet_mq.errors import ImpossibleDateError, UnacceptableTextError
from jukinet_mq.text.fields import check_free_text

DATE_TEXT_GRAPHEMES_MAX: Final = 100

DAY_MIN: Final = date(1800, 1, 1)
"""No register has an earlier day, not even of the birth of somebody long dead."""
DAY_MAX: Final = date(2199, 12, 31)
"""Later ones are mistyped, or mean "never", for which a field is left out."""
YEAR_PATTERN: Final = "(1[89]|2[01])[0-9]{2}"
"""The years from DAY_MIN to DAY_MAX, as published schemas say it."""

_FORMS: Final = {
    "exact": (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "YYYY-MM-DD"),
    "month": (re.compile(r"[0-9]{4}-[0-9]{2}"), "YYYY-MM"),
    "year": (re.compile(r"[0-9]{4}"), "YYYY"),
}


class DateKind(StrEnum):
    """How much of a date is known."""

    EXACT = "exact"
    UNKNOWN = "unknown"
    YEAR = "year"
    MONTH = "month"
    TEXT = "text"


_KINDS: Final = {kind.value: kind for kind in DateKind}


@dataclass(frozen=True, slots=True)
class PartialDate:
    """
    A date of the register; one that breaks these rules cannot be made.

    Nominal dates that no calendar has (29 February of a common year, 30 July of Meiji 45)
    are kept as TEXT, in the register's words.

    Attributes:
        kind: How much is known.
        value: EXACT: `YYYY-MM-DD`, in the calendar; MONTH: `YYYY-MM`; YEAR: `YYYY`; else None.
        text: The register's words (令和元年頃, 年月日不詳): always with TEXT, never with
            EXACT, allowed with the others.
    """

    kind: DateKind
    value: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        _verify(self.kind, self.value, self.text, field="date")

    @classmethod
    def read(
        cls, *, kind: str, value: str | None = None, text: str | None = None, field: str
    ) -> PartialDate:
        """Build from the parts of a body.

        Raises:
            ImpossibleDateError: The parts make no date; names *field*.
            UnacceptableTextError: What may not stand in the words.
        """
        known = _KINDS.get(kind)
        if known is None:
            expected = ", ".join(_KINDS)
            raise ImpossibleDateError(
                f"{field}: unknown kind of date; expected {expected}", field=field
            )
        try:
            return cls(known, value, text)
        except (ImpossibleDateError, UnacceptableTextError):
            _verify(known, value, text, field=field)  # once more, to name the field
            raise

    @classmethod
    def exact(cls, day: date) -> PartialDate:
        """Return a day that is known."""
        return cls(DateKind.EXACT, day.isoformat())

    @classmethod
    def in_month(cls, year: int, month: int, text: str | None = None) -> PartialDate:
        """Return a date of which year and month are known."""
        return cls(DateKind.MONTH, f"{year:04d}-{month:02d}", text)

    @classmethod
    def in_year(cls, year: int, text: str | None = None) -> PartialDate:
        """Return a date of which the year is known."""
        return cls(DateKind.YEAR, f"{year:04d}", text)

    @classmethod
    def unknown(cls, text: str | None = None) -> PartialDate:
        """Return a date of which nothing is known."""
        return cls(DateKind.UNKNOWN, None, text)

    @classmethod
    def in_words(cls, text: str) -> PartialDate:
        """Return a date that only the register's words can say."""
        return cls(DateKind.TEXT, None, text)

    def not_after(self, day: date, *, field: str) -> PartialDate:
        """Return the date itself unless it surely lies after *day*.

        A month or year that *day* lies in passes, as do UNKNOWN and TEXT.

        Raises:
            ImpossibleDateError: It lies after *day*.
        """
        match self.kind:
            case DateKind.EXACT | DateKind.MONTH | DateKind.YEAR:
                # ISO dates sort as text, their beginnings too.
                value = self.value or ""
                later = value > day.isoformat()[: len(value)]
            case DateKind.UNKNOWN | DateKind.TEXT:
                later = False
            case _:
                assert_never(self.kind)
        if later:
            raise ImpossibleDateError(
                f"{field}: lies after {day}, in the future; expected that day or earlier",
                field=field,
            )
        return self


def _verify(kind: DateKind, value: str | None, text: str | None, *, field: str) -> None:
    problem = _problem(kind, value, text)
    if problem is not None:
        raise ImpossibleDateError(f"{field}: {problem}", field=field)
    if text is not None:
        check_free_text(text, field=f"{field}.text", graphemes_max=DATE_TEXT_GRAPHEMES_MAX)


def _problem(kind: DateKind, value: str | None, text: str | None) -> str | None:
    match kind:
        case DateKind.EXACT:
            if text is not None:
                return "an exact date has no words beside it; use kind text for words"
            return _problem_of_value(kind, value)
        case DateKind.MONTH | DateKind.YEAR:
            return _problem_of_value(kind, value)
        case DateKind.UNKNOWN:
            return None if value is None else "an unknown date has no value"
        case DateKind.TEXT:
            if value is not None:
                return "a date in words has no value"
            return "a date in words needs its text" if text is None else None
        case _:
            assert_never(kind)


def _problem_of_value(kind: DateKind, value: str | None) -> str | None:
    pattern, form = _FORMS[kind]
    if value is None or pattern.fullmatch(value) is None:
        return f"a date of kind {kind} needs a value of the form {form}"
    try:
        day = date.fromisoformat(value + "YYYY-01-01"[len(value) :])
    except ValueError:
        return (
            "no calendar has this date; if the register holds it so (a nominal date), "
            "use kind text with the register's words"
        )
    return problem_of_day(day)


def problem_of_day(day: date) -> str | None:
    """Say that *day* lies outside the days that a register can have; None if it does not."""
    if DAY_MIN <= day <= DAY_MAX:
        return None
    return f"lies outside the days that a register can have; expected {DAY_MIN} to {DAY_MAX}"
