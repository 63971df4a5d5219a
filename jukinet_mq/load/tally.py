"""What a run has done, per kind: how many, how far, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from jukinet_mq.load.keepers import Duty, duties
from jukinet_mq.load.measure import Percentiles, percentiles
from jukinet_mq.messages import CATALOGUE
from jukinet_mq.nodes import NATIONAL_NODE, NodeCode, Tier
from jukinet_mq.store.proof import Answer, Books, Handled, Published


@dataclass(slots=True)
class KindTally:
    """One kind's envelopes, and the copies and receipts that they lead to.

    Delays are in seconds, from the instant of the publisher's transaction to that of the
    keeper's transaction which kept and handled the envelope.

    Attributes:
        to_keep: Copies that keepers must hold, their sender's own not counted.
        to_process: Of these, copies whose keeper opens and handles them.
        to_receipt: Receipts that senders must get in the end.
        delays: To the recipient.
        national_delays: To J-LIS, where it is a keeper and not the recipient.
    """

    kind: str
    published: int = 0
    to_keep: int = 0
    kept: int = 0
    to_process: int = 0
    processed: int = 0
    to_receipt: int = 0
    receipted: int = 0
    delays: list[float] = field(default_factory=list, repr=False)
    national_delays: list[float] = field(default_factory=list, repr=False)

    @property
    def delay(self) -> Percentiles | None:
        """Delay to the recipient."""
        return percentiles(self.delays)

    @property
    def national_delay(self) -> Percentiles | None:
        """Delay to J-LIS as a further keeper."""
        return percentiles(self.national_delays)


def tally(books: Mapping[Tier, Books], since: Mapping[Tier, int]) -> list[KindTally]:
    """Count what was published after *since* (outbox position per tier), in the catalogue's order.

    Kinds of which nothing was published are left out.
    """
    handled = {(row.message_id, row.node): row for book in books.values() for row in book.handled}
    answered = {
        (answer.message_id, answer.keeper, answer.level) for answer in _matching(books.values())
    }
    found = {kind.name: KindTally(kind.name) for kind in CATALOGUE}
    for tier, book in books.items():
        for one in book.published:
            if one.position > since[tier]:
                _count(found[one.kind], one, handled, answered)
    return [kind for kind in found.values() if kind.published]


def _matching(books: Iterable[Books]) -> Iterable[Answer]:
    return (answer for book in books for answer in book.answers if answer.matches)


def _count(
    kind: KindTally,
    one: Published,
    handled: Mapping[tuple[UUID, NodeCode], Handled],
    answered: set[tuple[UUID, NodeCode, str]],
) -> None:
    kind.published += 1
    for duty in duties(one.kind, one.version, one.sender, one.recipient):
        kind.to_keep += 1
        kind.to_process += duty.opens
        if duty.level is not None:
            kind.to_receipt += 1
            kind.receipted += (one.message_id, duty.keeper, duty.level) in answered
        row = handled.get((one.message_id, duty.keeper))
        if row is not None:
            kind.kept += 1
            kind.processed += duty.opens and row.state == "done"
            _clock(kind, one, duty, row)


def _clock(kind: KindTally, one: Published, duty: Duty, row: Handled) -> None:
    ended = row.handled_at if duty.opens else row.kept_at
    if ended is None:
        return
    # The two instants are two clocks': what is kept before it was published took no time.
    seconds = max(0.0, (ended - one.published_at).total_seconds())
    if duty.keeper == one.recipient:
        kind.delays.append(seconds)
    elif duty.keeper == NATIONAL_NODE:
        kind.national_delays.append(seconds)
