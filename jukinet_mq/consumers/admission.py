"""Step 3: what is news, what is a repetition, and what is another envelope in disguise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jukinet_mq.consumers.judging import Judgement
from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import ConflictingEnvelopeError, SequenceReuseError, UntrustedError
from jukinet_mq.store import inbox, quarantine
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival, Key, Known
from jukinet_mq.store.quarantine import Held


@dataclass(frozen=True, slots=True)
class Admitted:
    """A batch, sorted.

    Attributes:
        news: To be archived and handled, in the order of arrival.
        duplicates: Kept before, byte for byte; answered with the receipt already given.
        handled: Those of the duplicates whose handling is done.
        held: In quarantine.
    """

    news: list[Arrival]
    duplicates: list[Arrival]
    held: list[Held]
    handled: list[Arrival]


async def admit(tx: Transaction, judged: Judgement, deliveries: Sequence[Delivery]) -> Admitted:
    """Note the arrivals in the inbox and sort them; quarantine what must be held."""
    first: dict[Key, Arrival] = {}
    again = [a for a in judged.arrivals if first.setdefault(a.key, a) is not a]
    fresh = await inbox.admit(tx, list(first.values()))
    again += [a for key, a in first.items() if key not in fresh]
    known = await inbox.known(tx, [a.key for a in again])
    duplicates, held = _sort(again, known, deliveries)
    held = judged.held + held
    for one in held:
        await quarantine.hold(tx, one)
    return Admitted(
        news=[a for key, a in first.items() if key in fresh],
        duplicates=duplicates,
        held=held,
        # What is a duplicate within this very batch has not been handled yet.
        handled=[a for a in duplicates if a.key not in fresh and known[a.key].state == "done"],
    )


def _sort(
    again: Sequence[Arrival], known: dict[Key, Known], deliveries: Sequence[Delivery]
) -> tuple[list[Arrival], list[Held]]:
    duplicates: list[Arrival] = []
    held: list[Held] = []
    for arrival in again:
        header = arrival.envelope.header
        before = known.get(arrival.key)
        if before is None:
            held.append(_hold(arrival, deliveries, SequenceReuseError(
                f"number {header.sequence} from {header.sender} to {header.recipient} belongs to "
                f"another envelope than {header.id}; open an incident"
            )))  # fmt: skip
        elif before.digest == arrival.envelope.digest:
            duplicates.append(arrival)
        else:
            held.append(_hold(arrival, deliveries, ConflictingEnvelopeError(
                f"envelope {header.id} of {header.sender} was kept before with other bytes; "
                "open an incident"
            )))  # fmt: skip
    return duplicates, held


def _hold(arrival: Arrival, deliveries: Sequence[Delivery], error: UntrustedError) -> Held:
    """Hold an authentic envelope; it is shown as the delivery that brought it."""
    header = arrival.envelope.header
    brought = str(arrival.carried_by or header.id)
    delivery = next(d for d in deliveries if d.message_id == brought and d.node == arrival.node)
    error.facts.update(header=header)
    return Held(delivery.carrying(arrival.envelope.signed), error, arrival.carried_by)
