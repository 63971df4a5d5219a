"""The closed list of change reasons (異動事由) and the event class of each.

Rule for Enforcement art. 11 lists the 20 reasons, Order for Enforcement art. 30-5 the five
classes. The numeric codes of the real network are not public; these keys are our own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class EventClass(StrEnum):
    """What happened to the entry (Order art. 30-5 items 1 to 5)."""

    ADD = "add"
    DELETE = "delete"
    CORRECT_FOUR = "correct_four"
    CORRECT_INDIVIDUAL_NUMBER = "correct_individual_number"
    CORRECT_RESIDENT_CODE = "correct_resident_code"


class ChangeReason(StrEnum):
    """Why it happened (Rule art. 11)."""

    DOMESTIC_MOVE_IN = "domestic_move_in"
    OVERSEAS_MOVE_IN_ETC = "overseas_move_in_etc"
    BIRTH = "birth"
    EX_OFFICIO_ADD_NATURALIZATION = "ex_officio_add_naturalization"
    EX_OFFICIO_ADD_NATIONALITY_LOSS = "ex_officio_add_nationality_loss"
    EX_OFFICIO_ADD = "ex_officio_add"
    DOMESTIC_MOVE_OUT = "domestic_move_out"
    OVERSEAS_MOVE_OUT = "overseas_move_out"
    DEATH = "death"
    EX_OFFICIO_DELETE_NATURALIZATION = "ex_officio_delete_naturalization"
    EX_OFFICIO_DELETE_NATIONALITY_LOSS = "ex_officio_delete_nationality_loss"
    EX_OFFICIO_DELETE = "ex_officio_delete"
    MOVE_WITHIN = "move_within"
    MINOR_CORRECTION = "minor_correction"
    EX_OFFICIO_CORRECT = "ex_officio_correct"
    IN_CHANGE_REQUEST = "in_change_request"
    IN_EX_OFFICIO_CORRECT = "in_ex_officio_correct"
    IN_EX_OFFICIO_ADD = "in_ex_officio_add"
    RC_CHANGE_REQUEST = "rc_change_request"
    RC_EX_OFFICIO = "rc_ex_officio"

    @property
    def event_class(self) -> EventClass:
        """The only class that this reason may stand with."""
        return _REASONS[self].event_class

    @property
    def japanese(self) -> str:
        """The reason's name in the Rule."""
        return _REASONS[self].japanese

    @property
    def item(self) -> str:
        """Paragraph and item of Rule art. 11, for example `1-3`."""
        return _REASONS[self].item

    @classmethod
    def of(cls, event_class: EventClass) -> tuple[ChangeReason, ...]:
        """Return the reasons of a class in the Rule's order."""
        return tuple(reason for reason in cls if reason.event_class is event_class)


class _Reason(NamedTuple):
    event_class: EventClass
    item: str
    japanese: str


_REASONS: Final = {
    ChangeReason.DOMESTIC_MOVE_IN: _Reason(EventClass.ADD, "1-1", "国内転入"),
    ChangeReason.OVERSEAS_MOVE_IN_ETC: _Reason(EventClass.ADD, "1-2", "国外転入等"),
    ChangeReason.BIRTH: _Reason(EventClass.ADD, "1-3", "出生"),
    ChangeReason.EX_OFFICIO_ADD_NATURALIZATION: _Reason(
        EventClass.ADD, "1-4", "職権記載等（帰化等）"
    ),
    ChangeReason.EX_OFFICIO_ADD_NATIONALITY_LOSS: _Reason(
        EventClass.ADD, "1-5", "職権記載等（国籍喪失）"
    ),
    ChangeReason.EX_OFFICIO_ADD: _Reason(EventClass.ADD, "1-6", "職権記載等"),
    ChangeReason.DOMESTIC_MOVE_OUT: _Reason(EventClass.DELETE, "2-1", "国内転出"),
    ChangeReason.OVERSEAS_MOVE_OUT: _Reason(EventClass.DELETE, "2-2", "国外転出"),
    ChangeReason.DEATH: _Reason(EventClass.DELETE, "2-3", "死亡"),
    ChangeReason.EX_OFFICIO_DELETE_NATURALIZATION: _Reason(
        EventClass.DELETE, "2-4", "職権消除等（帰化等）"
    ),
    ChangeReason.EX_OFFICIO_DELETE_NATIONALITY_LOSS: _Reason(
        EventClass.DELETE, "2-5", "職権消除等（国籍喪失）"
    ),
    ChangeReason.EX_OFFICIO_DELETE: _Reason(EventClass.DELETE, "2-6", "職権消除等"),
    ChangeReason.MOVE_WITHIN: _Reason(EventClass.CORRECT_FOUR, "3-1", "転居"),
    ChangeReason.MINOR_CORRECTION: _Reason(EventClass.CORRECT_FOUR, "3-2", "軽微な修正"),
    ChangeReason.EX_OFFICIO_CORRECT: _Reason(EventClass.CORRECT_FOUR, "3-3", "職権修正等"),
    ChangeReason.IN_CHANGE_REQUEST: _Reason(
        EventClass.CORRECT_INDIVIDUAL_NUMBER, "4-1", "個人番号の変更請求"
    ),
    ChangeReason.IN_EX_OFFICIO_CORRECT: _Reason(
        EventClass.CORRECT_INDIVIDUAL_NUMBER, "4-2", "個人番号の職権修正"
    ),
    ChangeReason.IN_EX_OFFICIO_ADD: _Reason(
        EventClass.CORRECT_INDIVIDUAL_NUMBER, "4-3", "個人番号の職権記載等"
    ),
    ChangeReason.RC_CHANGE_REQUEST: _Reason(
        EventClass.CORRECT_RESIDENT_CODE, "5-1", "住民票コードの変更請求"
    ),
    ChangeReason.RC_EX_OFFICIO: _Reason(
        EventClass.CORRECT_RESIDENT_CODE, "5-2", "住民票コードの職権記載等"
    ),
}
