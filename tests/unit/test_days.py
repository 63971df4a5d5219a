"""Every day and instant of every body and form: in the range, or refused and nothing worse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel

from jukinet_mq.cli.fields import _bare, _item
from jukinet_mq.errors import ImpossibleDateError, RejectedError
from jukinet_mq.messages import CATALOGUE, Kind, RegisterDate, parse_body
from jukinet_mq.nodes import directory
from jukinet_mq.producers.effects import certain_effects
from jukinet_mq.producers.events import (
    EVENTS,
    CardMoveInFiled,
    Event,
    IdentityUpdateFiled,
    read_event,
)
from jukinet_mq.producers.filings import check_event
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.text.dates import DAY_MAX, DAY_MIN
from jukinet_mq.trust import SigningKey, TrustStore

Path = tuple[str | int, ...]

few = settings(max_examples=25)
"""There are fifty fields; each is tried with a few days, and the ends of the range among them."""

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
PUBLISHER = Publisher(directory(), trust=TrustStore, signing_key=lambda *_: SigningKey.generate())
DAY = timedelta(days=1)
outside = (
    st.sampled_from([date.min, DAY_MIN - DAY, DAY_MAX + DAY, date.max])
    | st.dates(max_value=DAY_MIN - DAY)
    | st.dates(min_value=DAY_MAX + DAY)
)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
instants = st.datetimes(timezones=offsets) | st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=9))),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-1))),
    ]
)


def places(model: type[BaseModel], content: dict[str, Any], wanted: object) -> Iterator[Path]:
    """Yield where *model* has a field of type *wanted*, also where *content* leaves it out."""
    for name, field in model.model_fields.items():
        bare = _bare(field.annotation)
        item = _item(bare)
        values: dict[Path, Any] = {(name,): content.get(name)}
        if item is not None:
            values = {(name, n): value for n, value in enumerate(content.get(name, ()))}
        for path, value in values.items():
            part = item or bare
            if part is wanted:
                yield path
            elif isinstance(part, type) and issubclass(part, BaseModel) and value:
                yield from ((*path, *rest) for rest in places(part, value, wanted))


def changed(content: Any, path: Path, value: object) -> Any:
    """Return *content* with another value at *path*."""
    if not path:
        return value
    made: Any = list(content) if isinstance(content, list) else dict(content)
    made[path[0]] = changed(made[path[0]] if path[1:] else None, path[1:], value)
    return made


def text_of(content: dict[str, Any]) -> bytes:
    """Return *content* as JSON text."""
    return orjson.dumps(content)


def content_of(model: BaseModel) -> dict[str, Any]:
    """Return a body or an event as a client would write it."""
    return model.model_dump(mode="json", exclude_none=True)


def cases(*wanted: object) -> list[Any]:
    """Return every body and form with each place of a *wanted* field in it."""
    bodies = [(kind, kind.body.example()) for kind in CATALOGUE]
    forms = [(kind, kind.example()) for kind in EVENTS]
    return [
        pytest.param(kind, content_of(example), path, id=f"{type(example).__name__}-{path[-1]}")
        for kind, example in [*bodies, *forms]
        for one in wanted
        for path in places(type(example), content_of(example), one)
    ]


def read(kind: Kind | type[Event], content: dict[str, Any]) -> None:
    """Read a body, or file an event as far as that goes without a database."""
    if isinstance(kind, Kind):
        parse_body(kind, text_of(content)).check_dates(today=NOW.date())
        return
    event = read_event(text_of(content))
    check_event(event, PUBLISHER, at=NOW)
    if not isinstance(event, CardMoveInFiled):
        certain_effects(event, NOW)


def refusal(kind: Kind | type[Event], content: dict[str, Any]) -> RejectedError | None:
    """Return with what `read` refuses *content*, if it does."""
    try:
        read(kind, content)
    except RejectedError as error:
        return error
    return None


def test_there_are_days_everywhere() -> None:
    """The search finds the fields that it is for, inside persons and cards too."""
    found = {case.id for case in cases(date, RegisterDate, datetime, AwareDatetime)}

    assert {
        "CardMoveOutFiled-planned_on",
        "MoveOutCertificate-expires_on",
        "MoveOutCertificate-deleted_on",
        "MoveFiled-birth_date",
        "IdentityUpdateFiled-event_date",
        "CardMoveInFiled-occurred_at",
        "IdentityForward-forwarded_at",
    } <= found


@pytest.mark.parametrize(("kind", "content", "path"), cases(date))
@few
@given(day=outside)
def test_day_that_no_register_has_is_impossible_in_every_field(
    kind: Kind | type[Event], content: dict[str, Any], path: Path, day: date
) -> None:
    """Whatever form or body it stands in, a far day is refused as such, by its field."""
    with pytest.raises(ImpossibleDateError, match=str(path[-1])):
        read(kind, changed(content, path, day.isoformat()))


@pytest.mark.parametrize(("kind", "content", "path"), cases(RegisterDate))
@pytest.mark.parametrize(("form", "length"), [("exact", 10), ("month", 7), ("year", 4)])
@few
@given(day=outside)
def test_register_date_that_no_register_has_is_impossible(
    kind: Kind | type[Event], content: dict[str, Any], path: Path, form: str, length: int, day: date
) -> None:
    """Days, months and years that are known only in part have the same range."""
    value = {"kind": form, "value": day.isoformat()[:length]}

    with pytest.raises(ImpossibleDateError, match=str(path[-1])):
        read(kind, changed(content, path, value))


@pytest.mark.parametrize(("kind", "content", "path"), cases(date, RegisterDate))
@few
@given(day=st.dates() | st.dates(date(2025, 1, 1), date(2027, 1, 1)))
def test_any_day_in_any_field_is_taken_or_refused(
    kind: Kind | type[Event], content: dict[str, Any], path: Path, day: date
) -> None:
    """No day of the calendar makes anything fail that is no refusal."""
    value: Any = day.isoformat()
    if path[-1] in {"birth_date", "event_date"}:
        value = {"kind": "exact", "value": value}
    refused = refusal(kind, changed(content, path, value))

    assert refused is None or refused.exit_code == 65


@pytest.mark.parametrize(("kind", "content", "path"), cases(datetime, AwareDatetime))
@few
@given(instant=instants)
def test_any_instant_in_any_field_is_taken_or_refused(
    kind: Kind | type[Event], content: dict[str, Any], path: Path, instant: datetime
) -> None:
    """Instants at the ends of the calendar, which have no equal in UTC, are refused too."""
    refused = refusal(kind, changed(content, path, instant.isoformat()))

    assert refused is None or str(path[-1]) in str(refused)


@pytest.mark.parametrize("occurred_at", ["0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-01:00"])
def test_instant_that_utc_does_not_have_is_impossible(occurred_at: str) -> None:
    """It is refused as the date that it is, not as a failure of this program."""
    content = content_of(IdentityUpdateFiled.example()) | {"occurred_at": occurred_at}

    with pytest.raises(ImpossibleDateError, match="occurred_at"):
        read_event(text_of(content))
