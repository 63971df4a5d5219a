"""One delivery's way, in batches: verify, admit, archive, handle, answer, commit, acknowledge."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.consumers.admission import Admitted, admit
from jukinet_mq.consumers.answering import answer
from jukinet_mq.consumers.handling import Outcome, handle
from jukinet_mq.consumers.judging import Judgement, judge, untrusted
from jukinet_mq.consumers.results import Handlers, Workplace
from jukinet_mq.envelope import Delivery, Header
from jukinet_mq.errors import (
    ConfigurationError,
    ConflictingEnvelopeError,
    NotNowError,
    RejectedError,
    SequenceReuseError,
)
from jukinet_mq.nodes import Directory
from jukinet_mq.routing import Plane
from jukinet_mq.store import inbox, sequences
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.quarantine_intake import Held
from jukinet_mq.store.sequences import Source
from jukinet_mq.trust.verification import Verifier

_PLANES: Final = {plane.exchange: plane.value for plane in Plane}


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pipeline works with at one tier; only the tables of handlers differ by tier.

    Attributes:
        repeats: What is done again when an envelope comes again whose handling is done; for
            most kinds nothing.
    """

    database: Database
    directory: Directory
    verifier: Verifier
    handlers: Handlers
    work: Workplace
    repeats: Handlers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tally:
    """How a batch ended."""

    kept: int
    duplicates: int
    quarantined: int
    outcomes: Sequence[Outcome] = field(default=(), repr=False)

    def __add__(self, other: Tally) -> Tally:
        """Return how both batches ended."""
        return Tally(
            self.kept + other.kept,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            [*self.outcomes, *other.outcomes],
        )


async def keep(deliveries: Sequence[Delivery], desk: Desk) -> Tally:
    """Take a batch through every step up to the commit; the caller acknowledges afterwards.

    All database effects of a batch are one transaction. If it fails for another reason than an
    outage or the installation, something in it is to blame: it is split until that delivery is
    alone, and the delivery is quarantined with its bytes and what went wrong. Repeating the call
    with the same deliveries, after a crash or a lost answer to the commit, changes nothing and
    answers the same.

    Raises:
        DatabaseUnavailableError: Nothing is written, all of it is, or some of its parts are; call
            again later.
        ConfigurationError: The installation is wrong; nothing to do with the deliveries.
    """
    try:
        return await _keep(deliveries, desk, lambda at: _judge(deliveries, desk, at=at))
    except (NotNowError, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever content can cause ends here
        failure = untrusted(error)
    if len(deliveries) > 1:
        middle = len(deliveries) // 2
        first = await keep(deliveries[:middle], desk)
        return first + await keep(deliveries[middle:], desk)
    [offender] = deliveries
    return await _keep(deliveries, desk, lambda _: Judgement(held=[Held(offender, failure)]))


async def _keep(
    deliveries: Sequence[Delivery], desk: Desk, judged: Callable[[datetime], Judgement]
) -> Tally:
    started = time.perf_counter()
    judgement = judged(desk.database.clock())
    async with desk.database.transaction() as tx:
        admitted, outcomes = await take(tx, judgement, desk)
    tally = Tally(len(admitted.news), len(admitted.duplicates), len(admitted.untrusted), outcomes)
    _tell(deliveries, admitted, tally, seconds=time.perf_counter() - started)
    return tally


def _judge(deliveries: Sequence[Delivery], desk: Desk, *, at: datetime) -> Judgement:
    return judge(deliveries, desk.verifier, desk.directory, at=at)


async def take(tx: Transaction, judged: Judgement, desk: Desk) -> tuple[Admitted, list[Outcome]]:
    """Take what was judged through the steps that write: admit, archive, handle, answer, note.

    The last step locks the counters of the pairs concerned: call this last in a transaction.
    """
    admitted = await admit(tx, judged)
    await inbox.archive(tx, admitted.news)
    outcomes = await handle(tx, admitted.news, desk.handlers, desk.work)
    await handle(tx, _once(admitted.handled), desk.repeats, desk.work)
    await answer(tx, admitted, outcomes)
    await sequences.note(tx, _numbers(admitted.news), refused=_refused(admitted.untrusted))
    return admitted, outcomes


def _numbers(news: Sequence[Arrival]) -> list[tuple[Source, int]]:
    """Return the numbers of what came by itself; an original's number is its prefecture's."""
    return [
        (
            Source(a.node, a.envelope.header.sender, a.envelope.header.recipient,
                   a.envelope.plane.value),
            a.envelope.header.sequence,
        )
        for a in news
        if a.carried_by is None
    ]  # fmt: skip


def _refused(held: Sequence[Held]) -> list[tuple[Source, int]]:
    """Return the numbers of authentic envelopes that no repetition will make acceptable.

    Their sender is told; asking for them again would only bring them again.
    """
    return [
        (Source(one.delivery.node, h.sender, h.recipient, _PLANES[one.delivery.exchange]),
         h.sequence)
        for one in held
        if isinstance(one.error, RejectedError)
        and isinstance(h := one.error.facts.get("header"), Header)
        and one.carried_by is None
    ]  # fmt: skip


def _once(arrivals: Sequence[Arrival]) -> list[Arrival]:
    return list({arrival.key: arrival for arrival in arrivals}.values())


def _tell(
    deliveries: Sequence[Delivery], admitted: Admitted, tally: Tally, *, seconds: float
) -> None:
    for held in admitted.held:
        conflict = isinstance(held.error, ConflictingEnvelopeError | SequenceReuseError)
        telemetry.emit(
            telemetry.ENVELOPE_CONFLICTED if conflict else telemetry.DELIVERY_QUARANTINED,
            node=held.delivery.node,
            message_id=held.delivery.message_id,
            sender=held.delivery.user_id,
            reason=held.error.reason,
            error=str(held.error),
        )
    for cause, number in Counter(held.cause for held in admitted.counted).items():
        telemetry.emit(
            telemetry.DELIVERIES_COUNTED,
            node=cause.node,
            sender=cause.login,
            reason=cause.reason,
            deliveries=number,
        )
    for outcome in tally.outcomes:
        outcome.tell()
    telemetry.emit(
        telemetry.BATCH_COMMITTED,
        deliveries=len(deliveries),
        kept=tally.kept,
        duplicates=tally.duplicates,
        quarantined=tally.quarantined,
        seconds=round(seconds, 4),
    )
