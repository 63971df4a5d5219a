"""Filing a sample of events at the counters of the nation, in an order that could be real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Final
from uuid import UUID

from jukinet_mq.errors import DatabaseUnavailableError, DeadlineExceededError
from jukinet_mq.load.events import (
    CardMoveIn,
    CardMoveOut,
    PaperMove,
    Relocation,
    SampledEvent,
    as_mapping,
)
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.producers.events import Event, read_event
from jukinet_mq.producers.filings import Outcome, file_events
from jukinet_mq.room import Room
from jukinet_mq.store import proof

CHUNK: Final = 100
"""Events in one transaction: some 60 ms, so that the view stays alive and the relays fed."""
DIVERTED_SHARE: Final = 0.05
"""Of card-based moves that end elsewhere than planned. There the certificate never came, and the
new municipality asks for it (Act 24-2(5))."""
CERTIFICATES_WITHIN: Final = timedelta(seconds=60)
DATABASE_WITHIN: Final = timedelta(seconds=30)
POLL: Final = timedelta(milliseconds=100)


def divert(
    events: Iterable[SampledEvent], *, seed: int, share: float = DIVERTED_SHARE
) -> Iterator[SampledEvent]:
    """Let *share* of the card-based move-ins be filed where somebody else has moved to."""
    random = Random(f"divert/{seed}")
    elsewhere: Relocation | None = None
    for event in events:
        if isinstance(event, CardMoveIn) and random.random() < share:
            yield _diverted(event, elsewhere)
            continue
        if isinstance(event, PaperMove | CardMoveOut):
            elsewhere = event.relocation
        yield event


def _diverted(event: CardMoveIn, elsewhere: Relocation | None) -> CardMoveIn:
    move = event.relocation
    route = directory().route
    if elsewhere is None or route(elsewhere.destination.code) in (
        route(move.origin.code),
        route(move.destination.code),
    ):
        return event
    moved = replace(move, destination=elsewhere.destination, new_address=elsewhere.new_address)
    return replace(event, relocation=moved)


@dataclass(slots=True)
class Filings:
    """What has been filed so far.

    Attributes:
        filed: Number of events.
        diverted: Card-based move-ins at other places than planned.
        examples: The first event of each name with its municipality, to look at afterwards.
        planned: Destination of each card-based move-out.
    """

    filed: int = 0
    diverted: int = 0
    examples: dict[str, tuple[UUID, NodeCode]] = field(default_factory=dict)
    planned: dict[UUID, str] = field(default_factory=dict)

    def note(self, event: Event) -> None:
        """Count *event*."""
        self.filed += 1
        self.examples.setdefault(event.event, (event.event_id, event.node))

    def must_wait(self, event: SampledEvent) -> bool:
        """Say whether *event* needs a certificate that is on its way to where it is filed."""
        if isinstance(event, CardMoveOut):
            self.planned[event.event_id] = event.relocation.destination.code
        if not isinstance(event, CardMoveIn):
            return False
        if self.planned.get(event.follows) == event.relocation.destination.code:
            return True
        self.diverted += 1
        return False


async def file_sample(
    room: Room,
    events: Iterable[SampledEvent],
    *,
    filed: Filings,
    check: Callable[[], None] = lambda: None,
) -> None:
    """File *events* through the real publisher; *filed* tells meanwhile how far it is.

    A card-based move-in is held back until its certificate has been processed at the
    destination; one that was diverted is filed at once.

    Args:
        room: The municipalities' database.
        events: As the sampler gives them.
        filed: Is filled.
        check: Called between transactions; raises when going on makes no sense.

    Raises:
        RejectedError: The publisher refuses an event.
        DeadlineExceededError: Certificates do not arrive.
    """
    held: dict[UUID, CardMoveIn] = {}
    for chunk in _chunks(events):
        now = []
        for event in chunk:
            if filed.must_wait(event) and isinstance(event, CardMoveIn):
                held[event.follows] = event
            else:
                now.append(event)
        await _file(room, now, filed)
        await _file(room, await _arrived(room, held), filed)
        check()
    async for late in _all_arrived(room, held):
        await _file(room, late, filed)
        check()


async def _all_arrived(room: Room, held: dict[UUID, CardMoveIn]) -> AsyncIterator[list[CardMoveIn]]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CERTIFICATES_WITHIN.total_seconds()
    while held:
        arrived = await _arrived(room, held)
        yield arrived
        if arrived:
            deadline = loop.time() + CERTIFICATES_WITHIN.total_seconds()
        elif loop.time() > deadline:
            raise DeadlineExceededError(
                f"{len(held)} certificates have not been processed at their destinations, none "
                f"for {CERTIFICATES_WITHIN.total_seconds():g} s; look into the workers' logs"
            )
        else:
            await asyncio.sleep(POLL.total_seconds())


async def _arrived(room: Room, held: dict[UUID, CardMoveIn]) -> list[CardMoveIn]:
    if not held:
        return []
    async with room.database.transaction() as tx:
        groups = await proof.certificates_arrived(tx, held)
    return [held.pop(group) for group in list(held) if group in groups]


async def file_patiently(room: Room, events: Sequence[Event]) -> list[Outcome]:
    """File *events* in one transaction, again and again while PostgreSQL cannot.

    A server may restart; the events' ids make a repetition harmless.

    Raises:
        RejectedError: The publisher refuses an event.
        DatabaseUnavailableError: It could not for long.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DATABASE_WITHIN.total_seconds()
    while True:
        try:
            return await room.database.run(
                lambda tx: file_events(tx, room.publisher, events), name="file"
            )
        except DatabaseUnavailableError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(POLL.total_seconds())


async def _file(room: Room, events: Sequence[SampledEvent], filed: Filings) -> None:
    for part in _chunks(events):
        read = [read_event(as_mapping(event)) for event in part]
        await file_patiently(room, read)
        for event in read:
            filed.note(event)


def _chunks(events: Iterable[SampledEvent]) -> Iterator[list[SampledEvent]]:
    chunk: list[SampledEvent] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
