"""What a destination does with a move-out certificate: hold it, or complete who waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

from jukinet_mq import telemetry
from jukinet_mq.clock import latest_today_in_japan, today_in_japan
from jukinet_mq.consumers.results import Done, Result, Workplace
from jukinet_mq.errors import RejectedError
from jukinet_mq.messages import MoveOutCertificate
from jukinet_mq.nodes import directory
from jukinet_mq.producers.drafting import completed
from jukinet_mq.producers.effects import already_used, require_in_time
from jukinet_mq.producers.events import CardMoveInFiled
from jukinet_mq.producers.outgoing import Outgoing
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import certificates, filings
from jukinet_mq.store.certificates import (
    ArrivedCertificate,
    CertificateState,
    Claim,
    Group,
    KnownCertificate,
)
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.filings import FilingEnd, FilingState, WaitingFiling
from jukinet_mq.store.inbox import Arrival, Key
from jukinet_mq.store.relocation import EventKey


async def receive_certificates(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Hold certificates for their filings, or complete the filings that wait for them.

    The latest of a move-out takes the place of those before it. One that is past its last day
    and serves no filing is erased in the same transaction (Act 24-2(4)).
    """
    ordered = sorted(arrivals, key=_order)
    waiting = await filings.waiting(
        tx, [Claim(a.node, a.envelope.header.sender, _codes(a)) for a in ordered]
    )
    known = await certificates.groups(tx, {_group(a) for a in ordered})
    intake = _Intake(known, work.outgoing, tx.at)
    for arrival, filed in zip(ordered, waiting, strict=True):
        intake.take(arrival, filed)
    await certificates.replace(tx, intake.replaced)
    await certificates.take_in(tx, list(intake.arrived.values()))
    await filings.end(tx, list(intake.ends.values()))
    await work.outgoing.publish(tx, intake.drafts)
    today = today_in_japan(tx.at)
    late = {a.key.node for a in intake.arrived.values() if a.erase_after < today}
    if late:
        await certificates.erase_due(tx, late, today)
    for end in intake.ends.values():
        if end.state is FilingState.REFUSED:
            telemetry.emit(
                telemetry.FILING_REFUSED,
                node=end.key.node,
                event_id=str(end.key.event_id),
                message_id=str(end.certificate_id),
                reason=end.reason,
            )
    return [Done()] * len(arrivals)


@dataclass(slots=True)
class _Intake:
    """Decides about certificates one after the other, in the order of their events."""

    known: dict[Group, list[KnownCertificate]]
    outgoing: Outgoing
    at: datetime
    arrived: dict[Key, ArrivedCertificate] = field(default_factory=dict)
    replaced: list[Key] = field(default_factory=list)
    ends: dict[EventKey, FilingEnd] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)

    def take(self, arrival: Arrival, waiting: Sequence[WaitingFiling]) -> None:
        """Hold *arrival*'s certificate, use it, or see that a better one was here before."""
        group = _group(arrival)
        others = self.known[group]
        order = _order(arrival)
        if any(o.state is CertificateState.USED or o.order > order for o in others):
            self._note(arrival, CertificateState.REPLACED, {})
            return
        used = {code: filing for o in others for code, filing in o.used.items()}
        persons = {code: used.get(code) for code in _codes(arrival)}
        for filing in waiting:
            if filing.key not in self.ends:
                self._complete(arrival, filing, persons)
        for other in others:
            self._replace(other)
        everybody = all(persons.values())
        state = CertificateState.USED if everybody else CertificateState.HELD
        self._note(arrival, state, persons)
        filed = {code: filing for code, filing in persons.items() if filing is not None}
        self.known[group] = [*others, KnownCertificate(arrival.key, order, state, filed)]

    def _complete(
        self, arrival: Arrival, waiting: WaitingFiling, persons: dict[str, UUID | None]
    ) -> None:
        """End a filing that waits; *persons* learns who has filed by it."""
        certificate_id = arrival.envelope.header.id
        try:
            drafts = self._drafts(arrival, waiting, persons)
        except RejectedError as error:
            self.ends[waiting.key] = FilingEnd(
                waiting.key, FilingState.REFUSED, certificate_id, error.reason
            )
            return
        self.drafts += drafts
        self.ends[waiting.key] = FilingEnd(waiting.key, FilingState.DONE, certificate_id)
        codes = CardMoveInFiled.model_validate_json(waiting.content).resident_codes
        persons |= dict.fromkeys(codes, waiting.key.event_id)

    def _drafts(
        self, arrival: Arrival, waiting: WaitingFiling, persons: dict[str, UUID | None]
    ) -> list[Draft]:
        event = CardMoveInFiled.model_validate_json(waiting.content)
        certificate = _body(arrival)
        if any(persons.get(code) for code in event.resident_codes):
            raise already_used()
        require_in_time(event, certificate.planned_on)
        drafts = completed(
            event,
            certificate,
            arrival.envelope.header.id,
            directory(),
            filed_at=waiting.filed_at,
            at=self.at,
        )
        for draft in drafts:
            self.outgoing.check(draft, today=latest_today_in_japan(self.at))
        return drafts

    def _replace(self, other: KnownCertificate) -> None:
        if other.state is not CertificateState.HELD:
            return
        mine = self.arrived.get(other.key)
        if mine is None:
            self.replaced.append(other.key)
        else:
            self.arrived[other.key] = replace(
                mine, state=CertificateState.REPLACED, body=None, persons={}
            )

    def _note(
        self, arrival: Arrival, state: CertificateState, persons: dict[str, UUID | None]
    ) -> None:
        body = _body(arrival)
        self.arrived[arrival.key] = ArrivedCertificate(
            key=arrival.key,
            group_id=body.group_id,
            event_time=arrival.envelope.header.time,
            planned_on=body.planned_on,
            erase_after=body.erase_on,
            state=state,
            body=body.dump_json().decode() if state is CertificateState.HELD else None,
            persons=persons,
        )


def _body(arrival: Arrival) -> MoveOutCertificate:
    return cast("MoveOutCertificate", arrival.envelope.body)


def _codes(arrival: Arrival) -> list[str]:
    return [person.resident_code for person in _body(arrival).persons]


def _group(arrival: Arrival) -> Group:
    return Group(_body(arrival).group_id, arrival.node, arrival.envelope.header.sender)


def _order(arrival: Arrival) -> tuple[datetime, UUID]:
    return (arrival.envelope.header.time, arrival.envelope.header.id)
