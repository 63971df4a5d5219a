"""Business event to drafts: pure, and the only place that knows which envelopes an event makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, TypeVar, assert_never
from uuid import UUID

from pydantic import ValidationError

from jukinet_mq.clock import SKEW_MAX, latest_today_in_japan, today_in_japan
from jukinet_mq.errors import CertificateMismatchError, ImpossibleDateError
from jukinet_mq.messages import (
    Body,
    CertifiedPerson,
    ChangeReason,
    IdentityUpdate,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    Person,
    RegisterDate,
    RequestReason,
)
from jukinet_mq.messages.parsing import refusal
from jukinet_mq.messages.rules import area_node
from jukinet_mq.nodes import Directory, NodeCode
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    Filed,
    IdentityUpdateFiled,
    MoveFiled,
    MovingPerson,
)
from jukinet_mq.producers.publisher import Draft

CertainEvent = IdentityUpdateFiled | MoveFiled | CardMoveOutFiled
"""The events whose envelopes follow from the event alone."""

_PERSON_FIELDS = tuple(Person.model_fields)
_BodyT = TypeVar("_BodyT", bound=Body)


def time_of(event: Filed, at: datetime) -> datetime:
    """Return the instant that orders the event's updates, in UTC.

    Raises:
        ImpossibleDateError: It lies further after *at* than keepers believe: an update dated
            ahead would win over every later one of the same resident.
    """
    if event.occurred_at is None:
        return at
    if event.occurred_at > at + SKEW_MAX:
        raise ImpossibleDateError(
            f"occurred_at: lies more than {SKEW_MAX.total_seconds():.0f} s ahead of this machine's "
            "clock; leave it out for what happens now, and check both clocks",
            field="occurred_at",
        )
    return event.occurred_at.astimezone(UTC)


def drafts_of(event: CertainEvent, directory: Directory, at: datetime) -> list[Draft]:
    """Return the envelopes of *event*, in the order in which they must be published.

    A card move-out's last one is its certificate.

    Args:
        event: As `read_event` gives it.
        directory: Who takes part.
        at: The instant of publishing, aware UTC.

    Raises:
        RejectedError: As `read_event`, for rules between the event and the bodies.
    """
    time = time_of(event, at)
    match event:
        case IdentityUpdateFiled():
            bodies: list[tuple[NodeCode, Body]] = [(_above(event, directory), event.update)]
        case MoveFiled():
            bodies = _move(event, directory, at)
        case CardMoveOutFiled():
            bodies = _card_move_out(event, directory)
        case _:
            assert_never(event)
    return _drafts(event, time, bodies, at=at)


def completed(
    event: CardMoveInFiled,
    certificate: MoveOutCertificate,
    certificate_id: UUID,
    directory: Directory,
    *,
    filed_at: datetime,
    at: datetime,
) -> list[Draft]:
    """Return what a card-based move-in says once its certificate is there.

    Args:
        event: The filing.
        certificate: What the former municipality certified; names everybody of the filing.
        certificate_id: Its envelope.
        directory: Who takes part.
        filed_at: When *event* was filed here; its instant where it names none itself.
        at: The instant of publishing.

    Raises:
        CertificateMismatchError: The certificate does not name everybody.
        RejectedError: What the two say does not go together.
    """
    certified = {person.resident_code: person for person in certificate.persons}
    if missing := [code for code in event.resident_codes if code not in certified]:
        raise CertificateMismatchError(
            f"certificate {certificate_id} does not name {len(missing)} of "
            f"{len(event.resident_codes)} persons of the filing; file those it names"
        )
    persons = [certified[code] for code in event.resident_codes]
    above = _above(event, directory)
    bodies: list[tuple[NodeCode, Body]] = [
        (above, _arrival_of(event, person)) for person in persons
    ]
    notice = _made(
        MoveInNotice,
        group_id=event.event_id,
        persons=[_plain(person) for person in persons],
        former_address=certificate.former_address,
        former_area_code=certificate.former_area_code,
        new_address=event.new_address,
        new_area_code=event.new_area_code,
        moved_in_on=event.moved_in_on,
        filed_on=event.filed_on,
        noticed_on=_noticed(event.filed_on, at),
        family_register_notice_needed=event.family_register_notice_needed,
        certificate_id=certificate_id,
    )
    return _drafts(event, time_of(event, filed_at), [*bodies, (event.former, notice)], at=at)


def request_of(event: CardMoveInFiled, reason: RequestReason, at: datetime) -> Draft:
    """Return the request for the certificate that *event* lacks (Act 24-2(5))."""
    body = _made(
        MoveOutCertificateRequest,
        reason=reason,
        resident_codes=event.resident_codes,
        former_area_code=event.former_area_code,
        new_area_code=event.new_area_code,
        filed_on=event.filed_on,
    )
    return _drafts(event, time_of(event, at), [(event.former, body)], at=at)[0]


def certificate_of(event: CardMoveOutFiled) -> MoveOutCertificate:
    """Return the certificate of a card-based move-out."""
    return _made(
        MoveOutCertificate,
        group_id=event.event_id,
        persons=event.persons,
        household_head=event.household_head,
        former_address=event.former_address,
        former_area_code=event.former_area_code,
        planned_address=event.planned_address,
        planned_area_code=event.planned_area_code,
        planned_on=event.planned_on,
        filed_on=event.filed_on,
    )


def _move(event: MoveFiled, directory: Directory, at: datetime) -> list[tuple[NodeCode, Body]]:
    above = _above(event, directory)
    notice = _made(
        MoveInNotice,
        group_id=event.event_id,
        persons=[_plain(person) for person in event.persons],
        former_address=event.former_address,
        former_area_code=event.former_area_code,
        new_address=event.new_address,
        new_area_code=event.new_area_code,
        moved_in_on=event.moved_in_on,
        filed_on=event.filed_on,
        noticed_on=_noticed(event.filed_on, at),
        family_register_notice_needed=event.family_register_notice_needed,
    )
    former = area_node(event.former_area_code, field="former_area_code").code
    return [*((above, _arrival_of(event, person)) for person in event.persons), (former, notice)]


def _card_move_out(event: CardMoveOutFiled, directory: Directory) -> list[tuple[NodeCode, Body]]:
    above = _above(event, directory)
    destination = area_node(event.planned_area_code, field="planned_area_code").code
    return [
        *((above, _departure_of(event, person)) for person in event.persons),
        (destination, certificate_of(event)),
    ]


def _arrival_of(
    event: MoveFiled | CardMoveInFiled, person: MovingPerson | CertifiedPerson
) -> IdentityUpdate:
    reason = ChangeReason.DOMESTIC_MOVE_IN
    return _made(
        IdentityUpdate,
        **_values(person),
        event_class=reason.event_class,
        reason=reason,
        event_date=RegisterDate.of(event.moved_in_on),
        address=event.new_address,
        area_code=event.new_area_code,
        individual_number=person.individual_number,
    )


def _departure_of(event: CardMoveOutFiled, person: CertifiedPerson) -> IdentityUpdate:
    """The values of the deleted entry, with the planned day (Act 30-6(1), Order 13(1))."""
    reason = ChangeReason.DOMESTIC_MOVE_OUT
    return _made(
        IdentityUpdate,
        **_values(person),
        event_class=reason.event_class,
        reason=reason,
        event_date=RegisterDate.of(event.planned_on),
        address=event.former_address,
        area_code=event.former_area_code,
        individual_number=person.individual_number,
    )


def _drafts(
    event: Filed, time: datetime, bodies: list[tuple[NodeCode, Body]], *, at: datetime
) -> list[Draft]:
    return [
        Draft(
            sender=event.node,
            recipient=recipient,
            body=body,
            time=time,
            event_id=event.event_id,
            # What has waited for its certificate keeps the instant of its filing.
            dated_here=event.occurred_at is None and time == at,
        )
        for recipient, body in bodies
    ]


def _above(event: Filed, directory: Directory) -> NodeCode:
    return directory.prefecture_of(event.node).code


def _noticed(filed_on: date, at: datetime) -> date:
    """The day of the notice is today, or that of a filing by a clock that is a little ahead.

    A filing of tomorrow is refused by its own name.
    """
    latest = latest_today_in_japan(at)
    if filed_on > latest:
        raise ImpossibleDateError(
            f"filed_on: lies after {latest}, in the future; expected that day or earlier",
            field="filed_on",
        )
    return max(filed_on, today_in_japan(at))


def _plain(person: Person) -> Person:
    """Only what every notice about persons carries: numbers and cards stay behind."""
    return Person(**_values(person))


def _values(person: Person) -> dict[str, Any]:
    return {name: getattr(person, name) for name in _PERSON_FIELDS}


def _made(body: Callable[..., _BodyT], **values: object) -> _BodyT:
    try:
        return body(**values)
    except ValidationError as error:
        raise refusal(error.errors(include_url=False), title=error.title) from None
