"""What the databases themselves say, for counting: nothing here trusts the program's own tallies.

Read only. The books are whole tables: a demonstration's some hundred thousand rows take about
a second, a year's would not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction


class Published(NamedTuple):
    """One envelope in an outbox; `digest` is None where its sender's own copy is missing."""

    message_id: UUID
    sender: NodeCode
    recipient: NodeCode
    kind: str
    version: int
    position: int
    published_at: datetime
    relayed_at: datetime | None
    digest: bytes | None


class Copy(NamedTuple):
    """One row of an archive."""

    message_id: UUID
    node: NodeCode
    sender: NodeCode
    digest: bytes


class Handled(NamedTuple):
    """One row of an inbox."""

    message_id: UUID
    node: NodeCode
    state: str
    kept_at: datetime
    handled_at: datetime | None


class Answer(NamedTuple):
    """One receipt that *sender* has got from *keeper*."""

    message_id: UUID
    sender: NodeCode
    keeper: NodeCode
    level: str
    matches: bool
    received_at: datetime


class Effect(NamedTuple):
    """One row of a register's history."""

    message_id: UUID
    node: NodeCode


class Untrusted(NamedTuple):
    """One delivery in quarantine; the id is a claim."""

    message_id: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Books:
    """All that one tier's database says.

    Attributes:
        left: What must be nothing when all is done, by name.
    """

    published: Sequence[Published] = ()
    copies: Sequence[Copy] = ()
    handled: Sequence[Handled] = ()
    answers: Sequence[Answer] = ()
    effects: Sequence[Effect] = ()
    untrusted: Sequence[Untrusted] = ()
    left: tuple[tuple[str, int], ...] = ()


async def read_books(tx: Transaction, *, since: datetime) -> Books:
    """Read a tier's whole books; of what is held for a person only what came from *since* on."""
    return Books(
        published=[Published(*row) for row in await tx.fetch("proof/published")],
        copies=[Copy(*row) for row in await tx.fetch("proof/kept")],
        handled=[Handled(*row) for row in await tx.fetch("proof/handled")],
        answers=[Answer(*row) for row in await tx.fetch("proof/answers")],
        effects=[Effect(*row) for row in await tx.fetch("proof/effects")],
        untrusted=[Untrusted(*row) for row in await tx.fetch("proof/held", since)],
        left=await read_left(tx, since=since),
    )


async def read_left(tx: Transaction, *, since: datetime) -> tuple[tuple[str, int], ...]:
    """Return what must be nothing when all is done, by name."""
    [row] = await tx.fetch("proof/left", since)
    return tuple(row.items())


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in one tier's books, from which a run is counted."""

    position: int
    at: datetime


async def mark(tx: Transaction) -> Mark:
    """Return the present end of the outbox and the present instant."""
    [[position]] = await tx.fetch("proof/mark")
    return Mark(position, tx.at)


class Group(NamedTuple):
    """How much of a kind was published between pairs that have equally many keepers."""

    kind: str
    version: int
    sender: NodeCode
    recipient: NodeCode
    published: int
    relayed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a tier is since a mark."""

    groups: tuple[Group, ...]
    kept: int
    done: int
    answered: int
    left: tuple[tuple[str, int], ...]


async def read_progress(tx: Transaction, since: Mark) -> Progress:
    """Count how far a tier is since *since*; some milliseconds per ten thousand rows."""
    groups = []
    for row in await tx.fetch("proof/published_since", since.position):
        sender, recipient = map(NodeCode, row["pair"].split())
        counts = row["published"], row["relayed"]
        groups.append(Group(row["kind"], row["version"], sender, recipient, *counts))
    [[kept, done]] = await tx.fetch("proof/kept_since", since.at)
    [[answered]] = await tx.fetch("proof/answered_since", since.at)
    left = await read_left(tx, since=since.at)
    return Progress(tuple(groups), kept, done, answered, left)


async def certificates_arrived(tx: Transaction, groups: Iterable[UUID]) -> set[UUID]:
    """Return which of these move-outs have a certificate at their destination."""
    rows = await tx.fetch("proof/certificates_arrived", list(groups))
    return {row[0] for row in rows}


async def is_kept(tx: Transaction, message_id: UUID, node: NodeCode) -> bool:
    """Say whether *node* has kept an envelope."""
    [[kept]] = await tx.fetch("proof/kept_one", message_id, node)
    return bool(kept)


@dataclass(frozen=True, slots=True)
class Span:
    """How many went through a stage, and when the first and the last of them did."""

    count: int
    first: datetime | None
    last: datetime | None


async def outbox_spans(tx: Transaction, since: Mark, kind: str) -> tuple[Span, Span]:
    """Return when envelopes of *kind* were published and when relayed."""
    [row] = await tx.fetch("proof/stages", since.position, kind)
    return (
        Span(row["count"], row["first_published"], row["last_published"]),
        Span(row["count"], row["first_relayed"], row["last_relayed"]),
    )


async def arrival_span(tx: Transaction, since: datetime, kind: str) -> Span:
    """Return when envelopes of *kind* were kept."""
    [row] = await tx.fetch("proof/arrivals", since, kind)
    return Span(row["count"], row["first"], row["last"])


async def answer_span(tx: Transaction, since: datetime) -> Span:
    """Return when receipts came."""
    [row] = await tx.fetch("proof/answered", since)
    return Span(row["count"], row["first"], row["last"])
