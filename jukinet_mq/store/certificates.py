"""Certificates of card-based moves: issued at the former municipality, held at the destination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Key

ERASED_AT_ONCE_MAX: Final = 1000
"""Certificates that one call of `erase_due` erases."""


class CertificateState(StrEnum):
    """What has become of a certificate that came; see migration 0003."""

    HELD = "held"
    USED = "used"
    REPLACED = "replaced"
    ERASED = "erased"


class Group(NamedTuple):
    """One move-out: all certificates about it share the id."""

    group_id: UUID
    node: NodeCode
    sender: NodeCode


class Question(NamedTuple):
    """Somebody asks *node* about certificates that name all of *codes*."""

    node: NodeCode
    codes: Sequence[str]


class Claim(NamedTuple):
    """A filing at *node* of *codes*, who come from *sender*."""

    node: NodeCode
    sender: NodeCode
    codes: Sequence[str]


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """What the former municipality keeps in order to say it again.

    Attributes:
        content: The body as JSON text.
    """

    group_id: UUID
    node: NodeCode
    recipient: NodeCode
    message_id: UUID
    planned_on: date
    resident_codes: Sequence[str]
    content: str


@dataclass(frozen=True, slots=True)
class ArrivedCertificate:
    """A certificate as the destination takes it in.

    Attributes:
        erase_after: Last day on which it may be held unused.
        body: JSON text; None where it is not held.
        persons: Resident code to the filing that used it, or None.
    """

    key: Key
    group_id: UUID
    event_time: datetime
    planned_on: date
    erase_after: date
    state: CertificateState
    body: str | None
    persons: Mapping[str, UUID | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """One certificate of a group that came before.

    Attributes:
        used: Resident code to the filing that used it.
    """

    key: Key
    order: tuple[datetime, UUID]
    state: CertificateState
    used: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class FoundCertificate:
    """A certificate that names somebody of a filing.

    Attributes:
        body: JSON text; None once everybody on it has filed.
        unused: Whom of the filing it names and who has not filed yet.
        used: Whom of the filing it names and who has.
    """

    message_id: UUID
    planned_on: date
    erase_after: date
    event_time: datetime
    body: str | None
    unused: frozenset[str]
    used: frozenset[str]


class Use(NamedTuple):
    """One person of one certificate, and the filing that it serves."""

    key: Key
    resident_code: str
    filing: UUID


_ISSUED_COLUMNS: Final = (
    "group_id", "node", "recipient", "message_id", "planned_on", "resident_codes", "content",
    "issued_at",
)  # fmt: skip
_HELD_COLUMNS: Final = (
    "message_id", "node", "sender", "group_id", "event_time", "planned_on", "erase_after",
    "state", "body", "ended_at",
)  # fmt: skip
_PERSON_COLUMNS: Final = ("resident_code", "node", "sender", "message_id", "used_by")


async def issue(tx: Transaction, issued: Sequence[IssuedCertificate]) -> None:
    """Keep what was issued; a group is issued once, its envelope may be said again."""
    rows = [
        (i.group_id, i.node, i.recipient, i.message_id, i.planned_on, list(i.resident_codes),
         i.content, tx.at)
        for i in issued
    ]  # fmt: skip
    await tx.copy("certificate_issued", _ISSUED_COLUMNS, rows)


async def issued(tx: Transaction, questions: Sequence[Question]) -> list[str | None]:
    """Return per question the latest certificate, as JSON text, that names all of them."""
    found: list[str | None] = [None] * len(questions)
    if questions:
        rows = [(n, q.node, ",".join(q.codes)) for n, q in enumerate(questions)]
        for n, content in await tx.fetch(
            "relocation/issued_certificates", *zip(*rows, strict=True)
        ):
            found[n] = content
    return found


async def groups(tx: Transaction, wanted: Iterable[Group]) -> dict[Group, list[KnownCertificate]]:
    """Return what is known of these groups, each in the order of its events."""
    known: dict[Group, list[KnownCertificate]] = {group: [] for group in wanted}
    if not known:
        return known
    rows = await tx.fetch("relocation/certificate_groups", *zip(*known, strict=True))
    for r in sorted(rows, key=lambda r: (r["event_time"], r["message_id"])):
        known[Group(r["group_id"], r["node"], r["sender"])].append(
            KnownCertificate(
                key=Key(r["message_id"], r["node"], r["sender"]),
                order=(r["event_time"], r["message_id"]),
                state=CertificateState(r["state"]),
                used={code: UUID(filing) for code, filing in orjson.loads(r["used"]).items()},
            )
        )
    return known


async def replace(tx: Transaction, keys: Sequence[Key]) -> None:
    """Let these give way to a later certificate of their group: their content goes."""
    if keys:
        await _lock(tx, keys)
        await tx.execute("relocation/replace_certificates", *zip(*keys, strict=True), tx.at)


async def take_in(tx: Transaction, arrived: Sequence[ArrivedCertificate]) -> None:
    """Write down certificates that have come."""
    await tx.copy(
        "certificate_held",
        _HELD_COLUMNS,
        [
            (*a.key, a.group_id, a.event_time, a.planned_on, a.erase_after, a.state.value, a.body,
             None if a.state is CertificateState.HELD else tx.at)
            for a in arrived
        ],
    )  # fmt: skip
    await tx.copy(
        "certificate_person",
        _PERSON_COLUMNS,
        [
            (code, a.key.node, a.key.sender, a.key.message_id, filing)
            for a in arrived
            for code, filing in a.persons.items()
        ],
    )


async def find(tx: Transaction, claims: Sequence[Claim]) -> list[list[FoundCertificate]]:
    """Return per claim the certificates that name any of its persons, latest first."""
    found: list[list[FoundCertificate]] = [[] for _ in claims]
    if not claims:
        return found
    rows = [(n, c.node, c.sender, ",".join(c.codes)) for n, c in enumerate(claims)]
    for r in await tx.fetch("relocation/certificates_of", *zip(*rows, strict=True)):
        found[r["n"]].append(
            FoundCertificate(
                message_id=r["message_id"],
                planned_on=r["planned_on"],
                erase_after=r["erase_after"],
                event_time=r["event_time"],
                body=r["body"],
                unused=frozenset(r["unused"] or ()),
                used=frozenset(r["used"] or ()),
            )
        )
    for certificates in found:
        certificates.sort(key=lambda c: (c.event_time, c.message_id), reverse=True)
    return found


async def erased(
    tx: Transaction, traces: Sequence[tuple[NodeCode, NodeCode, date | None]]
) -> list[bool]:
    """Say for each (node, sender, planned day) whether such a certificate was erased here."""
    if not traces:
        return []
    rows = [(n, *trace) for n, trace in enumerate(traces)]
    fits = await tx.fetch("relocation/erased_certificates", *zip(*rows, strict=True))
    numbers = {r["n"] for r in fits}
    return [n in numbers for n in range(len(traces))]


async def use(tx: Transaction, uses: Sequence[Use]) -> set[UUID]:
    """Mark persons as filed; return the filings of whom another filing was quicker.

    Certificates on which everybody has filed become `used` and lose their content.
    """
    if not uses:
        return set()
    rows = [(*u.key, u.resident_code, u.filing) for u in uses]
    keys = sorted({u.key for u in uses})
    await _lock(tx, keys)
    given = await tx.fetch("relocation/use_certificates", *zip(*rows, strict=True))
    got = {(r["resident_code"], r["node"], r["filing"]) for r in given}
    await tx.execute("relocation/close_certificates", *zip(*keys, strict=True), tx.at)
    return {u.filing for u in uses if (u.resident_code, u.key.node, u.filing) not in got}


async def _lock(tx: Transaction, keys: Sequence[Key]) -> None:
    await tx.execute("relocation/lock_certificates", *zip(*keys, strict=True))


async def erase_due(
    tx: Transaction,
    nodes: Iterable[NodeCode] | None,
    today: date,
    *,
    limit: int = ERASED_AT_ONCE_MAX,
) -> int:
    """Erase what may not be held any longer (Act 24-2(4), Order 24-4); return how many.

    Of an erased certificate its content, its persons and its archived envelope are gone; ids,
    dates and the digest stay. PostgreSQL itself refuses a *today* that lies ahead of its own
    day in Japan. Repeat while it returns *limit*.

    Args:
        tx: What is erased is gone when it commits.
        nodes: Only at these nodes; None for all of this database.
        today: The day in Japan.
        limit: Erase no more than this.
    """
    only = None if nodes is None else sorted(nodes)
    rows = await tx.fetch("relocation/erase_due", only, today, limit)
    return int(rows[0][0])
