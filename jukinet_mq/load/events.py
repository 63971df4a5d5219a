"""What the sampler draws, and how the publisher wants to read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias, assert_never
from uuid import UUID

from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.load.people import Household, Resident
from jukinet_mq.messages import ChangeReason, EventClass
from jukinet_mq.nodes import Area, directory


@dataclass(frozen=True, slots=True)
class Change:
    """One entry was added, deleted or corrected: a single identity update.

    Attributes:
        event_id: UUIDv7.
        reason: Why.
        area: Where the entry is; in a designated city its ward.
        address: In that area.
        resident: Whose entry.
        on: The day of the event; of a move-out, the planned one.
        previous: Synthetic number that the corrected one replaces.
    """

    event_id: UUID
    reason: ChangeReason
    area: Area
    address: str
    resident: Resident
    on: date
    previous: int | None = None


@dataclass(frozen=True, slots=True)
class Relocation:
    """The facts of a move between two municipalities.

    Attributes:
        origin: Former area; in a designated city the ward.
        destination: New area, likewise.
        household: Who moves.
        former_address: In *origin*.
        new_address: In *destination*, as planned and as it came.
        filed_out_on: Filing of the move-out.
        planned_on: Planned day of moving out, never before that filing.
        moved_in_on: Day of moving in, at most 29 days after the planned one.
        filed_in_on: Filing of the move-in, not before it.
    """

    origin: Area
    destination: Area
    household: Household
    former_address: str
    new_address: str
    filed_out_on: date
    planned_on: date
    moved_in_on: date
    filed_in_on: date


@dataclass(frozen=True, slots=True)
class PaperMove:
    """A move-in filed with a paper certificate.

    Attributes:
        event_id: UUIDv7.
        relocation: What is filed.
        follows: The last of the updates that deleted the entries at the former municipality;
            they must have been published before.
    """

    event_id: UUID
    relocation: Relocation
    follows: UUID


@dataclass(frozen=True, slots=True)
class CardMoveOut:
    """A move-out filed with a card.

    Attributes:
        event_id: UUIDv7.
        relocation: What is filed.
    """

    event_id: UUID
    relocation: Relocation


@dataclass(frozen=True, slots=True)
class CardMoveIn:
    """The move-in of the same people.

    Attributes:
        event_id: UUIDv7.
        relocation: What is filed.
        follows: Their move-out, whose certificate should have come before this is filed; else
            the destination asks for it.
    """

    event_id: UUID
    relocation: Relocation
    follows: UUID


SampledEvent: TypeAlias = Change | PaperMove | CardMoveOut | CardMoveIn


def follows(event: SampledEvent) -> UUID | None:
    """Return the event that must come before, if there is one."""
    match event:
        case PaperMove() | CardMoveIn():
            return event.follows
        case Change() | CardMoveOut():
            return None
        case _:
            assert_never(event)


def as_mapping(event: SampledEvent) -> dict[str, Any]:
    """Return *event* as a JSON mapping that `producers.events.read_event` accepts."""
    match event:
        case Change():
            return _change(event)
        case PaperMove():
            return _paper_move(event)
        case CardMoveOut():
            return _card_move_out(event)
        case CardMoveIn():
            return _card_move_in(event)
        case _:
            assert_never(event)


def _change(event: Change) -> dict[str, Any]:
    resident, reason = event.resident, event.reason
    update = resident.person() | {
        "event_class": reason.event_class.value,
        "reason": reason.value,
        "event_date": {"kind": "exact", "value": event.on.isoformat()},
        "address": event.address,
        "area_code": event.area.code,
    }
    if reason is not ChangeReason.BIRTH:  # the number is designated after the entry
        update["individual_number"] = resident.individual_number
    if event.previous is not None:
        if reason.event_class is EventClass.CORRECT_RESIDENT_CODE:
            update["previous_resident_code"] = synthetic_resident_code(event.previous)
        else:
            update["previous_individual_number"] = synthetic_individual_number(event.previous)
    return {**_filed("identity-update", event.event_id, event.area), "update": update}


def _paper_move(event: PaperMove) -> dict[str, Any]:
    move = event.relocation
    persons = [
        resident.person() | {"individual_number": resident.individual_number}
        for resident in move.household.members
    ]
    return {
        **_filed("move", event.event_id, move.destination),
        **_filed_in(move),
        "persons": persons,
        "former_address": move.former_address,
    }


def _card_move_out(event: CardMoveOut) -> dict[str, Any]:
    move = event.relocation
    persons = [
        resident.certified_person(recorded_in=move.origin.code)
        for resident in move.household.members
    ]
    return {
        **_filed("card-move-out", event.event_id, move.origin),
        "persons": persons,
        "household_head": move.household.head,
        "former_address": move.former_address,
        "former_area_code": move.origin.code,
        "planned_address": move.new_address,
        "planned_area_code": move.destination.code,
        "planned_on": move.planned_on.isoformat(),
        "filed_on": move.filed_out_on.isoformat(),
    }


def _card_move_in(event: CardMoveIn) -> dict[str, Any]:
    move = event.relocation
    return {
        **_filed("card-move-in", event.event_id, move.destination),
        **_filed_in(move),
        "resident_codes": [resident.resident_code for resident in move.household.members],
        "planned_on": move.planned_on.isoformat(),
    }


def _filed(event: str, event_id: UUID, area: Area) -> dict[str, Any]:
    return {
        "event": event,
        "event_id": str(event_id),
        "municipality": directory().route(area.code).code,
    }


def _filed_in(move: Relocation) -> dict[str, Any]:
    """Return what both kinds of move-in have."""
    members = move.household.members
    return {
        "former_area_code": move.origin.code,
        "new_address": move.new_address,
        "new_area_code": move.destination.code,
        "moved_in_on": move.moved_in_on.isoformat(),
        "filed_on": move.filed_in_on.isoformat(),
        "family_register_notice_needed": any(resident.domicile for resident in members),
    }
