"""Asks senders for exactly the numbers that are missing, until they come or a person is told."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.messages import NUMBERS_MAX, ResendRequest
from jukinet_mq.nodes import NodeCode
from jukinet_mq.producers.publisher import Draft, Publisher
from jukinet_mq.retry import RetryPolicy
from jukinet_mq.routing import Plane
from jukinet_mq.store import sequences
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.sequences import Asked, Gap, Source

ASK_AGAIN: Final = RetryPolicy(
    at_once=0,
    backoff=timedelta(minutes=1),
    backoff_max=timedelta(hours=1),
    attempts_max=12,
)
"""Pauses between questions about one number; a little under five hours in all."""
DUE_MAX: Final = 10_000
"""Numbers that one round asks for."""
_NEVER: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class _Group:
    """The due numbers of one pair at one keeper."""

    source: Source
    gaps: Sequence[Gap]
    spent: bool

    @property
    def is_new(self) -> bool:
        return any(gap.asks == 0 for gap in self.gaps)


async def ask_for_missing(
    database: Database, publisher: Publisher, nodes: Sequence[NodeCode] | None
) -> int:
    """Publish resend requests for the numbers that *nodes* (all: None) lack; return how many.

    Only what is missing after the grace period: what comes late by itself is never asked for.
    """
    async with database.transaction() as tx:
        if not await sequences.is_my_turn(tx):
            return 0
        groups = _groups(await sequences.due(tx, nodes, limit=DUE_MAX))
        drafts = [draft for group in groups if not group.spent for draft in _drafts(tx, group)]
        await publisher.publish(tx, drafts)
        await sequences.asked(tx, [ask for group in groups for ask in _asked(tx, group)])
    for group in groups:
        _tell(group)
    return sum(len(group.gaps) for group in groups if not group.spent)


def _groups(gaps: Sequence[Gap]) -> list[_Group]:
    found: defaultdict[tuple[Source, bool], list[Gap]] = defaultdict(list)
    for gap in gaps:
        found[gap.source, gap.asks >= ASK_AGAIN.attempts_max].append(gap)
    return [_Group(source, group, spent) for (source, spent), group in found.items()]


def _drafts(tx: Transaction, group: _Group) -> list[Draft]:
    numbers = sorted(gap.number for gap in group.gaps)
    return [
        Draft(
            sender=NodeCode(group.source.node),
            recipient=NodeCode(group.source.sender),
            body=ResendRequest(
                about=Plane(group.source.plane),
                addressee=group.source.recipient,
                numbers=numbers[i : i + NUMBERS_MAX],
            ),
            time=tx.at,
        )
        for i in range(0, len(numbers), NUMBERS_MAX)
    ]


def _asked(tx: Transaction, group: _Group) -> list[Asked]:
    """One pause for the whole group, so that it is asked for together again."""
    if group.spent:
        return [Asked(gap, tx.at + _NEVER, alarmed_at=tx.at) for gap in group.gaps]
    asks = max(gap.asks for gap in group.gaps) + 1
    pause = ASK_AGAIN.delay(asks, jitter=random.random())  # noqa: S311  # spreads
    return [Asked(gap, tx.at + (pause or ASK_AGAIN.backoff_max)) for gap in group.gaps]


def _tell(group: _Group) -> None:
    if not (group.spent or group.is_new):
        return
    source = group.source
    telemetry.emit(
        telemetry.GAP_UNCLOSED if group.spent else telemetry.GAP_NOTICED,
        node=source.node,
        sender=source.sender,
        recipient=source.recipient,
        plane=source.plane,
        missing=len(group.gaps),
    )
