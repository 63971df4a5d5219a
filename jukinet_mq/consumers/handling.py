"""Step 5: the effects, each kind's handler on the whole of its group, alone when that fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from jukinet_mq import telemetry
from jukinet_mq.consumers.results import Done, Handler, Handlers, Park, Result, Retry, Workplace
from jukinet_mq.errors import ConfigurationError, JukinetError, NotNowError, RejectedError, summary
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival


@dataclass(frozen=True, slots=True)
class Outcome:
    """How handling one arrival ended. `result` is None where there was nothing to handle."""

    arrival: Arrival
    result: Result | None
    error: str | None = None

    def tell(self) -> None:
        """Say it as the delivery's one canonical event."""
        header = self.arrival.envelope.header
        why: dict[str, str] = {}
        match self.result:
            case None | Done():
                event = telemetry.DELIVERY_SETTLED
            case Retry():
                event, why = telemetry.ENVELOPE_RETRIED, {"reason": self.result.reason}
            case Park():
                event, why = telemetry.ENVELOPE_PARKED, {"reason": self.result.reason}
            case _:
                assert_never(self.result)
        if self.error is not None:
            why["error"] = self.error
        telemetry.emit(
            event,
            node=self.arrival.node,
            message_id=str(header.id),
            kind=header.kind,
            sender=header.sender,
            outcome="kept" if self.result is None else type(self.result).__name__.lower(),
            **why,
        )


async def handle(
    tx: Transaction, arrivals: Sequence[Arrival], handlers: Handlers, work: Workplace
) -> list[Outcome]:
    """Let every arrival's handler write its effects; return the outcomes in the order given.

    Evidence that this node cannot open and kinds without a handler are kept, nothing more. Kinds
    are handled in one order, and what they publish is numbered at the end, since both lock rows
    (ADR 28).

    Raises:
        NotNowError: Infrastructure is away; the whole batch must be tried again later.
    """
    groups: defaultdict[str, list[Arrival]] = defaultdict(list)
    outcomes: dict[int, Outcome] = {}
    for arrival in arrivals:
        if arrival.envelope.body is not None and arrival.envelope.header.kind in handlers:
            groups[arrival.envelope.header.kind].append(arrival)
        else:
            outcomes[id(arrival)] = Outcome(arrival, None)
    all_work = Workplace(work.publisher)
    for kind, group in sorted(groups.items()):
        for outcome in await _handle_group(tx, group, handlers[kind], all_work):
            outcomes[id(outcome.arrival)] = outcome
    await all_work.outgoing.flush(tx)
    return [outcomes[id(arrival)] for arrival in arrivals]


async def _handle_group(
    tx: Transaction, group: Sequence[Arrival], handler: Handler, work: Workplace
) -> list[Outcome]:
    mine = Workplace(work.publisher)
    try:
        async with tx.savepoint():
            results = await handler(tx, group, work=mine)
        work.outgoing.add(mine.outgoing)
        return [Outcome(a, r) for a, r in zip(group, results, strict=True)]
    except (NotNowError, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it is one envelope's at most
        if len(group) == 1:
            return [_failed(group[0], error)]
    outcomes: list[Outcome] = []
    for arrival in group:
        outcomes += await _handle_group(tx, [arrival], handler, work)
    return outcomes


def _failed(arrival: Arrival, error: Exception) -> Outcome:
    return Outcome(arrival, _verdict(error), error=summary(error))


def _verdict(error: Exception) -> Result:
    """An error that repeating cannot change parks; any other is tried again by the policy."""
    if isinstance(error, RejectedError):
        return Park(error.reason)
    return Retry(error.reason if isinstance(error, JukinetError) else "handler_failed")
