"""What a municipality does with notices and requests of others (Act 9, 15-3, 24-2; Order 13)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple, cast
from uuid import UUID

from jukinet_mq.clock import today_in_japan
from jukinet_mq.consumers.handlers.certificates import receive_certificates
from jukinet_mq.consumers.handlers.holdings import compare_holdings
from jukinet_mq.consumers.handlers.receipts import receive_receipts
from jukinet_mq.consumers.handlers.resends import resend
from jukinet_mq.consumers.results import Done, Handlers, Park, Result, Retry, Workplace
from jukinet_mq.messages import (
    HoldingsAnswer,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    MoveOutConfirmation,
    ReceiptNotice,
    ResendRequest,
)
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import certificates, relocation
from jukinet_mq.store.certificates import Question
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.relocation import ConfirmedMoveOut, MoveOut


class Notice(NamedTuple):
    """A move-in notice and what orders it among others."""

    node: NodeCode
    message_id: UUID
    time: datetime
    body: MoveInNotice

    @property
    def order(self) -> tuple[datetime, UUID]:
        """The latest notice wins."""
        return (self.time, self.message_id)


Placed = dict[tuple[str, NodeCode, UUID], ConfirmedMoveOut]


async def confirm_move_outs(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Mark who really moved out, with the right destination, and tell the prefecture.

    The latest notice wins whatever the order of arrival; one that says nothing new changes
    nothing and is not passed on. A notice of tomorrow, from a clock ahead, is tried again.
    """
    notices = [_notice(arrival) for arrival in arrivals]
    today = today_in_japan(tx.at)
    timely = [notice for notice in notices if notice.body.moved_in_on <= today]
    known = await relocation.move_outs(
        tx, [(person.resident_code, n.node) for n in timely for person in n.body.persons]
    )
    placed = place(known, timely)
    await relocation.confirm_move_outs(tx, placed.values())
    effective = {(row.node, row.notice_id) for row in placed.values()}
    await work.outgoing.publish(
        tx,
        [
            _confirmation(arrival, notice, tx.at)
            for arrival, notice in zip(arrivals, notices, strict=True)
            if (notice.node, notice.message_id) in effective
        ],
    )
    return [
        Done() if notice.body.moved_in_on <= today else Retry("date_impossible")
        for notice in notices
    ]


def place(known: Iterable[MoveOut], notices: Iterable[Notice]) -> Placed:
    """Say which row each resident's latest notice belongs to.

    A notice belongs to the row that its own filing has confirmed before, else to the planned
    move-out that still waits for one and lies nearest, else to a new row.
    """
    rows: defaultdict[tuple[str, NodeCode], list[MoveOut]] = defaultdict(list)
    for each in known:
        rows[each.resident_code, each.node].append(each)
    placed: Placed = {}
    # Latest first: what comes after it for the same row is stale.
    for notice in sorted(notices, key=lambda n: n.order, reverse=True):
        for person in notice.body.persons:
            resident = (person.resident_code, notice.node)
            others = rows[resident]
            row = _row_of(others, notice) or MoveOut(*resident, notice.body.group_id, None)
            if row.notice_order is None or row.notice_order < notice.order:
                placed[(*resident, row.event_id)] = _confirmed(row, notice)
                taken = replace(row, notice_group=notice.body.group_id, notice_order=notice.order)
                rows[resident] = [taken, *(other for other in others if other is not row)]
    return placed


def _row_of(rows: Sequence[MoveOut], notice: Notice) -> MoveOut | None:
    for row in rows:
        if row.notice_group == notice.body.group_id:
            return row
    planned = [
        (abs(row.planned_on - notice.body.moved_in_on), row.event_id, row)
        for row in rows
        if row.planned_on is not None and row.notice_order is None
    ]
    return min(planned)[2] if planned else None


def _confirmed(row: MoveOut, notice: Notice) -> ConfirmedMoveOut:
    return ConfirmedMoveOut(
        resident_code=row.resident_code,
        node=row.node,
        event_id=row.event_id,
        notice_group=notice.body.group_id,
        notice_id=notice.message_id,
        notice_time=notice.time,
        moved_out_on=notice.body.moved_in_on,
        area=notice.body.new_area_code,
        address=notice.body.new_address,
    )


def _notice(arrival: Arrival) -> Notice:
    header = arrival.envelope.header
    body = cast("MoveInNotice", arrival.envelope.body)
    return Notice(arrival.node, header.id, header.time, body)


def _confirmation(arrival: Arrival, notice: Notice, at: datetime) -> Draft:
    body = notice.body
    return Draft(
        sender=arrival.node,
        recipient=directory().prefecture_of(arrival.node).code,
        body=MoveOutConfirmation(
            notice_id=notice.message_id,
            resident_codes=[person.resident_code for person in body.persons],
            former_area_code=body.former_area_code,
            new_area_code=body.new_area_code,
            moved_out_on=body.moved_in_on,
            notice_received_on=today_in_japan(at),
        ),
        time=at,
        event_id=arrival.envelope.header.event_id,
    )


async def answer_requests(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Say certificates again, with the same items, to whoever has the filing (Act 24-2(6)).

    A request for somebody whom no certificate names is parked: a person must look.
    """
    requests = [cast("MoveOutCertificateRequest", a.envelope.body) for a in arrivals]
    contents = await certificates.issued(
        tx, [Question(a.node, r.resident_codes) for a, r in zip(arrivals, requests, strict=True)]
    )
    await work.outgoing.publish(
        tx,
        [
            _answer(arrival, content, tx.at)
            for arrival, content in zip(arrivals, contents, strict=True)
            if content is not None
        ],
    )
    return [Park("certificate_not_issued") if content is None else Done() for content in contents]


def _answer(request: Arrival, content: str, at: datetime) -> Draft:
    header = request.envelope.header
    certificate = MoveOutCertificate.model_validate_json(content)
    return Draft(
        sender=request.node,
        recipient=header.sender,
        body=certificate.model_copy(update={"request_id": header.id}),
        time=at,
        event_id=header.event_id,
    )


HANDLERS: Final[Handlers] = {
    MoveInNotice.kind: confirm_move_outs,
    MoveOutCertificate.kind: receive_certificates,
    MoveOutCertificateRequest.kind: answer_requests,
    ReceiptNotice.kind: receive_receipts,
    ResendRequest.kind: resend,
    HoldingsAnswer.kind: compare_holdings,
}
