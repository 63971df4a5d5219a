"""JSON to body: the one place where pydantic's errors become ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from jukinet_mq import strict_json
from jukinet_mq.errors import ImpossibleDateError, MalformedBodyError, RejectedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic_core import ErrorDetails

    from jukinet_mq.messages.body import Body
    from jukinet_mq.messages.catalogue import Kind

FINDINGS_MAX: Final = 8
"""An error text names no more fields than this; a body can be wrong in thousands of places."""

_HARMLESS_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CALENDAR_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_ERRORS: Final = frozenset({"date_parsing", "date_from_datetime_parsing"})
_INSTANT_ERRORS: Final = frozenset({"datetime_parsing", "datetime_from_date_parsing"})


def parse_body(kind: Kind, data: bytes | str) -> Body:
    """Return the body that *data*, a JSON text, holds.

    Guarantees every rule of the kind that needs neither the header nor the day; for those
    see `Body.check_route` and `Body.check_dates`.

    Raises:
        CheckDigitError: A number of a person does not have its check digit.
        UnacceptableTextError: A text holds what may not stand in it.
        ImpossibleDateError: A date that no calendar has, or one before the birth.
        MalformedBodyError: Anything else; the text names fields and rules, never values.
    """
    text = data.encode() if isinstance(data, str) else data
    try:
        strict_json.read(text)
        return kind.body.model_validate_json(text)
    except ValidationError as error:
        title = f"{kind.name} v{kind.version}"
        raise refusal(error.errors(include_url=False), title=title) from None
    except ValueError as error:
        raise MalformedBodyError(f"{kind.name} v{kind.version}: {error}") from None


def build_body(kind: Kind, content: Mapping[str, Any] | bytes | str) -> Body:
    """Return the body of a JSON text or of a mapping of the same shape.

    A mapping may hold dates, UUIDs and enum members as well as their texts.

    Raises:
        RejectedError: As `parse_body`.
    """
    if isinstance(content, bytes | str):
        return parse_body(kind, content)
    try:
        data = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    except TypeError as error:
        raise MalformedBodyError(
            f"{kind.name}: the content cannot be written as JSON in UTF-8 ({error}); "
            "give text, numbers, dates, lists and mappings only"
        ) from None
    return parse_body(kind, data)


def refusal(findings: Sequence[ErrorDetails], *, title: str) -> RejectedError:
    """Return the precise error where every finding is of one class, else the general one.

    Args:
        findings: What pydantic found, at least one thing.
        title: What was read; the text begins with it.
    """
    causes = [_cause(finding) for finding in findings]
    classes = {MalformedBodyError if cause is None else type(cause) for cause in causes}
    only = causes[0] if len(causes) == 1 else None
    facts = {} if only is None else only.facts
    said = "; ".join(
        f"{_path(finding)}: {_said(finding, cause)}"
        for finding, cause in zip(findings[:FINDINGS_MAX], causes, strict=False)
    )
    more = len(findings) - FINDINGS_MAX
    error_class = classes.pop() if len(classes) == 1 else MalformedBodyError
    return error_class(
        f"{title}: {said}" + (f"; and {more} more" if more > 0 else ""),
        **{**facts, "field": _path(findings[0])},
    )


def _cause(finding: ErrorDetails) -> RejectedError | None:
    """Return the error of ours that a finding is, if it is one."""
    cause = finding.get("ctx", {}).get("cause")
    if isinstance(cause, RejectedError):
        return cause
    if finding["type"] in _DAY_ERRORS and _CALENDAR_DAY.fullmatch(str(finding["input"])):
        return ImpossibleDateError("no calendar has this day")
    if finding["type"] in _INSTANT_ERRORS:
        return ImpossibleDateError("no calendar has this instant")
    return None


def _said(finding: ErrorDetails, cause: RejectedError | None) -> str:
    """Return what is wrong, without the field's bare name that our own checks begin with."""
    if cause is None:
        return finding["msg"]
    return str(cause).removeprefix(f"{cause.facts.get('field')}: ")


def _path(finding: ErrorDetails) -> str:
    """Return where the finding is; a name that the sender made up may be somebody's."""
    parts = [str(part) for part in finding["loc"]]
    if finding["type"] == "extra_forbidden" and not _HARMLESS_NAME.fullmatch(parts[-1]):
        parts[-1] = "(unknown field)"
    return ".".join(parts) or "body"
