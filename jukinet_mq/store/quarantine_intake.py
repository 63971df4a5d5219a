"""Puts deliveries that are not trusted into quarantine, in batches that a flood cannot inflate.

Of one cause (node, reason, login) the first 100 open deliveries are held with their bytes. What
comes beyond is counted, and every 1,000th of it held as a sample, until an operator has decided
about what is held.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from jukinet_mq.envelope import SIZE_MAX, Delivery, digest_of
from jukinet_mq.errors import JukinetError
from jukinet_mq.store.database import Transaction

CLAIM_LENGTH_MAX: Final = 200
EXPLANATION_LENGTH_MAX: Final = 2_000
HELD_WHOLE_MAX: Final = 100
"""Open deliveries of one cause; enough to see what it is."""
SAMPLED_EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery and why it is not trusted.

    Attributes:
        carried_by: The forward whose original the bytes are; what carried them is then what
            carried the forward.
    """

    delivery: Delivery
    error: JukinetError
    carried_by: UUID | None = None

    @property
    def cause(self) -> Cause:
        """What it is counted under."""
        return Cause(self.delivery.node, self.error.reason, _claim(self.delivery.user_id) or "")


class Cause(NamedTuple):
    """Why and by whose doing deliveries are held at a node; login "" where none is known."""

    node: str
    reason: str
    login: str


class _Identity(NamedTuple):
    """What makes a delivery in quarantine one: its bytes, its reason, and what carried it."""

    node: str
    digest: bytes
    reason: str
    carriage: bytes


class _Open(NamedTuple):
    """What lies open of one cause, and how many more were counted since the oldest of it."""

    held: int
    since: datetime
    counted: int


class Intake(NamedTuple):
    """What became of deliveries: held with their bytes, or only counted."""

    held: list[Held]
    counted: list[Held]


async def hold(tx: Transaction, held: Sequence[Held]) -> Intake:
    """Quarantine deliveries.

    The same delivery for the same reason is held once and its arrivals are counted; one that an
    operator has decided about is open again. Two workers at once may hold a few more than 100.
    """
    if not held:
        return Intake([], [])
    identities = [_identity(one) for one in held]
    arrivals = Counter(identities)
    rows: dict[_Identity, Held] = {}
    for identity, one in zip(identities, held, strict=True):
        rows.setdefault(identity, one)
    known = await _known(tx, list(rows))
    opened = await _open(tx, sorted({one.cause for one in rows.values()}))
    news: defaultdict[Cause, list[_Identity]] = defaultdict(list)
    for identity, one in rows.items():
        if identity not in known:
            news[one.cause].append(identity)
    counted: dict[_Identity, Held] = {}
    for cause, some in news.items():
        for identity in _beyond(some, opened.get(cause)):
            counted[identity] = rows.pop(identity)
    await _insert(tx, rows, arrivals)
    await _count(tx, counted, arrivals, opened)
    given = list(zip(identities, held, strict=True))
    return Intake(
        [one for identity, one in given if identity not in counted],
        [one for identity, one in given if identity in counted],
    )


def _beyond(news: Sequence[_Identity], opened: _Open | None) -> list[_Identity]:
    """Return those of *news*, all of one cause, that are only counted."""
    room = HELD_WHOLE_MAX - (opened.held if opened else 0)
    before = opened.counted if opened else 0
    beyond = news[max(room, 0) :]
    return [one for n, one in enumerate(beyond, before + 1) if n % SAMPLED_EVERY]


async def _known(tx: Transaction, identities: Sequence[_Identity]) -> set[_Identity]:
    rows = await tx.fetch("quarantine/known", *zip(*identities, strict=True))
    return {_Identity(*row) for row in rows}


async def _open(tx: Transaction, causes: Sequence[Cause]) -> dict[Cause, _Open]:
    rows = await tx.fetch("quarantine/open", *zip(*causes, strict=True), HELD_WHOLE_MAX)
    return {
        Cause(r["node"], r["reason"], r["login"]): _Open(r["held"], r["since"], r["counted"])
        for r in rows
    }


async def _insert(
    tx: Transaction, rows: dict[_Identity, Held], arrivals: Counter[_Identity]
) -> None:
    if rows:
        values = [_row(identity, one, arrivals[identity]) for identity, one in rows.items()]
        await tx.execute("quarantine/hold", *zip(*values, strict=True), tx.at)


async def _count(
    tx: Transaction,
    counted: dict[_Identity, Held],
    arrivals: Counter[_Identity],
    opened: dict[Cause, _Open],
) -> None:
    deliveries: Counter[Cause] = Counter()
    size: Counter[Cause] = Counter()
    for identity, one in counted.items():
        deliveries[one.cause] += arrivals[identity]
        size[one.cause] += arrivals[identity] * len(one.delivery.signed)
    if deliveries:
        values = [
            (*cause, opened[cause].since if cause in opened else tx.at, number, size[cause])
            for cause, number in sorted(deliveries.items())
        ]
        await tx.execute("quarantine/count", *zip(*values, strict=True), tx.at)


def _identity(held: Held) -> _Identity:
    delivery = held.delivery
    carriage = [*_claims(delivery), held.carried_by and str(held.carried_by)]
    if delivery.undecodable is not None:
        carriage.append(digest_of(delivery.undecodable.raw).hex())
    return _Identity(
        delivery.node,
        digest_of(delivery.signed),
        held.error.reason,
        hashlib.sha256(orjson.dumps(carriage)).digest(),
    )


def _row(identity: _Identity, held: Held, arrivals: int) -> tuple[object, ...]:
    """Return the row: at most 256 KiB of the bytes; size and digest are of the whole."""
    delivery = held.delivery
    login, routing_key, exchange, message_id, kind, content_type = kept = _claims(delivery)
    whole = (
        kept == _properties(delivery)
        and delivery.undecodable is None
        and len(delivery.signed) <= SIZE_MAX
    )
    return (
        *identity, _storable(str(held.error), EXPLANATION_LENGTH_MAX), login, routing_key or "",
        exchange or "", message_id, kind, login, content_type, held.carried_by, whole,
        len(delivery.signed),
        delivery.signed[:SIZE_MAX], delivery.undecodable and delivery.undecodable.raw, arrivals,
    )  # fmt: skip


def _properties(delivery: Delivery) -> tuple[str | None, ...]:
    return (
        delivery.user_id, delivery.routing_key, delivery.exchange, delivery.message_id,
        delivery.type, delivery.content_type,
    )  # fmt: skip


def _claims(delivery: Delivery) -> tuple[str | None, ...]:
    return tuple(map(_claim, _properties(delivery)))


def _claim(text: str | None) -> str | None:
    return None if text is None else _storable(text, CLAIM_LENGTH_MAX)


def _storable(text: str, length_max: int) -> str:
    """Return what a stranger wrote as far as PostgreSQL stores it: no NUL, no half character."""
    return text[:length_max].replace("\0", "�").encode("utf-8", "replace").decode()
