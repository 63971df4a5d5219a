"""The business events, one JSON object each, told apart by `event`; and how one is read.

Reading one checks all that needs neither the day nor the database; `filings.check_event`
checks the day, `filings.file_events` the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from jukinet_mq import strict_json
from jukinet_mq.envelope import SIZE_MAX
from jukinet_mq.errors import MalformedBodyError, RejectedError
from jukinet_mq.messages.parsing import refusal
from jukinet_mq.nodes import directory
from jukinet_mq.producers.card_filed import CardMoveInFiled, CardMoveOutFiled
from jukinet_mq.producers.filed import Filed, IdentityUpdateFiled, MoveFiled, MovingPerson

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "ADAPTER",
    "EVENTS",
    "EVENT_SIZE_MAX",
    "CardMoveInFiled",
    "CardMoveOutFiled",
    "Event",
    "Filed",
    "IdentityUpdateFiled",
    "MoveFiled",
    "MovingPerson",
    "read_event",
]

EVENT_SIZE_MAX: Final = SIZE_MAX
"""Bytes of one event's JSON text; what does not fit an envelope need not be read."""

Event = IdentityUpdateFiled | MoveFiled | CardMoveOutFiled | CardMoveInFiled
EVENTS: Final[tuple[type[Event], ...]] = (
    IdentityUpdateFiled,
    MoveFiled,
    CardMoveOutFiled,
    CardMoveInFiled,
)
_NAMES: Final = tuple(str(kind.model_fields["event"].default) for kind in EVENTS)
ADAPTER: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def read_event(content: bytes | str | Mapping[str, Any]) -> Event:
    """Return the event that a JSON text, or a mapping of the same shape, holds.

    Raises:
        MalformedBodyError: No such event, a field that is wrong, or JSON that two readers could
            read as two things; names the fields.
        CheckDigitError: A code does not have its check digit.
        UnacceptableTextError: A text holds what may not stand in it.
        ImpossibleDateError: A date that no calendar has, or dates in the wrong order.
        UnknownNodeError: No municipality has one of the codes.
        WardIsNotANodeError: The filing's place is a ward.
        SameMunicipalityError: A move that ends where it began.
    """
    try:
        data = _text_of(content)
        strict_json.read(data, size_max=EVENT_SIZE_MAX)
        event = ADAPTER.validate_json(data)
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)) from None
    except ValueError as error:
        raise MalformedBodyError(f"the event cannot be read: {error}") from None
    event.check_places(directory())
    return event


def _text_of(content: bytes | str | Mapping[str, Any]) -> bytes:
    if isinstance(content, bytes):
        return content
    try:
        return content.encode() if isinstance(content, str) else orjson.dumps(content)
    except TypeError as error:
        raise MalformedBodyError(
            f"the event cannot be written as JSON in UTF-8 ({error}); give text, numbers, "
            "dates, lists and mappings only"
        ) from None


def _refused(findings: Sequence[ErrorDetails]) -> RejectedError:
    if findings[0]["type"].startswith("union_tag"):
        return MalformedBodyError(f"event: expected one of {', '.join(_NAMES)}", field="event")
    # The first part of each place is the union's: the event's own name.
    name = str(findings[0]["loc"][0]) if findings[0]["loc"] else "event"
    for finding in findings:
        finding["loc"] = finding["loc"][1:]
    return refusal(findings, title=name)
