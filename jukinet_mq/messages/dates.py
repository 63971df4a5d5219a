"""A date of the register as bodies carry it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from jukinet_mq.errors import RejectedError
from jukinet_mq.messages.body import Record, refused_by
from jukinet_mq.messages.fields import PLAIN_TEXT, text_schema
from jukinet_mq.text import DateKind, PartialDate
from jukinet_mq.text.dates import DATE_TEXT_GRAPHEMES_MAX, YEAR_PATTERN

_Words = Annotated[str, text_schema(DATE_TEXT_GRAPHEMES_MAX, f"One line. {PLAIN_TEXT}")]


def _date_rules(schema: dict[str, Any]) -> None:
    """Say in JSON Schema which parts each kind of date has."""
    absent = {"type": "null"}
    forms = {
        DateKind.EXACT: rf"^{YEAR_PATTERN}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        DateKind.MONTH: rf"^{YEAR_PATTERN}-(0[1-9]|1[0-2])$",
        DateKind.YEAR: rf"^{YEAR_PATTERN}$",
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
    """exact: YYYY-MM-DD, month: YYYY-MM, year: YYYY (Gregorian, 1800 to 2199); else missing."""
    text: _Words | None = None
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
