"""整合性確認: does what prefecture and J-LIS hold agree with what a municipality has published?

No tier reads another's database, so the question goes by message. First digests over spans of a
thousand numbers are compared; only a span that differs is spelt out, and compared one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from jukinet_mq import telemetry
from jukinet_mq.messages import SPAN_NUMBERS_MAX, SPANS_MAX, HoldingsRequest, Span
from jukinet_mq.nodes import NATIONAL_NODE, NodeCode, directory
from jukinet_mq.producers.publisher import Draft, Publishing
from jukinet_mq.store import consistency
from jukinet_mq.store.consistency import Numbers, Question
from jukinet_mq.store.database import Database, Transaction

SETTLED_AFTER: Final = timedelta(minutes=10)
"""What was relayed later than that may still be on its way, and is left for the next check."""
CHECK_EVERY: Final = timedelta(days=1)
WINDOW: Final = timedelta(days=7)
"""What a scheduled check looks back at; a person may look back further."""
STARTS_MAX: Final = 50
"""Municipalities whose check one round begins, so that keepers are not all asked at once."""
ANSWER_WITHIN: Final = timedelta(minutes=15)
TRIES_MAX: Final = 4
UNANSWERED_MAX: Final = 500


async def start(tx: Transaction, publisher: Publishing, node: NodeCode, *, since: datetime) -> UUID:
    """Begin a check of the updates that *node* has published since an instant; return its id.

    The answers come by themselves; `consistency.checks` shows when it has ended and what was
    found. Where nothing was published it ends at once.
    """
    check_id = uuid7()
    prefecture = directory().prefecture_of(node).code
    numbers = await consistency.window(
        tx, (node, prefecture), since=since, settled=tx.at - SETTLED_AFTER
    )
    await consistency.start(tx, check_id, node, numbers)
    if numbers is not None:
        spans = list(_spans(numbers))
        parts = [tuple(spans[i : i + SPANS_MAX]) for i in range(0, len(spans), SPANS_MAX)]
        await ask(
            tx,
            publisher,
            [
                Question(uuid7(), check_id, node, keeper, part, spelt_out=False, tries=1)
                for keeper in (prefecture, NATIONAL_NODE)
                for part in parts
            ],
        )
    await end_if_done(tx, check_id)
    return check_id


def _spans(numbers: Numbers) -> Iterator[Numbers]:
    for first in range(numbers.first, numbers.last + 1, SPAN_NUMBERS_MAX):
        yield Numbers(first, min(first + SPAN_NUMBERS_MAX - 1, numbers.last))


async def ask(tx: Transaction, publisher: Publishing, questions: Sequence[Question]) -> None:
    """Publish questions, and write down that they are open."""
    await publisher.publish(
        tx,
        [
            Draft(
                sender=question.node,
                recipient=question.keeper,
                body=HoldingsRequest(
                    spans=[Span(first=s.first, last=s.last) for s in question.spans],
                    spelt_out=question.spelt_out,
                ),
                time=tx.at,
                event_id=question.check_id,
                id=question.request_id,
            )
            for question in questions
        ],
    )
    for question in questions:
        await consistency.ask(tx, question)


async def end_if_done(tx: Transaction, check_id: UUID) -> None:
    """End a check in which nothing is open, and say how it ended."""
    ended = await consistency.end(tx, check_id, "done")
    if ended is None:
        return
    node, differences = ended
    if differences:
        telemetry.emit(
            telemetry.CONSISTENCY_BROKEN,
            node=node,
            check_id=str(check_id),
            differences=differences,
        )
    else:
        telemetry.emit(telemetry.CONSISTENCY_CHECKED, node=node, check_id=str(check_id))


async def check_due(
    database: Database, publisher: Publishing, nodes: Sequence[NodeCode] | None
) -> int:
    """Begin the daily check of *nodes* (all: None) whose turn it is; return how many began."""
    async with database.transaction() as tx:
        due = await consistency.due(tx, nodes, before=tx.at - CHECK_EVERY, limit=STARTS_MAX)
        for node, _ in due:
            await start(tx, publisher, node, since=tx.at - WINDOW)
    return len(due)


async def ask_again(
    database: Database, publisher: Publishing, nodes: Sequence[NodeCode] | None
) -> None:
    """Ask again what no keeper has answered; after the last try end the check and say so."""
    async with database.transaction() as tx:
        late = await consistency.unanswered(
            tx, nodes, before=tx.at - ANSWER_WITHIN, limit=UNANSWERED_MAX
        )
        if not late:
            return
        await consistency.answered(tx, [question.request_id for question in late])
        given_up = {q.check_id: q for q in late if q.tries >= TRIES_MAX}
        again = [
            replace(q, request_id=uuid7(), tries=q.tries + 1)
            for q in late
            if q.check_id not in given_up
        ]
        await ask(tx, publisher, again)
        for check_id in given_up:
            await consistency.end(tx, check_id, "unanswered")
    for question in given_up.values():
        telemetry.emit(
            telemetry.CONSISTENCY_UNANSWERED,
            node=question.node,
            check_id=str(question.check_id),
            keeper=question.keeper,
        )
