"""Filing business events: whatever an event leads to, in the caller's transaction.

Filing is idempotent per (event id, municipality): the second time nothing is published and
nothing is written, and the outcome says so. Another event under an id already used is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from jukinet_mq.clock import latest_today_in_japan
from jukinet_mq.errors import EventReusedError, RejectedError
from jukinet_mq.messages import RequestReason
from jukinet_mq.nodes import directory
from jukinet_mq.producers.drafting import drafts_of, request_of, time_of
from jukinet_mq.producers.effects import (
    Effects,
    already_used,
    asking,
    certain_effects,
    check_card_move_in,
    choose,
    completing,
)
from jukinet_mq.producers.events import CardMoveInFiled, Event
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.store import certificates, filings, relocation
from jukinet_mq.store.certificates import Claim
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.filings import FilingState
from jukinet_mq.store.inbox import Key
from jukinet_mq.store.relocation import EventKey, FiledEvent


class OutcomeState(StrEnum):
    """What became of an event that was filed."""

    PUBLISHED = "published"
    """Its envelopes are in the outbox."""
    WAITING = "waiting"
    """Its certificate is asked for; when it comes the rest is published by itself."""
    ALREADY_FILED = "already_filed"
    """It was filed before; nothing is published."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What filing one event has done.

    Attributes:
        envelopes: Ids of what was published now.
    """

    event_id: UUID
    state: OutcomeState
    envelopes: tuple[UUID, ...] = ()


def check_event(event: Event, publisher: Publisher, *, at: datetime) -> None:
    """Refuse what must not be filed, as far as that can be known without the database.

    Args:
        event: As `read_event` gives it, or built.
        publisher: Knows the rules of what may be published.
        at: The clock's instant, aware UTC.

    Raises:
        RejectedError: Names what is wrong and where; `facts["event_id"]` names the event.
    """
    today = latest_today_in_japan(at)
    with _naming(event):
        event.check_places(directory())
        if isinstance(event, CardMoveInFiled):
            check_card_move_in(event, at)
            drafts = [request_of(event, RequestReason.NEVER_RECEIVED, at)]
        else:
            drafts = drafts_of(event, directory(), at)
        for draft in drafts:
            publisher.check(draft, today=today)


def check_signer(event: Event, publisher: Publisher, *, at: datetime) -> None:
    """Refuse an event whose municipality has no key to sign it with.

    Raises:
        ImpossibleDateError: It happened when no key of the municipality was valid.
        NodeKeyError: The municipality's keys cannot be used now.
    """
    with _naming(event):
        publisher.check_signer(event.node, time_of(event, at))


async def file_events(
    tx: Transaction, publisher: Publisher, events: Sequence[Event]
) -> list[Outcome]:
    """File *events*, all or nothing, in the order given; return one outcome each.

    The number of round trips does not grow with the number of events. The broker is not needed.

    Raises:
        RejectedError: The first event that is refused; `facts["event_id"]` names it. The
            caller's transaction must then be rolled back.
        NodeKeyError: As `Publisher.publish`.
        UnknownKeyError: As `Publisher.publish`.
    """
    news = await _admit(tx, events)
    effects: dict[EventKey, Effects] = {}
    card_move_ins: list[CardMoveInFiled] = []
    for key, event in news.items():
        with _naming(event):
            event.check_places(directory())
            if isinstance(event, CardMoveInFiled):
                check_card_move_in(event, tx.at)
                card_move_ins.append(event)
            else:
                effects[key] = certain_effects(event, tx.at)
    effects |= await _card_move_ins(tx, card_move_ins)
    ordered = [effects[key] for key in news]
    await _write(tx, ordered)
    await _publish(tx, publisher, ordered, list(news.values()))
    return list(_outcomes(events, effects))


async def _admit(tx: Transaction, events: Sequence[Event]) -> dict[EventKey, Event]:
    """Return the events that are news, in order; refuse a used id under other content."""
    first: dict[EventKey, Event] = {}
    digests: dict[EventKey, bytes] = {}
    repeated: list[tuple[EventKey, Event]] = []
    for event in events:
        key = EventKey(event.event_id, event.node)
        if first.setdefault(key, event) is not event:
            repeated.append((key, event))
        else:
            digests[key] = _digest(event)
    filed = [FiledEvent(key, first[key].event, digest) for key, digest in digests.items()]
    news = await relocation.admit_events(tx, filed)
    repeated += [(key, event) for key, event in first.items() if key not in news]
    digests |= await relocation.filed_digests(tx, (k for k in first if k not in news))
    for key, event in repeated:
        if _digest(event) != digests[key]:
            raise EventReusedError(
                f"event {key.event_id} was already filed at {key.node} with other content; "
                "give every event an id of its own",
                event_id=str(key.event_id),
            )
    return {key: event for key, event in first.items() if key in news}


def _digest(event: Event) -> bytes:
    return hashlib.sha256(event.digest_text()).digest()


async def _card_move_ins(
    tx: Transaction, events: Sequence[CardMoveInFiled]
) -> dict[EventKey, Effects]:
    claims = [Claim(e.node, e.former, e.resident_codes) for e in events]
    erased = await certificates.erased(tx, [(e.node, e.former, e.planned_on) for e in events])
    effects: dict[EventKey, Effects] = {}
    given: set[tuple[Key, str]] = set()
    found = await certificates.find(tx, claims)
    for event, candidates, was_erased in zip(events, found, erased, strict=True):
        key = EventKey(event.event_id, event.node)
        with _naming(event):
            certificate = choose(event, candidates)
            if certificate is None:
                effects[key] = asking(event, tx.at, was_erased=was_erased)
                continue
            effects[key] = completing(event, certificate, tx.at)
            # Two filings of one batch may not both use a person's certificate.
            uses = {(use.key, use.resident_code) for use in effects[key].uses}
            if given & uses:
                raise already_used()
            given |= uses
    return effects


async def _write(tx: Transaction, effects: Sequence[Effects]) -> None:
    await relocation.plan_move_outs(tx, [p for e in effects for p in e.planned])
    await certificates.issue(tx, [i for e in effects for i in e.issued])
    await filings.record(tx, [e.filing for e in effects if e.filing is not None])
    beaten = await certificates.use(tx, [u for e in effects for u in e.uses])
    for filing in beaten:
        error = already_used()
        error.facts["event_id"] = str(filing)
        raise error


async def _publish(
    tx: Transaction, publisher: Publisher, effects: Sequence[Effects], events: Sequence[Event]
) -> None:
    try:
        await publisher.publish(tx, [draft for e in effects for draft in e.drafts])
    except RejectedError:
        for event in events:
            # Raises, and names the one that it was.
            check_event(event, publisher, at=tx.at)
            check_signer(event, publisher, at=tx.at)
        raise


def _outcomes(events: Sequence[Event], effects: dict[EventKey, Effects]) -> Iterator[Outcome]:
    untold = dict(effects)
    for event in events:
        done = untold.pop(EventKey(event.event_id, event.node), None)
        if done is None:
            yield Outcome(event.event_id, OutcomeState.ALREADY_FILED)
        else:
            waits = done.filing is not None and done.filing.state is FilingState.WAITING
            state = OutcomeState.WAITING if waits else OutcomeState.PUBLISHED
            yield Outcome(event.event_id, state, tuple(draft.id for draft in done.drafts))


@contextmanager
def _naming(event: Event) -> Iterator[None]:
    """Let a refusal say which event it is about."""
    try:
        yield
    except RejectedError as error:
        error.facts.setdefault("event_id", str(event.event_id))
        raise
