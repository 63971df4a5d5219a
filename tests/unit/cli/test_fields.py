from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jukinet_mq.cli import fields
from jukinet_mq.producers.events import (
    EVENTS,
    CardMoveOutFiled,
    IdentityUpdateFiled,
    MoveFiled,
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the path of every value in a JSON mapping; a date of the register is one value."""
    if isinstance(value, dict) and "kind" not in value:
        return {leaf for name, below in value.items() for leaf in leaves(below, (*path, name))}
    if isinstance(value, list) and value and isinstance(value[0], dict) and path[-1] == "persons":
        return leaves(value[0], (*path, "*"))
    return {path}


@pytest.mark.parametrize("model", EVENTS)
def test_every_field_of_an_event_has_an_option(model: Any) -> None:
    """What an example says can be said with options, for each event there is."""
    said = leaves(model.example().model_dump(mode="json", exclude_none=True)) - {("event",)}

    assert set() == said - {option.path for option in fields.options_of(model)}


@pytest.mark.parametrize("model", EVENTS)
def test_options_are_as_many_as_the_fields(model: type[BaseModel]) -> None:
    """No field of a model, nor of its parts, is without an option."""
    paths = {option.path for option in fields.options_of(model)}
    names = set(model.model_fields) - {"event"}

    assert names == {path[0] for path in paths}


def test_options_make_the_event_that_they_say() -> None:
    """One person's options stand in the list of persons; parts are put together."""
    options = fields.options_of(CardMoveOutFiled)

    content = fields.content_of(
        options,
        {
            "name": "髙橋 花子",
            "birth_date": "1994-04",
            "card_issued_on": "2023-05-08",
            "child_allowance": False,
            "planned_on": "2026-03-28",
        },
    )

    assert {
        "persons": [
            {
                "name": "髙橋 花子",
                "birth_date": {"kind": "month", "value": "1994-04"},
                "card": {"issued_on": "2023-05-08"},
                "child_allowance": False,
            }
        ],
        "planned_on": "2026-03-28",
    } == content


def test_household_is_a_json_list() -> None:
    """Several persons come as one value."""
    content = fields.content_of(fields.options_of(MoveFiled), {"persons": '[{"name": "甲"}]'})

    assert {"persons": [{"name": "甲"}]} == content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1994-04-12", {"kind": "exact", "value": "1994-04-12"}),
        ("1994-04", {"kind": "month", "value": "1994-04"}),
        ("1994", {"kind": "year", "value": "1994"}),
        ("1994/平成六年頃", {"kind": "year", "value": "1994", "text": "平成六年頃"}),
        ("unknown", {"kind": "unknown"}),
        ("/年月日不詳", {"kind": "text", "text": "年月日不詳"}),
    ],
)
def test_dates_of_the_register_are_read(text: str, expected: dict[str, str]) -> None:
    """Each form that a register knows has a way to be written."""
    assert expected == fields.read_register_date(text)


@pytest.mark.parametrize("text", ["", "12.4.1994", "1994-4-12", "H6.4.12", "1994-04-12T00:00"])
def test_other_dates_are_refused_with_the_forms_that_there_are(text: str) -> None:
    """The option is named, what was typed is not repeated as a value."""
    with pytest.raises(typer.BadParameter, match=r"--birth-date: expected YYYY-MM-DD"):
        fields.content_of(fields.options_of(MoveFiled), {"birth_date": text})


def test_instant_may_have_any_offset() -> None:
    """Counters write their own time; the event holds UTC."""
    assert "2026-03-28T01:15:00Z" == fields.read_instant("2026-03-28T10:15:00+09:00")
    with pytest.raises(ValueError, match="offset"):
        fields.read_instant("2026-03-28T10:15:00")


@given(
    at=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 - an offset is added
    minutes=st.integers(-23 * 60, 23 * 60),
    seconds=st.sampled_from(["auto", "minutes", "seconds", "microseconds"]),
)
def test_any_instant_with_an_offset_is_read_as_that_instant(
    at: datetime, minutes: int, seconds: str
) -> None:
    """Every date, time and offset means the same instant in UTC, however many places it has."""
    written = at.replace(tzinfo=timezone(timedelta(minutes=minutes))).isoformat(timespec=seconds)

    read = fields.read_instant(written)

    assert read.endswith("Z")
    assert datetime.fromisoformat(written) == datetime.fromisoformat(read).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-28T24:00:00+09:00",
        "20260328T1015+0900",
        "2026-W13-6T10:15+09:00",
        "2026-03-28T10:15:00,5Z",
        "2026-03-28T10:15:00.1234567Z",
        "2026-03-28T10:15:00+09:00:30",
        "2026-03-28#10:15:00Z",
        "２０２６-03-28T10:15:00Z",
        "2026-03-28T10:15:00Z\n",
    ],
)
def test_form_of_an_instant_that_not_every_python_reads_alike_is_refused(text: str) -> None:
    """What is an instant does not depend on the Python version that reads it."""
    with pytest.raises(ValueError, match="expected an instant such as"):
        fields.read_instant(text)


def test_one_update_needs_no_prefix() -> None:
    """Who files an update names its fields as they are."""
    content = fields.content_of(fields.options_of(IdentityUpdateFiled), {"address": "一丁目"})

    assert {"update": {"address": "一丁目"}} == content
