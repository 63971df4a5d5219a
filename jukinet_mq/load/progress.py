"""How far a run is, read from the databases, and whether it is at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from jukinet_mq.config import Settings
from jukinet_mq.load.keepers import duties
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.store import proof
from jukinet_mq.store.database import Database
from jukinet_mq.store.proof import Books, Mark, Progress

LOOK_EVERY: Final = timedelta(seconds=0.3)
LOOK_SHARE_MAX: Final = 0.05
"""Counting takes no more than this share of the time, until the books have grown very large."""
REST_MAX: Final = timedelta(seconds=10)
"""Who looks more rarely cannot tell what is slow from what has stalled."""
STALLED_AFTER: Final = timedelta(seconds=45)
UNDER_WAY: Final = ("outbox_waiting", "inbox_pending", "receipts_due", "filings_waiting")
"""What workers still have to do; the rest of what may be left is for a person."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a run is.

    Attributes:
        published: Envelopes in outboxes, of all tiers.
        relayed: Of these, confirmed by the broker.
        kept: By tier, how many were kept, and how many must be.
        done: By tier, how many of the kept are handled.
        receipts: How many receipts have come, and how many must.
        under_way: What waits in the databases.
    """

    published: int = 0
    relayed: int = 0
    kept: Mapping[Tier, tuple[int, int]] = field(default_factory=dict)
    done: Mapping[Tier, int] = field(default_factory=dict)
    receipts: tuple[int, int] = (0, 0)
    under_way: int = 0

    @property
    def complete(self) -> bool:
        """Whether everything published so far is kept, handled and answered."""
        return (
            self.published == self.relayed
            and self.under_way == 0
            and all(have >= must for have, must in self.kept.values())
            and self.receipts[0] >= self.receipts[1]
        )


def reached(tiers: Mapping[Tier, Progress]) -> Reached:
    """Sum up what three databases say."""
    groups = [group for progress in tiers.values() for group in progress.groups]
    must_keep = dict.fromkeys(tiers, 0)
    must_answer = 0
    for group in groups:
        for duty in duties(group.kind, group.version, group.sender, group.recipient):
            must_keep[duty.tier] += group.published
            must_answer += group.published * (duty.level is not None)
    return Reached(
        published=sum(group.published for group in groups),
        relayed=sum(group.relayed for group in groups),
        kept={tier: (progress.kept, must_keep[tier]) for tier, progress in tiers.items()},
        done={tier: progress.done for tier, progress in tiers.items()},
        receipts=(sum(progress.answered for progress in tiers.values()), must_answer),
        under_way=sum(
            count
            for progress in tiers.values()
            for name, count in progress.left
            if name in UNDER_WAY
        ),
    )


@dataclass(frozen=True, slots=True)
class Country:
    """The three databases, for reading."""

    databases: Mapping[Tier, Database]

    async def marks(self) -> dict[Tier, Mark]:
        """Return the present ends of the books."""
        found = {}
        for tier, database in self.databases.items():
            async with database.transaction() as tx:
                found[tier] = await proof.mark(tx)
        return found

    async def progress(self, since: Mapping[Tier, Mark]) -> Reached:
        """Count how far the run since *since* is."""
        found = await asyncio.gather(
            *(self._progress(tier, since[tier]) for tier in self.databases)
        )
        return reached(dict(zip(self.databases, found, strict=True)))

    async def books(self, since: Mapping[Tier, Mark]) -> dict[Tier, Books]:
        """Read the whole books of all tiers."""
        found = {}
        for tier, database in self.databases.items():
            async with database.transaction() as tx:
                found[tier] = await proof.read_books(tx, since=since[tier].at)
        return found

    async def is_kept(self, message_id: UUID, node: NodeCode) -> bool:
        """Say whether *node* has kept an envelope."""
        async with self.databases[directory().node(node).tier].transaction() as tx:
            return await proof.is_kept(tx, message_id, node)

    async def _progress(self, tier: Tier, since: Mark) -> Progress:
        async with self.databases[tier].transaction() as tx:
            return await proof.read_progress(tx, since)


@dataclass(frozen=True, slots=True)
class Following:
    """Watches the databases until a run is at its end.

    Attributes:
        check: Called at every look; raises when going on makes no sense.
        tell: Is told what was found.
    """

    country: Country
    marks: Mapping[Tier, Mark]
    check: Callable[[], None]
    tell: Callable[[Reached], None]
    every: timedelta = LOOK_EVERY

    async def look(self) -> Reached:
        """Count once, tell it, and pause."""
        self.check()
        started = time.monotonic()
        reached = await self.country.progress(self.marks)
        self.tell(reached)
        rest = min((time.monotonic() - started) / LOOK_SHARE_MAX, REST_MAX.total_seconds())
        await asyncio.sleep(max(self.every.total_seconds(), rest))
        return reached

    async def until(self, ended: Callable[[], bool]) -> None:
        """Look until *ended*."""
        while not ended():
            await self.look()

    async def until_complete(self) -> Reached:
        """Look until nothing is under way twice in a row, or nothing has moved for long.

        The three databases are not read at one instant; what is complete and has not changed
        between two looks was complete in between. What never is, is returned as it stands.
        """
        before, moved = await self.look(), time.monotonic()
        while time.monotonic() - moved < STALLED_AFTER.total_seconds():
            now = await self.look()
            if now != before:
                before, moved = now, time.monotonic()
            elif now.complete:
                break
        return before


@asynccontextmanager
async def open_country(given: Settings) -> AsyncIterator[Country]:
    """Open all three databases; only who counts afterwards may see more than one."""
    async with AsyncExitStack() as stack:
        yield Country(
            {
                tier: await stack.enter_async_context(
                    Database(given.database_url(tier), connections_max=2)
                )
                for tier in Tier
            }
        )
