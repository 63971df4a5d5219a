"""Step 3: what is news, what is a repetition, and what is another envelope in disguise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jukinet_mq.consumers.judging import Judgement
from jukinet_mq.errors import (
    ConflictingEnvelopeError,
    InvariantError,
    SequenceReuseError,
    UntrustedError,
)
from jukinet_mq.store import inbox, quarantine_intake
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival, Key, Known
from jukinet_mq.store.quarantine_intake import Held


@dataclass(frozen=True, slots=True)
class Admitted:
    """A batch, sorted.

    Attributes:
        news: To be archived and handled, in the order of arrival.
        duplicates: Kept before, byte for byte; answered with the receipt already given.
        handled: Those of the duplicates whose handling is done.
        held: In quarantine, with their bytes.
        counted: Not held, only counted: too many of their cause are held already.
    """

    news: list[Arrival]
    duplicates: list[Arrival]
    handled: list[Arrival]
    held: list[Held]
    counted: list[Held]

    @property
    def untrusted(self) -> list[Held]:
        """What is held and what is counted."""
        return [*self.held, *self.counted]


async def admit(tx: Transaction, judged: Judgement) -> Admitted:
    """Quarantine what must be held, note the arrivals in the inbox, and sort them."""
    # Before the inbox: an operator's replay locks the two in this order (ADR 28). A conflict shows
    # only in the inbox.
    untrusted = await quarantine_intake.hold(tx, judged.held)
    first: dict[Key, Arrival] = {}
    again = [a for a in judged.arrivals if first.setdefault(a.key, a) is not a]
    fresh = await inbox.admit(tx, list(first.values()))
    again += [a for key, a in first.items() if key not in fresh]
    known = await inbox.known(tx, [a.key for a in again])
    duplicates, conflicts = _sort(again, known)
    conflicting = await quarantine_intake.hold(tx, conflicts)
    return Admitted(
        news=[a for key, a in first.items() if key in fresh],
        duplicates=duplicates,
        # What is a duplicate within this very batch has not been handled yet.
        handled=[a for a in duplicates if a.key not in fresh and known[a.key].state == "done"],
        held=untrusted.held + conflicting.held,
        counted=untrusted.counted + conflicting.counted,
    )


def _sort(again: Sequence[Arrival], known: dict[Key, Known]) -> tuple[list[Arrival], list[Held]]:
    duplicates: list[Arrival] = []
    held: list[Held] = []
    for arrival in again:
        header = arrival.envelope.header
        before = known.get(arrival.key)
        if before is None:
            held.append(_hold(arrival, SequenceReuseError(
                f"number {header.sequence} from {header.sender} to {header.recipient} belongs to "
                f"another envelope than {header.id}; open an incident"
            )))  # fmt: skip
        elif before.digest == arrival.envelope.digest:
            duplicates.append(arrival)
        else:
            held.append(_hold(arrival, ConflictingEnvelopeError(
                f"envelope {header.id} of {header.sender} was kept before with other bytes; "
                "open an incident"
            )))  # fmt: skip
    return duplicates, held


def _hold(arrival: Arrival, error: UntrustedError) -> Held:
    """Hold an authentic envelope as the very delivery that brought it.

    Never as another of the batch that claims the same id: that one may be genuine.
    """
    if arrival.brought_by is None:
        raise InvariantError(f"envelope {arrival.envelope.header.id} was admitted, but not brought")
    error.facts.update(header=arrival.envelope.header)
    return Held(arrival.brought_by.carrying(arrival.envelope.signed), error, arrival.carried_by)
