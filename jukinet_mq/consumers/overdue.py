"""Finds published envelopes without receipts, resends them by themselves, and calls a person.

An envelope that lies in the queue of a keeper that is away is not lost, and a resend would only
lengthen that queue. So it is resent when its keeper has passed it over: answered what was
relayed well after it, or said `kept` and not yet `processed`. Of a keeper that is silent, one
envelope at a time is resent as a probe; its answer shows whether the others were lost.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from jukinet_mq import telemetry
from jukinet_mq.messages import CATALOGUE, Keeper, Owed, ReceiptLevel, find_kind, owed_by
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.retry import Patience
from jukinet_mq.store import outbox, overdue
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.overdue import Awaited, Heard, Listed, Next, OwedCount

DUE_MAX: Final = 500
"""Envelopes that one transaction looks at."""
ROUNDS_MAX: Final = 200
"""Transactions of one round; the rest waits for the next."""
PASSED_AFTER: Final = timedelta(minutes=1)
"""How much later something must have been relayed for its answer to show that a keeper has passed
an envelope over; workers side by side answer less out of order than this."""
PROBE_EVERY: Final = timedelta(minutes=5)
SILENT_AFTER: Final = 3
"""Probes without an answer until a person is told that a keeper is silent."""
LOOK_AGAIN: Final = timedelta(minutes=15)
"""For what only its keeper's return can move."""
PAIRS_MAX: Final = 50_000
"""Pairs of nodes whose keepers are remembered."""
ALARMED_AGAIN: Final = timedelta(hours=1)
"""For what a person was told about; a receipt that comes after all still closes it."""


async def chase(database: Database) -> None:
    """Find what lacks receipts, and resend or report what is overdue: one round."""
    for _ in range(ROUNDS_MAX):
        async with database.transaction() as tx:
            more = await overdue.search(tx, owed_counts())
        if not more:
            break
    for _ in range(ROUNDS_MAX):
        async with database.transaction() as tx:
            rows = await overdue.due(tx, limit=DUE_MAX)
            decided = await _act(tx, rows)
        decided.tell()
        if len(rows) < DUE_MAX:
            break


async def outstanding(
    tx: Transaction, node: str | None, *, limit: int
) -> list[tuple[Listed, list[NodeCode]]]:
    """Return the envelopes of *node* (all: None) that lack receipts, and whose they lack."""
    found = [
        (one, [lack.keeper for lack in lacking(one.awaited)])
        for one in await overdue.listed(tx, node, limit=limit)
    ]
    return [(one, keepers) for one, keepers in found if keepers]


@cache
def owed_counts() -> tuple[OwedCount, ...]:
    """Return how many receipts each kind owes, within one prefecture and between two."""
    return tuple(
        OwedCount(
            kind.name,
            kind.version,
            home,
            keepers=_count(kind.keepers, home=home),
            actors=_count(kind.actors, home=home),
        )
        for kind in CATALOGUE
        if kind.answered
        for home in (True, False)
    )


def _count(keepers: Sequence[Keeper], *, home: bool) -> int:
    once = {Keeper.RECIPIENT_PREFECTURE: Keeper.SENDER_PREFECTURE} if home else {}
    return len({once.get(keeper, keeper) for keeper in keepers})


class Lacking(NamedTuple):
    """A receipt that has not come.

    Attributes:
        due_at: When to do something about it; None while it is another keeper's turn.
        spoken: Whether the keeper has said `kept`.
    """

    keeper: NodeCode
    due_at: datetime | None
    spoken: bool


@lru_cache(maxsize=PAIRS_MAX)
def _owed(kind: str, version: int, node: NodeCode, recipient: NodeCode) -> tuple[Owed, ...]:
    known = find_kind(kind, version)
    if known is None:
        return ()
    nodes = directory()
    return owed_by(known, nodes.node(node), nodes.node(recipient), nodes)


Said = Mapping[str, datetime]
"""What one keeper has answered: when each level came."""


def lacking(row: Awaited) -> list[Lacking]:
    """Say whose receipts have not come yet."""
    owed = _owed(row.kind, row.version, row.node, row.recipient)
    said: dict[str, dict[str, datetime]] = {one.keeper: {} for one in owed}
    for answer in row.answers:
        said.setdefault(answer.keeper, {})[answer.level] = answer.received_at
    direct = [said[one.keeper] for one in owed if not one.by_forward]
    refused = any(ReceiptLevel.REJECTED in each for each in direct)
    return [
        Lacking(
            one.keeper,
            _due_at(row, one, said[one.keeper], direct),
            spoken=ReceiptLevel.KEPT in said[one.keeper],
        )
        for one in owed
        # What its direct keeper has refused is never forwarded.
        if not (_is_settled(one, said[one.keeper]) or (one.by_forward and refused))
    ]


def _is_settled(owed: Owed, said: Said) -> bool:
    if ReceiptLevel.REJECTED in said or ReceiptLevel.PROCESSED in said:
        return True
    return owed.level is ReceiptLevel.KEPT and ReceiptLevel.KEPT in said


def _due_at(row: Awaited, owed: Owed, said: Said, direct: Sequence[Said]) -> datetime | None:
    """Return when patience ends; it begins with the relay, or when a forward could begin."""
    begun = [row.relayed_at]
    if owed.by_forward:
        begun += [each.get(ReceiptLevel.PROCESSED) for each in direct]
    known = [at for at in begun if at is not None]
    if len(known) < len(begun):
        return None
    patience = _patience(row)
    return max(known) + (patience.processed if ReceiptLevel.KEPT in said else patience.kept)


def _patience(row: Awaited) -> Patience:
    kind = find_kind(row.kind, row.version)
    return Patience() if kind is None else kind.patience


@dataclass(slots=True)
class Decided:
    """What a round does about the envelopes it looks at."""

    at: datetime
    heard: dict[str, Heard]
    closed: list[Awaited] = field(default_factory=list)
    nexts: list[Next] = field(default_factory=list)
    resent: list[UUID] = field(default_factory=list)
    alarmed: list[tuple[Awaited, list[str]]] = field(default_factory=list)
    probed: dict[str, int] = field(default_factory=dict)

    def look_at(self, row: Awaited) -> None:
        """Decide about one envelope: closed, wait, resend or alarm."""
        missing = lacking(row)
        late = [one for one in missing if one.due_at is not None and one.due_at <= self.at]
        if not missing:
            self.closed.append(row)
        elif row.alarmed_at is not None:
            self._wait(row, self.at + ALARMED_AGAIN)
        elif row.relayed_at is not None and (row.suspect or late):
            silent = [one.keeper for one in late if not self._has_passed(row.relayed_at, one)]
            self._press(row, missing, silent, lost=row.suspect or len(silent) < len(late))
        else:
            dates = [one.due_at for one in missing if one.due_at is not None]
            self._wait(row, min(dates, default=self.at + _patience(row).kept))

    def _press(
        self, row: Awaited, missing: Sequence[Lacking], silent: Sequence[NodeCode], *, lost: bool
    ) -> None:
        """Resend what is lost or tries a silent keeper; alarm when that was done often enough."""
        policy = _patience(row).resends
        pause = policy.delay(row.resends + 1, jitter=random.random())  # noqa: S311  # spreads
        probes = [keeper for keeper in silent if self._may_probe(keeper)]
        if not lost and not probes:
            self._wait(row, self.at + LOOK_AGAIN * (0.5 + random.random() / 2))  # noqa: S311
        elif pause is None:
            self.alarmed.append((row, [one.keeper for one in missing]))
            self.nexts.append(
                Next(row.message_id, self.at + ALARMED_AGAIN, row.resends, alarmed_at=self.at)
            )
        else:
            for keeper in probes:
                self._probe(keeper)
            self.resent.append(row.message_id)
            self.nexts.append(Next(row.message_id, self.at + pause, row.resends + 1, None))

    def _has_passed(self, relayed_at: datetime, one: Lacking) -> bool:
        """Tell whether the keeper was there after this envelope must have come to it."""
        heard = self.heard.get(one.keeper, Heard()).relayed_at
        return one.spoken or (heard is not None and heard >= relayed_at + PASSED_AFTER)

    def _may_probe(self, keeper: str) -> bool:
        probed_at = self.heard.get(keeper, Heard()).probed_at
        return probed_at is None or probed_at <= self.at - PROBE_EVERY

    def _probe(self, keeper: str) -> None:
        before = self.heard.get(keeper, Heard())
        self.heard[keeper] = Heard(before.relayed_at, before.probes + 1, self.at)
        self.probed[keeper] = before.probes + 1

    def _wait(self, row: Awaited, due_at: datetime) -> None:
        self.nexts.append(Next(row.message_id, due_at, row.resends, row.alarmed_at))

    def tell(self) -> None:
        """Say what was resent and who is told; once the transaction has committed."""
        if self.resent:
            telemetry.emit(telemetry.ENVELOPES_RESENT, envelopes=len(self.resent))
        for row, keepers in self.alarmed:
            telemetry.emit(
                telemetry.RECEIPTS_OVERDUE,
                node=row.node,
                message_id=str(row.message_id),
                kind=row.kind,
                keepers=" ".join(keepers),
                resends=row.resends,
            )
        for row in self.closed:
            if row.alarmed_at is not None:
                telemetry.emit(
                    telemetry.RECEIPTS_ARRIVED, node=row.node, message_id=str(row.message_id)
                )
        for keeper, probes in self.probed.items():
            if probes == SILENT_AFTER:
                telemetry.emit(telemetry.KEEPER_SILENT, keeper=keeper, probes=probes)


async def _act(tx: Transaction, rows: Sequence[Awaited]) -> Decided:
    keepers = {one.keeper for row in rows for one in lacking(row)}
    decided = Decided(tx.at, await overdue.heard(tx, keepers))
    for row in rows:
        decided.look_at(row)
    await overdue.close(tx, [row.message_id for row in decided.closed])
    await overdue.write(tx, decided.nexts)
    await overdue.probed(tx, list(decided.probed))
    if decided.resent:
        await outbox.relay_again(tx, decided.resent)
    return decided
