"""The consistency check's two sides: a keeper tells what it holds, a municipality compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from uuid_utils.compat import uuid7

from jukinet_mq.consumers.consistency import ask, end_if_done
from jukinet_mq.consumers.results import Done, Park, Result, Workplace
from jukinet_mq.messages import Holding, HoldingsAnswer, HoldingsRequest, SpanHoldings
from jukinet_mq.nodes import directory
from jukinet_mq.producers.publisher import Draft
from jukinet_mq.store import consistency
from jukinet_mq.store.consistency import Contents, Difference, Held, Numbers, Question
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival


async def tell_holdings(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Answer with digests of what is archived and in effect here; each envelope if asked for."""
    for arrival in arrivals:
        request = cast("HoldingsRequest", arrival.envelope.body)
        header = arrival.envelope.header
        prefecture = directory().prefecture_of(header.sender).code
        found = await consistency.held(
            tx,
            arrival.node,
            (header.sender, prefecture),
            [Numbers(span.first, span.last) for span in request.spans],
            spelt_out=request.spelt_out,
        )
        answer = HoldingsAnswer(
            request_id=header.id,
            spans=[_told(contents, spelt_out=request.spelt_out) for contents in found],
        )
        await work.outgoing.publish(
            tx, [Draft(arrival.node, header.sender, answer, tx.at, event_id=header.event_id)]
        )
    return [Done()] * len(arrivals)


def _told(contents: Contents, *, spelt_out: bool) -> SpanHoldings:
    return SpanHoldings(
        first=contents.numbers.first,
        last=contents.numbers.last,
        count=contents.count,
        digest=contents.digest.hex(),
        holdings=[
            Holding(
                sequence=held.sequence,
                message_id=held.message_id,
                digest=held.digest.hex(),
                in_effect=held.in_effect,
            )
            for held in contents.each
        ]
        if spelt_out
        else None,
    )


async def compare_holdings(
    tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
) -> Sequence[Result]:
    """Hold a keeper's answer against what was published here.

    Where a span's digest differs, ask for each of its envelopes; where each is told, write down
    the differences. An answer to a question that is closed, or was asked anew, changes nothing.
    """
    results: list[Result] = []
    answers = [cast("HoldingsAnswer", arrival.envelope.body) for arrival in arrivals]
    await consistency.lock(tx, [answer.request_id for answer in answers])
    for arrival, answer in zip(arrivals, answers, strict=True):
        question = await consistency.question(
            tx, answer.request_id, node=arrival.node, keeper=arrival.envelope.header.sender
        )
        if question is None:
            results.append(Done())
        elif _answers(answer, question):
            await _compare(tx, question, answer, work)
            results.append(Done())
        else:
            results.append(Park("holdings_answer_wrong"))
    return results


def _answers(answer: HoldingsAnswer, question: Question) -> bool:
    if tuple(Numbers(span.first, span.last) for span in answer.spans) != question.spans:
        return False
    return all((span.holdings is not None) is question.spelt_out for span in answer.spans)


async def _compare(
    tx: Transaction, question: Question, answer: HoldingsAnswer, work: Workplace
) -> None:
    pair = (question.node, directory().prefecture_of(question.node).code)
    ours = await consistency.published(tx, pair, question.spans, spelt_out=question.spelt_out)
    differing = [
        (mine, theirs)
        for mine, theirs in zip(ours, answer.spans, strict=True)
        if (mine.count, mine.digest.hex()) != (theirs.count, theirs.digest)
    ]
    await consistency.answered(tx, [question.request_id])
    if question.spelt_out:
        for mine, theirs in differing:
            await consistency.note(tx, question, list(differences(mine.each, _told_of(theirs))))
    else:
        await ask(
            tx,
            work.outgoing,
            [
                Question(uuid7(), question.check_id, question.node, question.keeper,
                         (mine.numbers,), spelt_out=True, tries=1)
                for mine, _ in differing
            ],
        )  # fmt: skip
    await end_if_done(tx, question.check_id)


def _told_of(theirs: SpanHoldings) -> list[Held]:
    return [
        Held(one.sequence, one.message_id, bytes.fromhex(one.digest), one.in_effect)
        for one in theirs.holdings or ()
    ]


def differences(ours: Sequence[Held], theirs: Sequence[Held]) -> Iterator[Difference]:
    """Yield what *theirs* has otherwise than *ours*, by number and id."""
    said = {(one.sequence, one.message_id): one for one in ours}
    kept = {(one.sequence, one.message_id): one for one in theirs}
    for key in sorted(said.keys() | kept.keys()):
        mine, other = said.get(key), kept.get(key)
        if other is None:
            yield Difference(*key, "missing")
        elif mine is None:
            yield Difference(*key, "unknown")
        elif mine.digest != other.digest:
            yield Difference(*key, "other_bytes")
        elif not other.in_effect:
            yield Difference(*key, "not_in_effect")
