"""Which values of an identity update go together, in words of code and of JSON Schema.

Sources: Act art. 30-6, Order art. 30-5, Rule art. 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jukinet_mq.messages.body import broken_rule
from jukinet_mq.messages.person import NAME_RULES
from jukinet_mq.messages.reasons import ChangeReason, EventClass

if TYPE_CHECKING:
    from pydantic_core import PydanticCustomError

    from jukinet_mq.messages.identity import IdentityUpdate

FILED_MOVE_OUTS: Final = frozenset({ChangeReason.DOMESTIC_MOVE_OUT, ChangeReason.OVERSEAS_MOVE_OUT})
"""Their event date is the planned day that the filing names (Act art. 24), so it may lie ahead."""

NUMBER_NEEDED: Final = frozenset(
    {ChangeReason.DOMESTIC_MOVE_IN, *ChangeReason.of(EventClass.CORRECT_INDIVIDUAL_NUMBER)}
)
"""Elsewhere the individual number may be missing while none has been designated yet."""

PREVIOUS_NUMBER_NEEDED: Final = frozenset(
    {ChangeReason.IN_CHANGE_REQUEST, ChangeReason.IN_EX_OFFICIO_CORRECT}
)
"""What is changed existed; `in_ex_officio_add` may be the first designation."""

PREVIOUS_CODE_NEEDED: Final = frozenset({ChangeReason.RC_CHANGE_REQUEST})


def broken(update: IdentityUpdate) -> PydanticCustomError | None:
    """Return the first rule that *update* breaks, or None."""
    reason = update.reason
    if reason.event_class is not update.event_class:
        return broken_rule(
            f"reason {reason.value} belongs to event_class {reason.event_class.value}, "
            f"not to {update.event_class.value} (Rule art. 11)"
        )
    if update.individual_number is None and reason in NUMBER_NEEDED:
        return broken_rule(f"individual_number is missing; {reason.value} needs it")
    if reason in FILED_MOVE_OUTS and update.event_date.exact is None:
        return broken_rule(
            f"event_date of {reason.value} is the planned day of moving out; it must be exact"
        )
    return _broken_previous_number(update) or _broken_previous_code(update)


def _broken_previous_number(update: IdentityUpdate) -> PydanticCustomError | None:
    """Order art. 30-5 item 4."""
    previous = update.previous_individual_number
    if previous is None:
        if update.reason in PREVIOUS_NUMBER_NEEDED:
            return broken_rule(
                f"previous_individual_number is missing; {update.reason.value} needs it"
            )
    elif update.event_class is not EventClass.CORRECT_INDIVIDUAL_NUMBER:
        return broken_rule(
            "previous_individual_number is for correct_individual_number only "
            "(Order art. 30-5 item 4)"
        )
    elif previous == update.individual_number:
        return broken_rule("previous_individual_number equals individual_number")
    return None


def _broken_previous_code(update: IdentityUpdate) -> PydanticCustomError | None:
    """Order art. 30-5 item 5."""
    previous = update.previous_resident_code
    if previous is None:
        if update.reason in PREVIOUS_CODE_NEEDED:
            return broken_rule(f"previous_resident_code is missing; {update.reason.value} needs it")
    elif update.event_class is not EventClass.CORRECT_RESIDENT_CODE:
        return broken_rule(
            "previous_resident_code is for correct_resident_code only (Order art. 30-5 item 5)"
        )
    elif previous == update.resident_code:
        return broken_rule("previous_resident_code equals resident_code")
    return None


def schema_rules(schema: dict[str, Any]) -> None:
    """Say the same in JSON Schema, but for the inequality of old and new numbers."""
    needs = {
        "individual_number": NUMBER_NEEDED,
        "previous_individual_number": PREVIOUS_NUMBER_NEEDED,
        "previous_resident_code": PREVIOUS_CODE_NEEDED,
    }
    exact = {"properties": {"event_date": {"properties": {"kind": {"const": "exact"}}}}}
    schema["allOf"] = [
        *NAME_RULES,
        *(_class_rule(event_class) for event_class in EventClass),
        *(_needed(field, reasons) for field, reasons in needs.items()),
        {"if": _reason_in(FILED_MOVE_OUTS), "then": exact},
    ]


def _class_rule(event_class: EventClass) -> dict[str, Any]:
    reasons = [reason.value for reason in ChangeReason.of(event_class)]
    allowed: dict[str, Any] = {"reason": {"enum": reasons}}
    if event_class is not EventClass.CORRECT_INDIVIDUAL_NUMBER:
        allowed["previous_individual_number"] = {"type": "null"}
    if event_class is not EventClass.CORRECT_RESIDENT_CODE:
        allowed["previous_resident_code"] = {"type": "null"}
    return {
        "if": {"properties": {"event_class": {"const": event_class.value}}},
        "then": {"properties": allowed},
    }


def _needed(field: str, reasons: frozenset[ChangeReason]) -> dict[str, Any]:
    return {
        "if": _reason_in(reasons),
        "then": {"required": [field], "properties": {field: {"type": "string"}}},
    }


def _reason_in(reasons: frozenset[ChangeReason]) -> dict[str, Any]:
    return {"properties": {"reason": {"enum": [r.value for r in ChangeReason if r in reasons]}}}
