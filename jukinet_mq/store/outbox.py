"""What a node publishes: numbered, archived and waiting for the relay in one transaction."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from jukinet_mq.envelope import Header, SignedEnvelope
from jukinet_mq.nodes import NodeCode
from jukinet_mq.routing import Plane, RoutingKey
from jukinet_mq.store import archive
from jukinet_mq.store.archive import Copy
from jukinet_mq.store.database import Transaction

SHARDS: Final = 16


class Pair(NamedTuple):
    """Who numbers for whom: sequences are gapless within one pair."""

    node: NodeCode
    recipient: NodeCode
    plane: Plane


@dataclass(frozen=True, slots=True)
class Claimed:
    """One outbox row that this relay holds until its transaction ends."""

    position: int
    envelope: SignedEnvelope


def shard_of(node: str, recipient: str) -> int:
    """Return the shard of a pair, the same in every process and for ever."""
    return zlib.crc32(f"{node}>{recipient}".encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Given:
    """What a pair's counter gives.

    Attributes:
        numbers: The next ones, without a gap.
        latest: The instant of what names none itself: the transaction's, or just after the one
            given last where the clock was set back since. None where nothing was to be dated.
    """

    numbers: range
    latest: datetime | None


async def give_sequences(
    tx: Transaction,
    wanted: Counter[Pair],
    *,
    dated: Collection[Pair] = (),
    undated: Collection[Pair] = (),
) -> Mapping[Pair, Given]:
    """Give each pair its next numbers; the caller's transaction must publish all of them.

    The pairs' counters stay locked until the transaction ends: that is what makes the order of
    numbers the order of commits. Call it once in a transaction (ADR 28).

    *dated* are the pairs with something that names no instant itself. *undated* are those that
    date what they say next by the clock again: the instants given before lay ahead.
    """
    wanted = Counter(dict.fromkeys(undated, 0) | dict(wanted))
    rows = await tx.fetch(
        "sequences/give",
        [p.node for p in wanted],
        [p.recipient for p in wanted],
        [p.plane.value for p in wanted],
        list(wanted.values()),
        [pair in dated for pair in wanted],
        tx.at,
        [p.node for p in undated],
        [p.recipient for p in undated],
        [p.plane.value for p in undated],
    )
    given = {}
    for row in rows:
        pair = Pair(row["node"], row["recipient"], Plane(row["plane"]))
        numbers = range(row["last"] - wanted[pair] + 1, row["last"] + 1)
        given[pair] = Given(numbers, row["latest"])
    return given


_OUTBOX_COLUMNS: Final = (
    "message_id", "event_id", "node", "recipient", "plane", "kind", "version", "sequence",
    "event_time", "published_at", "shard",
)  # fmt: skip


async def add(tx: Transaction, envelopes: Sequence[SignedEnvelope]) -> None:
    """Archive *envelopes* and put them in line for the relay, in the order given."""
    await archive.add(
        tx,
        [
            Copy(e.header.id, e.header.sender, e.header.sender, e.digest, e.signed)
            for e in envelopes
        ],
    )
    await tx.copy("outbox", _OUTBOX_COLUMNS, [_row(tx, e) for e in envelopes])
    if envelopes:
        await wake(tx)


def _row(tx: Transaction, envelope: SignedEnvelope) -> tuple[object, ...]:
    header = envelope.header
    return (
        header.id, header.event_id, header.sender, header.recipient, envelope.plane.value,
        header.kind, header.version, header.sequence, header.time, tx.at,
        shard_of(header.sender, header.recipient),
    )  # fmt: skip


async def wake(tx: Transaction) -> None:
    """Tell the relays, when this transaction commits, that something waits."""
    await tx.execute("outbox/wake")


async def claim(
    tx: Transaction,
    *,
    wanted: int,
    nodes: Sequence[NodeCode] | None = None,
    held: Sequence[NodeCode] = (),
) -> list[Claimed]:
    """Lock and return up to *wanted* waiting envelopes of *nodes* (all: None), in order per pair.

    Those to the recipients *held* back are left out.

    Nobody else relays the same pairs until this transaction ends.
    """
    rows = await tx.fetch("outbox/claim", wanted, nodes, list(held))
    return [Claimed(row["outbox_position"], _envelope(row)) for row in rows]


def _envelope(row: asyncpg.Record) -> SignedEnvelope:
    header = Header(
        id=row["message_id"],
        kind=row["kind"],
        version=row["version"],
        sender=row["node"],
        recipient=row["recipient"],
        sequence=row["sequence"],
        time=row["event_time"],
        event_id=row["event_id"],
    )
    key = RoutingKey(recipient=header.recipient, sender=header.sender, kind=header.kind)
    return SignedEnvelope(header, Plane(row["plane"]), str(key), row["signed"])


async def mark_relayed(tx: Transaction, positions: Iterable[int], *, at: datetime) -> None:
    """Write down that the broker has confirmed these by *at*."""
    await tx.execute("outbox/mark_relayed", list(positions), at)


async def relay_again(tx: Transaction, message_ids: Iterable[UUID]) -> None:
    """Put published envelopes back in line, byte for byte the same, when *tx* commits."""
    tx.at_its_end("outbox/relay_again", message_ids)
    await wake(tx)


@dataclass(frozen=True, slots=True)
class Published:
    """What a node has published, as far as a receipt about it must be judged.

    Attributes:
        out_at: When the broker first confirmed it, or earlier where that is not known.
    """

    node: NodeCode
    recipient: NodeCode
    kind: str
    version: int
    out_at: datetime
    digest: bytes


async def published(
    tx: Transaction, message_ids: Iterable[UUID]
) -> dict[tuple[UUID, str], Published]:
    """Return what was published under these ids, by message id and sender."""
    rows = await tx.fetch("outbox/published", list(message_ids))
    return {
        (row["message_id"], row["node"]): Published(
            row["node"], row["recipient"], row["kind"], row["version"], row["out_at"],
            row["digest"],
        )
        for row in rows
    }  # fmt: skip


async def forwards_of(tx: Transaction, keys: Iterable[tuple[UUID, str, str]]) -> list[UUID]:
    """Return the forwards that carried these arrivals (id, node, sender) to J-LIS."""
    rows = await tx.fetch("outbox/forwards", *zip(*keys, strict=True))
    return [row["message_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Numbered:
    """An envelope that was published under a number."""

    message_id: UUID
    sequence: int
    kind: str
    version: int


async def numbered(tx: Transaction, pair: Pair, numbers: Sequence[int]) -> list[Numbered]:
    """Return what *pair* has published under these numbers; one never given is left out."""
    rows = await tx.fetch(
        "outbox/numbered", pair.node, pair.recipient, pair.plane.value, list(numbers)
    )
    return [Numbered(**row) for row in rows]
