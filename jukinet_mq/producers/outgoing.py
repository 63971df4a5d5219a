"""What handlers want to publish, collected until their transaction may lock the counters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from jukinet_mq.producers.publisher import Draft, Prepared, Publisher
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.outbox import Pair


class Outgoing:
    """Stands in for a publisher while envelopes are handled.

    A transaction locks the counters of pairs once, after all effects (ADR 28); so what several
    handlers want to publish is numbered together. What is wrong with a draft is still found at
    once, so that only the envelope that led to it fails.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._prepared: list[Prepared] = []
        self._undated: set[Pair] = set()

    def check(self, draft: Draft, *, today: date) -> None:
        """See `Publisher.check`."""
        self._publisher.check(draft, today=today)

    async def publish(
        self, tx: Transaction, drafts: Sequence[Draft], *, undated: Collection[Pair] = ()
    ) -> None:
        """Check and seal *drafts*; `flush` publishes them.

        Raises:
            JukinetError: As `Publisher.publish`.
        """
        self._prepared += self._publisher.prepare(drafts, at=tx.at)
        self._undated |= set(undated)

    def add(self, other: Outgoing) -> None:
        """Publish what *other* has collected, too."""
        self._prepared += other._prepared
        self._undated |= other._undated

    async def flush(self, tx: Transaction) -> None:
        """Put all of it into the outbox, in the order in which it was collected."""
        await self._publisher.put(tx, self._prepared, undated=self._undated)
