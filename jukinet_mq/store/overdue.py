"""Published envelopes whose receipts have not come: found, looked at again, listed.

The hot path pays nothing: receipts are only counted, once per envelope, by a search that follows
the outbox at a distance. What lacks one gets a row, and is looked at until it lacks none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction

SEARCH_MAX: Final = 5_000
"""Outbox rows that one transaction looks at: 37 ms of PostgreSQL on 1,000,000 rows, 2 cores."""
SEARCH_AGE: Final = timedelta(minutes=1)
"""What is younger is left for later: most receipts come within seconds."""
HEARD_STEP: Final = timedelta(seconds=10)
"""A keeper's answers are noted this coarsely, so that workers do not queue for its row."""


class OwedCount(NamedTuple):
    """How many keepers owe an answer, and how many of them `processed`.

    Attributes:
        home: Whether sender and recipient lie in one prefecture, whose server keeps once.
    """

    kind: str
    version: int
    home: bool
    keepers: int
    actors: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a keeper has answered about the very bytes that were published."""

    keeper: str
    level: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """An envelope that lacks receipts; held until the transaction ends.

    Attributes:
        suspect: A keeper got other bytes than these since they were relayed last.
        relayed_at: When the broker last confirmed it; None while it waits for the relay.
    """

    message_id: UUID
    resends: int
    suspect: bool
    alarmed_at: datetime | None
    node: NodeCode
    recipient: NodeCode
    kind: str
    version: int
    relayed_at: datetime | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Next:
    """When to look at an envelope again, after what was done about it."""

    message_id: UUID
    due_at: datetime
    resends: int
    alarmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Heard:
    """When this database's nodes last heard from a keeper.

    Attributes:
        relayed_at: It has answered what was first relayed up to then; None if it never answered.
        heard_at: When it answered anything; kept as coarsely as `HEARD_STEP`.
        probes: Envelopes resent since, to learn whether it is there.
    """

    relayed_at: datetime | None = None
    heard_at: datetime | None = None
    probes: int = 0
    probed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An envelope that was found without its receipts; they may have come since."""

    awaited: Awaited
    event_id: UUID
    published_at: datetime
    noticed_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """An envelope that a keeper has refused although it came as it was published."""

    message_id: UUID
    event_id: UUID
    node: NodeCode
    keeper: NodeCode
    kind: str
    reason: str
    received_at: datetime


async def search(tx: Transaction, owed: Sequence[OwedCount]) -> bool:
    """Look at the next published envelopes; say whether there is more to look at now.

    No envelope is passed by, in whatever order transactions commit; see migration 0004.
    """
    await tx.execute("overdue/start")
    rows = await tx.fetch("overdue/cursor")
    if not rows:
        return False  # Another worker is at it.
    [cursor] = rows
    if cursor["position"] >= cursor["fence_position"]:
        await tx.execute("overdue/fence")
        [moved] = await tx.fetch("overdue/cursor")
        return bool(moved["fence_position"] > cursor["fence_position"])
    if not cursor["fence_reached"]:
        return False
    [found] = await tx.fetch(
        "overdue/scan", cursor["position"], cursor["fence_position"], tx.at - SEARCH_AGE, tx.at,
        SEARCH_MAX, *zip(*owed, strict=True),
    )  # fmt: skip
    if not found["relayed"]:
        return False
    await tx.execute("overdue/advance", found["position"])
    return True


async def due(tx: Transaction, *, limit: int) -> list[Awaited]:
    """Take envelopes to look at, longest due first; other workers skip them."""
    return [_awaited(row) for row in await tx.fetch("overdue/due", tx.at, limit)]


def _awaited(row: asyncpg.Record) -> Awaited:
    return Awaited(
        message_id=row["message_id"],
        resends=row["resends"],
        suspect=row["suspect"],
        alarmed_at=row["alarmed_at"],
        node=row["node"],
        recipient=row["recipient"],
        kind=row["kind"],
        version=row["version"],
        relayed_at=row["relayed_at"],
        answers=tuple(map(Answer, row["keepers"], row["levels"], row["received"])),
    )


async def close(tx: Transaction, message_ids: Sequence[UUID]) -> None:
    """Forget envelopes whose last receipt has come."""
    if message_ids:
        await tx.execute("overdue/close", list(message_ids))


async def write(tx: Transaction, nexts: Sequence[Next]) -> None:
    """Write down when to look again."""
    if nexts:
        rows = [(n.message_id, n.due_at, n.resends, n.alarmed_at) for n in nexts]
        await tx.execute("overdue/write", *zip(*rows, strict=True), tx.at)


async def hasten(tx: Transaction, message_ids: Iterable[UUID]) -> None:
    """Have these looked at in the next round: a keeper got other bytes than were published."""
    wanted = sorted(set(message_ids))
    if wanted:
        await tx.execute("overdue/hasten", wanted, tx.at)


async def heard(tx: Transaction, keepers: Iterable[str]) -> dict[str, Heard]:
    """Return what was heard of *keepers* of which anything is known."""
    wanted = sorted(set(keepers))
    if not wanted:
        return {}
    rows = await tx.fetch("overdue/heard", wanted)
    return {
        r["keeper"]: Heard(r["relayed_at"], r["heard_at"], r["probes"], r["probed_at"])
        for r in rows
    }


async def hear(tx: Transaction, answered: Mapping[str, datetime]) -> None:
    """Note up to which instant of relaying keepers have answered; coarsely, and never waiting."""
    before = await heard(tx, answered)
    if missing := sorted(answered.keys() - before.keys()):
        await tx.execute("overdue/meet", missing)
    news = {k: at for k, at in answered.items() if _is_news(before.get(k), at, now=tx.at)}
    if news:
        await tx.execute("overdue/hear", list(news), list(news.values()), tx.at)


def _is_news(before: Heard | None, at: datetime, *, now: datetime) -> bool:
    if before is None or before.relayed_at is None or before.heard_at is None or before.probes:
        return True
    return at >= before.relayed_at + HEARD_STEP or now >= before.heard_at + HEARD_STEP


async def probed(tx: Transaction, keepers: Sequence[str]) -> None:
    """Write down that something was resent to learn whether these keepers are there."""
    if keepers:
        await tx.execute("overdue/meet", sorted(keepers))
        await tx.execute("overdue/probed", sorted(keepers), tx.at)


async def listed(tx: Transaction, node: str | None, *, limit: int) -> list[Listed]:
    """Return envelopes of *node* (all: None) that were found without receipts, oldest first."""
    return [
        Listed(
            _awaited(row), row["event_id"], row["published_at"], row["noticed_at"], row["due_at"]
        )
        for row in await tx.fetch("overdue/list", node, limit)
    ]


async def rejected(
    tx: Transaction, node: str | None, *, since: datetime, limit: int
) -> list[Rejected]:
    """Return what keepers have refused since an instant, the latest first."""
    return [Rejected(**row) for row in await tx.fetch("overdue/rejected", node, since, limit)]
