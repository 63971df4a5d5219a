"""What one filed event leads to besides its envelopes: decided here, written by `filings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from jukinet_mq.clock import latest_today_in_japan
from jukinet_mq.errors import (
    CardPrivilegeLostError,
    CertificateMismatchError,
    CertificateUsedError,
)
from jukinet_mq.messages import ChangeReason, MoveOutCertificate, RequestReason
from jukinet_mq.messages.rules import require_not_ahead
from jukinet_mq.nodes import directory
from jukinet_mq.producers.drafting import (
    CertainEvent,
    certificate_of,
    completed,
    drafts_of,
    request_of,
)
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    IdentityUpdateFiled,
    MoveFiled,
)
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store.certificates import FoundCertificate, IssuedCertificate, Use
from jukinet_mq.store.filings import Filing, FilingState
from jukinet_mq.store.inbox import Key
from jukinet_mq.store.relocation import EventKey, PlannedMoveOut


@dataclass(frozen=True, slots=True)
class Effects:
    """What one event leads to."""

    drafts: Sequence[Draft]
    planned: Sequence[PlannedMoveOut] = ()
    issued: Sequence[IssuedCertificate] = ()
    filing: Filing | None = None
    uses: Sequence[Use] = ()


def certain_effects(event: CertainEvent, at: datetime) -> Effects:
    """Return what an event leads to that needs nothing from the database; raises as `drafts_of`."""
    drafts = drafts_of(event, directory(), at)
    match event:
        case CardMoveOutFiled():
            return Effects(drafts, planned=_planned(event), issued=[_issued(event, drafts[-1])])
        case IdentityUpdateFiled():
            return Effects(drafts, planned=_planned_by_update(event))
        case MoveFiled():
            return Effects(drafts)
        case _:
            assert_never(event)


def _planned(event: CardMoveOutFiled) -> list[PlannedMoveOut]:
    return [
        PlannedMoveOut(
            resident_code=person.resident_code,
            node=event.node,
            event_id=event.event_id,
            planned_on=event.planned_on,
            area=event.planned_area_code,
            address=event.planned_address,
        )
        for person in event.persons
    ]


def _planned_by_update(event: IdentityUpdateFiled) -> list[PlannedMoveOut]:
    """A move-out filed with paper: the update names its day and not its destination."""
    planned_on = event.update.event_date.exact
    if event.update.reason is not ChangeReason.DOMESTIC_MOVE_OUT or planned_on is None:
        return []
    return [PlannedMoveOut(event.update.resident_code, event.node, event.event_id, planned_on)]


def _issued(event: CardMoveOutFiled, draft: Draft) -> IssuedCertificate:
    return IssuedCertificate(
        group_id=event.event_id,
        node=event.node,
        recipient=draft.recipient,
        message_id=draft.id,
        planned_on=event.planned_on,
        resident_codes=[person.resident_code for person in event.persons],
        content=certificate_of(event).dump_json().decode(),
    )


def check_card_move_in(event: CardMoveInFiled, at: datetime) -> None:
    """Refuse days that have not come, or a filing that is too late in any case.

    Raises:
        ImpossibleDateError: The move or the filing lies ahead.
        CardPrivilegeLostError: Too late after moving in, or after the planned day if it is said.
    """
    today = latest_today_in_japan(at)
    require_not_ahead(event.moved_in_on, today=today, field="moved_in_on")
    require_not_ahead(event.filed_on, today=today, field="filed_on")
    require_in_time(event, event.planned_on)


def require_in_time(event: CardMoveInFiled, planned_on: date | None) -> None:
    """Refuse a filing for which the card no longer replaces the paper.

    Raises:
        CardPrivilegeLostError: Says which limits there are.
    """
    if event.filed_on > event.last_day(planned_on):
        raise CardPrivilegeLostError(
            "filed_on: lies more than 14 days after moving in or 30 after the planned day; the "
            "card no longer replaces the paper certificate (Order art. 24-2): ask for the paper "
            "and file a move",
            field="filed_on",
        )


def choose(event: CardMoveInFiled, found: Sequence[FoundCertificate]) -> FoundCertificate | None:
    """Return the certificate that *event* uses, or None where one must be asked for.

    Args:
        event: The filing.
        found: Certificates here that name any of its persons, latest first.

    Raises:
        CardPrivilegeLostError: It was filed too late for its certificate.
        CertificateUsedError: Somebody of it has filed with the certificate before.
        CertificateMismatchError: No one certificate names all its persons.
    """
    wanted = frozenset(event.resident_codes)
    for certificate in found:
        if certificate.body is not None and wanted <= certificate.unused:
            require_in_time(event, certificate.planned_on)
            return certificate
    if any(c.used and event.filed_on <= c.erase_after for c in found):
        raise already_used()
    if any(c.unused for c in found):
        raise CertificateMismatchError(
            "resident_codes: no one certificate held here names all of them; file together "
            "only those who stand on one certificate",
            field="resident_codes",
        )
    return None


def already_used() -> CertificateUsedError:
    """Return the refusal of a second filing with one certificate."""
    return CertificateUsedError(
        "resident_codes: somebody named has already filed with this certificate; look at the "
        "earlier filing, and file a correction if it was wrong",
        field="resident_codes",
    )


def completing(event: CardMoveInFiled, certificate: FoundCertificate, at: datetime) -> Effects:
    """Return the effects of a card-based move-in that uses *certificate*."""
    key = Key(certificate.message_id, event.node, event.former)
    body = MoveOutCertificate.model_validate_json(certificate.body or "")
    return Effects(
        completed(event, body, key.message_id, directory(), filed_at=at, at=at),
        filing=Filing(
            EventKey(event.event_id, event.node),
            event.former,
            FilingState.DONE,
            certificate_id=key.message_id,
        ),
        uses=[Use(key, code, event.event_id) for code in event.resident_codes],
    )


def asking(event: CardMoveInFiled, at: datetime, *, was_erased: bool) -> Effects:
    """Return the effects of a card-based move-in that lacks its certificate (Act 24-2(5))."""
    reason = RequestReason.ERASED if was_erased else RequestReason.NEVER_RECEIVED
    return Effects(
        [request_of(event, reason, at)],
        filing=Filing(
            EventKey(event.event_id, event.node),
            event.former,
            FilingState.WAITING,
            resident_codes=event.resident_codes,
            content=event.model_dump_json(exclude_none=True),
        ),
    )
