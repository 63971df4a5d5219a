"""Relays published envelopes again, the same bytes, because an operator says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from jukinet_mq import telemetry
from jukinet_mq.consumers.pacing import Pace, Pacer
from jukinet_mq.store import outbox, resend
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.parked import Span
from jukinet_mq.store.resend import Relayed, RelayedFilter


async def relay_again(
    database: Database,
    wanted: RelayedFilter,
    *,
    pace: Pace,
    apply: bool,
    tell: Callable[[Sequence[Relayed]], None],
) -> None:
    """Put all that is *wanted* back in line; *tell* hears of every batch once it is committed.

    Each batch is a transaction. Repeating harms nothing: a keeper answers what it has kept with
    the receipt already given.

    Raises:
        DatabaseUnavailableError: What *tell* has heard of is done, and perhaps one batch more.
    """
    async with database.transaction() as tx:
        span = Span(0, await resend.last(tx))
    pacer = Pacer(pace if apply else Pace())
    while True:
        await pacer.wait()
        found = await database.run(
            partial(_take, wanted=wanted, span=span, limit=pace.batch, apply=apply), name="resend"
        )
        if not found:
            return
        if apply:
            telemetry.emit(telemetry.ENVELOPES_RESENT, envelopes=len(found))
        tell(found)
        pacer.done += len(found)
        span = span._replace(after=found[-1].position)


async def _take(
    tx: Transaction, *, wanted: RelayedFilter, span: Span, limit: int, apply: bool
) -> list[Relayed]:
    found = await resend.relayed(tx, wanted, span=span, limit=limit)
    if apply and found:
        await outbox.relay_again(tx, [one.message_id for one in found])
    return found
