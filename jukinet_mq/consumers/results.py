"""The closed set of what a handler may answer, and what a handler is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jukinet_mq.producers.outgoing import Outgoing
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival


@dataclass(frozen=True, slots=True)
class Done:
    """The effects are written; the sender gets `processed`."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now; the envelope is kept and handled again when its kind's policy says so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """Never by itself; a person decides."""

    reason: str


Result = Done | Retry | Park


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a handler may use besides its transaction.

    Attributes:
        outgoing: What handlers publish by: all of it is numbered when all effects are written.
    """

    publisher: Publisher
    outgoing: Outgoing = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing to publish."""
        object.__setattr__(self, "outgoing", Outgoing(self.publisher))


class Handler(Protocol):
    """Writes the effects of envelopes of one kind at one tier.

    Called with one or more arrivals that are news and whose body is open, in the order of
    their arrival; answers with one result each, in that order. All its writes go through
    *tx*: they become real with the inbox's note, or not at all. If it raises, none of its
    writes stay, and each arrival is tried alone.
    """

    async def __call__(
        self, tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        """Write the effects."""


Handlers = Mapping[str, Handler]
"""By kind name. A kind without a handler is kept and receipted, nothing more."""
