"""Carries out what an operator decides about many parked or quarantined envelopes.

In batches, each in a transaction of its own: what was done when this ends early, by a crash or
a lost database, is done, and the same call finds the rest. Every call goes once through what
there was when it began, so that what fails again at once is not taken again by the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from jukinet_mq.consumers.admission import Admitted
from jukinet_mq.consumers.handling import Outcome
from jukinet_mq.consumers.judging import Judgement, judge, judge_original
from jukinet_mq.consumers.pacing import Pace, Pacer
from jukinet_mq.consumers.pipeline import Desk, take
from jukinet_mq.errors import NodeKeyError
from jukinet_mq.store import parked, quarantine
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.parked import Decision, EnvelopeFilter, ParkedEnvelope, Span
from jukinet_mq.store.quarantine import QuarantineFilter, Taken, Verdict
from jukinet_mq.store.quarantine_intake import Held

RELEASE_MAX = 100
"""Quarantined deliveries that one transaction takes: all their effects share it."""


async def decide_parked(
    database: Database,
    wanted: EnvelopeFilter,
    decision: Decision,
    *,
    pace: Pace,
    tell: Callable[[Sequence[ParkedEnvelope]], None],
) -> None:
    """Replay or discard all that is *wanted*; *tell* hears of every batch once it is committed.

    Of several operators with the same selection each envelope is decided about by one.

    Raises:
        DatabaseUnavailableError: What *tell* has heard of is done, and perhaps one batch more.
    """
    async with database.transaction() as tx:
        span = Span(0, await parked.newest(tx))
    pacer = Pacer(pace)
    while True:
        await pacer.wait()
        chosen, ended = await database.run(
            partial(_decide, wanted=wanted, decision=decision, span=span, limit=pace.batch),
            name=decision.how,
        )
        if not chosen:
            return
        tell(ended)
        pacer.done += len(ended)
        span = span._replace(after=chosen[-1].position)


async def release(
    desk: Desk,
    wanted: QuarantineFilter,
    decision: Decision | None,
    *,
    pace: Pace,
    tell: Callable[[Sequence[Verdict]], None],
) -> None:
    """Verify quarantined deliveries again, as those that they were, and keep what is good now.

    Every check is made anew. What passes goes the way of every delivery: admitted, archived,
    handled and answered, in the transaction that ends its quarantine. What does not pass stays,
    and so do the deliveries of a node whose private keys cannot be used here.

    With *decision* None nothing is written, and `accepted` means: passes every check; whether its
    id or number was given to another envelope meanwhile shows only when it is admitted.

    Raises:
        DatabaseUnavailableError: What *tell* has heard of is done, and perhaps one batch more.
    """
    async with desk.database.transaction() as tx:
        span = Span(0, await quarantine.newest(tx))
    limit = min(pace.batch, RELEASE_MAX)
    pacer = Pacer(pace if decision else Pace())
    while True:
        await pacer.wait()
        taken, verdicts, outcomes = await desk.database.run(
            partial(_release, desk=desk, wanted=wanted, decision=decision, span=span, limit=limit),
            name="release",
        )
        if not taken:
            return
        for outcome in outcomes:
            outcome.tell()
        tell(verdicts)
        pacer.done += len(verdicts)
        span = span._replace(after=taken[-1].position)


async def discard_quarantined(
    database: Database,
    wanted: QuarantineFilter,
    decision: Decision,
    *,
    pace: Pace,
    tell: Callable[[Sequence[Verdict]], None],
) -> None:
    """Give up all that is *wanted*; it stays as evidence, and its senders were told before.

    Raises:
        DatabaseUnavailableError: What *tell* has heard of is done, and perhaps one batch more.
    """
    async with database.transaction() as tx:
        span = Span(0, await quarantine.newest(tx))
    limit = min(pace.batch, RELEASE_MAX)
    pacer = Pacer(pace)
    while True:
        await pacer.wait()
        taken, verdicts = await database.run(
            partial(_discard, wanted=wanted, decision=decision, span=span, limit=limit),
            name="discard",
        )
        if not taken:
            return
        tell(verdicts)
        pacer.done += len(verdicts)
        span = span._replace(after=taken[-1].position)


async def _decide(
    tx: Transaction, *, wanted: EnvelopeFilter, decision: Decision, span: Span, limit: int
) -> tuple[list[ParkedEnvelope], list[ParkedEnvelope]]:
    chosen = await parked.envelopes(tx, wanted, span=span, limit=limit)
    return chosen, await parked.decide(tx, chosen, decision)


async def _discard(
    tx: Transaction, *, wanted: QuarantineFilter, decision: Decision, span: Span, limit: int
) -> tuple[list[Taken], list[Verdict]]:
    taken = await quarantine.take(tx, wanted, span=span, limit=limit)
    verdicts = [Verdict(one.position, "discarded") for one in taken]
    await _write(tx, verdicts, decision)
    return taken, verdicts


async def _release(
    tx: Transaction,
    *,
    desk: Desk,
    wanted: QuarantineFilter,
    decision: Decision | None,
    span: Span,
    limit: int,
) -> tuple[list[Taken], list[Verdict], Sequence[Outcome]]:
    taken = await quarantine.take(tx, wanted, span=span, limit=limit)
    verdicts, outcomes = await _verify(tx, taken, desk, decision)
    return taken, verdicts, outcomes


async def _verify(
    tx: Transaction, taken: Sequence[Taken], desk: Desk, decision: Decision | None
) -> tuple[list[Verdict], Sequence[Outcome]]:
    refused = [_not_whole(one) for one in taken if not one.whole]
    judged: dict[int, Judgement] = {}
    for one in taken:
        if one.whole:
            try:
                judged[one.position] = _judge(one, desk, at=tx.at)
            except NodeKeyError as error:
                refused.append(_waits(one, error))
    good: list[Taken] = []
    for one in taken:
        if one.position not in judged:
            continue
        if (held := _own(one, judged[one.position].held)) is None:
            good.append(one)
        else:
            refused.append(_refused(one, held))
    if decision is None or not good:
        verdicts = [Verdict(one.position, "accepted") for one in good]
        outcomes: Sequence[Outcome] = ()
    else:
        verdicts, outcomes = await _keep(tx, good, judged, desk)
    verdicts = sorted([*verdicts, *refused], key=lambda verdict: verdict.position)
    if decision is not None:
        await _write(tx, verdicts, decision)
    return verdicts, outcomes


async def _write(tx: Transaction, verdicts: Sequence[Verdict], decision: Decision) -> None:
    await quarantine.decide(
        tx, verdicts, operator=decision.operator, explanation=decision.explanation
    )


def _judge(one: Taken, desk: Desk, *, at: datetime) -> Judgement:
    if one.carried_by is None:
        return judge([one.delivery], desk.verifier, desk.directory, at=at)
    return judge_original(one.delivery, one.carried_by, desk.verifier, desk.directory, at=at)


async def _keep(
    tx: Transaction, good: list[Taken], judged: dict[int, Judgement], desk: Desk
) -> tuple[list[Verdict], Sequence[Outcome]]:
    """Take what verified through the rest of its way, without what turns out a conflict there.

    A conflicting one would be held once more as its own; it is held already. What a node must sign
    for that cannot stays held too.
    """
    refused: list[Verdict] = []
    while good:
        together = Judgement(
            arrivals=[a for one in good for a in judged[one.position].arrivals],
            held=[h for one in good for h in judged[one.position].held],
        )
        try:
            async with tx.savepoint():
                admitted, outcomes = await take(tx, together, desk)
                _check_own(good, admitted)
        except _OwnConflictError as conflict:
            refused += conflict.verdicts
            bad = {verdict.position for verdict in conflict.verdicts}
            good = [one for one in good if one.position not in bad]
        except NodeKeyError as error:
            waiting = [one for one in good if one.delivery.node == error.node]
            if not waiting:
                raise
            refused += [_waits(one, error) for one in waiting]
            good = [one for one in good if one not in waiting]
        else:
            return [*_accepted(good, admitted), *refused], outcomes
    return refused, ()


class _OwnConflictError(Exception):
    """Some of a batch cannot be admitted; the rest is tried without them."""

    def __init__(self, verdicts: list[Verdict]) -> None:
        super().__init__()
        self.verdicts = verdicts


def _check_own(good: Sequence[Taken], admitted: Admitted) -> None:
    verdicts = [_refused(one, held) for one in good if (held := _own(one, admitted.untrusted))]
    if verdicts:
        raise _OwnConflictError(verdicts)


def _own(one: Taken, held: Sequence[Held]) -> Held | None:
    """Return what is held of the very delivery, not of an original inside it."""
    mine = (one.delivery.node, one.delivery.signed)
    return next((h for h in held if (h.delivery.node, h.delivery.signed) == mine), None)


def _accepted(good: Sequence[Taken], admitted: Admitted) -> list[Verdict]:
    news = {(arrival.node, arrival.envelope.signed) for arrival in admitted.news}
    return [
        Verdict(
            one.position,
            "accepted" if (one.delivery.node, one.delivery.signed) in news else "kept_before",
        )
        for one in good
    ]


def _refused(one: Taken, held: Held) -> Verdict:
    return Verdict(one.position, "refused", held.error.reason, str(held.error))


def _waits(one: Taken, error: NodeKeyError) -> Verdict:
    return Verdict(one.position, "refused", error.reason, str(error))


def _not_whole(one: Taken) -> Verdict:
    return Verdict(
        one.position,
        "refused",
        one.reason,
        "it is not held whole, so it cannot be verified again; ask its sender to resend it",
    )
