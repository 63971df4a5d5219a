"""Finds published envelopes without receipts, resends them by themselves, and calls a person.

An envelope that lies in the queue of a keeper that is away is not lost, and a resend would only
lengthen that queue. So it is resent when its keeper has passed it over: answered what was
relayed well after it, or fell silent after what was relayed no earlier, or said `kept` and not yet
`processed`. Of a keeper that is silent, one envelope at a time is resent as a probe: the one
relayed last, which a keeper that has a backlog answers last, and one that has lost its queue first.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final
from uuid import UUID

from jukinet_mq import telemetry
from jukinet_mq.consumers.owing import Lacking, lacking, owed_counts, patience_of
from jukinet_mq.nodes import NodeCode
from jukinet_mq.store import outbox, overdue
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.overdue import Awaited, Heard, Next

DUE_MAX: Final = 500
"""Envelopes that one transaction looks at."""
ROUNDS_MAX: Final = 200
"""Transactions of one round; the rest waits for the next."""
PASSED_AFTER: Final = timedelta(minutes=1)
"""How much later something must have been relayed for its answer to show that a keeper has passed
an envelope over; workers side by side answer less out of order than this."""
SILENT_FOR: Final = timedelta(minutes=1)
"""A keeper that works through a backlog answers something in less."""
PROBE_EVERY: Final = timedelta(minutes=5)
SILENT_AFTER: Final = 3
"""Probes without an answer until a person is told that a keeper is silent."""
LOOK_AGAIN: Final = timedelta(minutes=15)
"""For what only its keeper's return can move."""
ALARMED_AGAIN: Final = timedelta(hours=1)
"""For what a person was told about; a receipt that comes after all still closes it."""


async def chase(database: Database) -> None:
    """Find what lacks receipts, and resend or report what is overdue: one round."""
    for _ in range(ROUNDS_MAX):
        async with database.transaction() as tx:
            more = await overdue.search(tx, owed_counts())
        if not more:
            break
    probes: dict[str, Awaited] = {}
    for _ in range(ROUNDS_MAX):
        async with database.transaction() as tx:
            rows = await overdue.due(tx, limit=DUE_MAX)
            decided = await _act(tx, rows)
        decided.tell()
        for keeper, row in decided.probes.items():
            probes[keeper] = _later(probes.get(keeper), row)
        if len(rows) < DUE_MAX:
            break
    if probes:
        async with database.transaction() as tx:
            counts = await _probe(tx, probes)
        _tell_probed(probes, counts)


@dataclass(slots=True)
class Decided:
    """What is done about some envelopes.

    Attributes:
        probes: Of each silent keeper that may be tried, what was relayed last; resent by `chase`
            once all have been looked at.
    """

    at: datetime
    heard: dict[str, Heard]
    closed: list[Awaited] = field(default_factory=list)
    nexts: list[Next] = field(default_factory=list)
    resent: list[UUID] = field(default_factory=list)
    alarmed: list[tuple[Awaited, list[str]]] = field(default_factory=list)
    probes: dict[str, Awaited] = field(default_factory=dict)

    def look_at(self, row: Awaited) -> None:
        """Decide about one envelope: closed, wait, resend or alarm."""
        missing = lacking(row)
        late = [one for one in missing if one.due_at is not None and one.due_at <= self.at]
        if not missing:
            self.closed.append(row)
        elif row.alarmed_at is not None:
            self._wait(row, self.at + ALARMED_AGAIN)
        elif row.relayed_at is not None and (row.suspect or late):
            silent = [one.keeper for one in late if not self._has_passed(one)]
            self._press(row, missing, silent, lost=row.suspect or len(silent) < len(late))
        else:
            dates = [one.due_at for one in missing if one.due_at is not None]
            self._wait(row, min(dates, default=self.at + patience_of(row).kept))

    def _press(
        self, row: Awaited, missing: Sequence[Lacking], silent: Sequence[NodeCode], *, lost: bool
    ) -> None:
        """Resend what is lost, or name it as a probe; alarm when that was done often enough."""
        pause = _pause(row)
        probed = [keeper for keeper in silent if self._may_probe(keeper)]
        if not lost and not (probed and pause is None):
            for keeper in probed:
                self.probes[keeper] = _later(self.probes.get(keeper), row)
            self._wait(row, self.at + LOOK_AGAIN * (0.5 + random.random() / 2))  # noqa: S311
        elif pause is None:
            self.alarmed.append((row, [one.keeper for one in missing]))
            self.nexts.append(
                Next(row.message_id, self.at + ALARMED_AGAIN, row.resends, alarmed_at=self.at)
            )
        else:
            self.resent.append(row.message_id)
            self.nexts.append(Next(row.message_id, self.at + pause, row.resends + 1, None))

    def _has_passed(self, one: Lacking) -> bool:
        """Tell whether the keeper was there after this envelope must have come to it."""
        heard = self.heard.get(one.keeper, Heard())
        if one.spoken or heard.relayed_at is None or one.begun_at is None:
            return one.spoken
        disorder = timedelta(0) if self._is_silent(heard) else PASSED_AFTER
        return heard.relayed_at >= one.begun_at + disorder

    def _may_probe(self, keeper: str) -> bool:
        heard = self.heard.get(keeper, Heard())
        due = heard.probed_at is None or heard.probed_at <= self.at - PROBE_EVERY
        return due and self._is_silent(heard)

    def _is_silent(self, heard: Heard) -> bool:
        return heard.heard_at is None or heard.heard_at <= self.at - SILENT_FOR

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


async def _act(tx: Transaction, rows: Sequence[Awaited]) -> Decided:
    keepers = {one.keeper for row in rows for one in lacking(row)}
    decided = Decided(tx.at, await overdue.heard(tx, keepers))
    for row in rows:
        decided.look_at(row)
    await overdue.close(tx, [row.message_id for row in decided.closed])
    await overdue.write(tx, decided.nexts)
    if decided.resent:
        await outbox.relay_again(tx, decided.resent)
    return decided


async def _probe(tx: Transaction, probes: Mapping[str, Awaited]) -> dict[str, int]:
    """Resend these to learn whether their keepers are there; return how often each was tried."""
    rows = {row.message_id: row for row in probes.values()}
    await overdue.write(
        tx,
        [
            Next(row.message_id, tx.at + pause, row.resends + 1, None)
            for row in rows.values()
            if (pause := _pause(row)) is not None
        ],
    )
    await outbox.relay_again(tx, rows)
    await overdue.probed(tx, list(probes))
    heard = await overdue.heard(tx, probes)
    return {keeper: heard[keeper].probes for keeper in probes}


def _tell_probed(probes: Mapping[str, Awaited], counts: Mapping[str, int]) -> None:
    envelopes = len({row.message_id for row in probes.values()})
    telemetry.emit(telemetry.ENVELOPES_RESENT, envelopes=envelopes)
    for keeper, count in counts.items():
        if count == SILENT_AFTER:
            telemetry.emit(telemetry.KEEPER_SILENT, keeper=keeper, probes=count)


def _pause(row: Awaited) -> timedelta | None:
    """Return how long to wait after the next resend; None when there were enough."""
    return patience_of(row).resends.delay(row.resends + 1, jitter=random.random())  # noqa: S311


def _later(one: Awaited | None, other: Awaited) -> Awaited:
    """Return what was relayed later; both were relayed."""
    if one is None or one.relayed_at is None or other.relayed_at is None:
        return other
    return max(one, other, key=attrgetter("relayed_at"))
