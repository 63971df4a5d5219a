"""Everything that writes, all at once, on the same few rows: nobody waits in a circle (ADR 28).

For a minute: JUKINET_TEST_LOCK_SECONDS=60.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq import telemetry
from jukinet_mq.clock import today_in_japan
from jukinet_mq.consumers import consistency as checking
from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.consumers.handlers.tables import HANDLERS
from jukinet_mq.consumers.overdue import chase
from jukinet_mq.consumers.pacing import Pace
from jukinet_mq.consumers.pipeline import Desk, keep
from jukinet_mq.consumers.receipts import issue
from jukinet_mq.consumers.replaying import decide_parked, discard_quarantined, release
from jukinet_mq.consumers.resending import relay_again
from jukinet_mq.consumers.results import Handler, Park, Result, Retry, Workplace
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import Delivery, SignedEnvelope
from jukinet_mq.errors import JukinetError, RejectedError
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import ChangeReason, IdentityUpdate, RegisterDate
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    Event,
    IdentityUpdateFiled,
    MoveFiled,
)
from jukinet_mq.producers.filings import file_events
from jukinet_mq.producers.refusals import Refusals
from jukinet_mq.producers.relay import relay_window
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store import certificates, trust
from jukinet_mq.store.database import Database, Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.parked import Decision, EnvelopeFilter
from jukinet_mq.store.quarantine import QuarantineFilter
from jukinet_mq.store.resend import RelayedFilter
from jukinet_mq.trust import EnrolledKey, SigningKey, Use
from tests.fixtures.country import CHIYODA, HAKODATE, SAPPORO, Country, arrivals, tampered
from tests.fixtures.telling import Told

SECONDS: Final = float(os.environ.get("JUKINET_TEST_LOCK_SECONDS", "20"))
SECONDS_MAX: Final = SECONDS + 60
"""A busy machine may take longer until everybody has had something to do."""
EVERYTHING: Final = ("file", "keep", "repeat", "quarantine", "relay", "issue", "ask", "chase",
                     "retry", "check", "decide", "release", "resend", "enrol", "erase")  # fmt: skip
RESIDENTS: Final = 30
"""So few that transactions meet on their rows."""
BATCH_MAX: Final = 40
CONNECTIONS: Final = 30
"""To each database; nobody waits for one."""
TOWNS: Final = (CHIYODA, SAPPORO, HAKODATE)
PACE: Final = Pace(batch_max=20)


class Unlucky:
    """A handler that now and then retries, parks or raises, the whole group or one arrival."""

    def __init__(self, handler: Handler, chance: random.Random) -> None:
        self._handler, self._chance = handler, chance

    async def __call__(
        self, tx: Transaction, arrivals: Sequence[Arrival], *, work: Workplace
    ) -> Sequence[Result]:
        results = list(await self._handler(tx, arrivals, work=work))
        match self._chance.randrange(20):
            case 0:
                raise RuntimeError("bad luck")
            case 1 | 2:
                results[0] = Retry("bad_luck")
            case 3:
                results[0] = Park("bad_luck")
            case _:
                pass
        return results


@dataclass
class Bustle:
    """A country in which everybody works at the same time, as different processes would."""

    country: Country
    chance: random.Random
    waiting: dict[Tier, list[Delivery]] = field(default_factory=lambda: {t: [] for t in Tier})
    done: Counter[str] = field(default_factory=Counter)

    @property
    def idle(self) -> set[str]:
        """What nobody has had anything to do with yet."""
        return {name for name in EVERYTHING if not self.done[name]}

    # --- The broker: it loses, repeats, changes and swaps ---------------------------------

    async def publish(self, envelopes: Sequence[SignedEnvelope]) -> Sequence[JukinetError | None]:
        """Take a relay's window."""
        for envelope in envelopes:
            for one in arrivals(envelope, self.country.now):
                self.waiting[directory().node(one.node).tier] += self._carried(one)
        await asyncio.sleep(0)
        return [None] * len(envelopes)

    async def until_unblocked(self) -> None:
        """There is no alarm."""

    def _carried(self, one: Delivery) -> list[Delivery]:
        match self.chance.randrange(30):
            case 0:
                return []
            case 1 | 2:
                return [one, one]
            case 3:
                return [tampered(one)]
            case 4:
                return [one, replace(one, user_id=self.chance.choice(TOWNS))]
            case _:
                return [one]

    # --- Municipalities ------------------------------------------------------------------

    async def file(self) -> None:
        """File a few events; what their rules refuse is refused."""
        events = [self._event() for _ in range(self.chance.randint(1, 8))]
        database, publisher = self.country.databases[Tier.MUNICIPALITY], self.country.publisher
        for part in (events, *([event] for event in events)):
            try:
                async with database.transaction() as tx:
                    await file_events(tx, publisher, part)
            except RejectedError:
                continue
            self.done["file"] += len(part)
            if part is events:
                return

    def _event(self) -> Event:
        number, town = self.chance.randrange(RESIDENTS), self.chance.choice(TOWNS)
        today = today_in_japan(self.country.now)
        match self.chance.randrange(6):
            case 0:
                return _move_out(number, today)
            case 1:
                return _move_in(number, today)
            case 2:
                return _move(number, today)
            case _:
                return _update(number, town, today, self.chance)

    # --- Workers --------------------------------------------------------------------------

    async def keep(self, tier: Tier) -> None:
        """Take a batch, in any order, and sometimes one that another worker has, too."""
        waiting = self.waiting[tier]
        if not waiting:
            return
        chosen = self.chance.sample(waiting, min(BATCH_MAX, len(waiting)))
        if self.chance.random() < 0.8:
            gone = {id(one) for one in chosen}
            self.waiting[tier] = [one for one in waiting if id(one) not in gone]
        tally = await keep(chosen, self.desk(tier))
        self.done["keep"] += tally.kept
        self.done["repeat"] += tally.duplicates
        self.done["quarantine"] += tally.quarantined

    def desk(self, tier: Tier) -> Desk:
        """Where a tier's worker stands."""
        return self.country.desk(tier)

    async def relay(self, tier: Tier) -> None:
        """Relay one window."""
        database = self.country.databases[tier]
        confirmed, _ = await relay_window(database, self, refusals=Refusals())
        self.done["relay"] += confirmed

    async def issue(self, tier: Tier) -> None:
        """Issue what receipts are due."""
        issued = await issue(self.country.databases[tier], self.country.publisher)
        self.done["issue"] += issued.receipts

    async def ask(self, tier: Tier) -> None:
        """Ask for what is missing."""
        database = self.country.databases[tier]
        self.done["ask"] += await ask_for_missing(database, self.country.publisher, None)

    async def chase(self, tier: Tier) -> None:
        """Look for what lacks receipts."""
        await chase(self.country.databases[tier])
        self.done["chase"] += 1

    async def retry(self, tier: Tier) -> None:
        """Handle again what is due."""
        self.done["retry"] += await retry_due(self.desk(tier))

    async def check(self) -> None:
        """Check a municipality, all that are due, and ask again what has no answer."""
        database, publisher = self.country.databases[Tier.MUNICIPALITY], self.country.publisher
        town, since = self.chance.choice(TOWNS), self.country.now - timedelta(days=2)
        async with database.transaction() as tx:
            await checking.start(tx, publisher, town, since=since)
        await checking.check_due(database, publisher, None)
        await checking.ask_again(database, publisher, None)
        self.done["check"] += 1

    async def erase(self) -> None:
        """Erase certificates whose time is over."""
        today = today_in_japan(self.country.now) + timedelta(days=self.chance.choice([0, 40]))
        async with self.country.databases[Tier.MUNICIPALITY].transaction() as tx:
            self.done["erase"] += await certificates.erase_due(tx, None, today)

    # --- Operators -----------------------------------------------------------------------

    async def decide(self, tier: Tier) -> None:
        """Replay or discard everything that is parked or quarantined."""
        database, how = self.country.databases[tier], self.chance.choice(["replayed", "discarded"])
        decision = Decision(how, "operator", "because")  # type: ignore[arg-type]
        await decide_parked(
            database, EnvelopeFilter(), decision, pace=PACE, tell=self._tell("decide")
        )
        if how == "replayed":
            await release(
                self.desk(tier), QuarantineFilter(), decision, pace=PACE, tell=self._tell("release")
            )
        elif self.chance.random() < 0.1:
            await discard_quarantined(
                database, QuarantineFilter(), decision, pace=PACE, tell=self._tell("discard")
            )

    async def resend(self, tier: Tier) -> None:
        """Relay some of what was published again."""
        after = self.country.now - timedelta(minutes=1)
        wanted = RelayedFilter(node=self.chance.choice([None, *TOWNS]), after=after)
        database = self.country.databases[tier]
        await relay_again(database, wanted, pace=PACE, apply=True, tell=self._tell("resend"))

    async def enrol(self, tier: Tier, keys: list[EnrolledKey]) -> None:
        """Enrol and revoke keys, in any order."""
        self.chance.shuffle(keys)
        async with self.country.databases[tier].transaction() as tx:
            await trust.enrol(tx, keys)
            await trust.revoke(tx, [key.kid for key in self.chance.sample(keys, len(keys) // 2)])
        self.done["enrol"] += 1

    def _tell(self, name: str) -> Callable[[Sequence[object]], None]:
        def tell(some: Sequence[object]) -> None:
            self.done[name] += len(some)

        return tell

    # --- Time ----------------------------------------------------------------------------

    async def move_the_clock(self) -> None:
        """Let what is due in minutes be due now."""
        self.country.later(seconds=20)
        await asyncio.sleep(0.05)

    def actors(self) -> Iterable[Callable[[], Awaitable[None]]]:
        """Yield each actor's next step; some stand there twice, as two processes would."""
        yield self.move_the_clock
        yield from [self.file] * 3
        yield from [self.check, self.erase, self.erase]
        keys = _keys(self.country.now)
        for tier in Tier:
            steps = (self.keep, self.relay, self.issue, self.ask, self.retry, self.chase)
            yield from [partial(step, tier) for step in (*steps, self.decide)] * 2
            yield from [partial(self.keep, tier), partial(self.resend, tier)]
            yield from [partial(self.enrol, tier, list(keys))] * 2


AREAS: Final = {CHIYODA: "131016", SAPPORO: "011011", HAKODATE: "012025"}


def _update(number: int, town: NodeCode, today: date, chance: random.Random) -> IdentityUpdateFiled:
    """Return an update, half of the time one that changes the resident's code."""
    reason = chance.choice([ChangeReason.DOMESTIC_MOVE_IN, ChangeReason.RC_EX_OFFICIO])
    body = IdentityUpdate.example(reason)
    changes: dict[str, object] = {
        "resident_code": synthetic_resident_code(number),
        "area_code": AREAS[town],
        "event_date": RegisterDate.of(today),
    }
    if body.previous_resident_code is not None:
        other = (number + chance.randrange(1, RESIDENTS)) % RESIDENTS
        changes["previous_resident_code"] = synthetic_resident_code(other)
    return IdentityUpdateFiled(
        event_id=uuid7(), municipality=town, update=body.model_copy(update=changes)
    )


def _move(number: int, today: date) -> MoveFiled:
    example = MoveFiled.example()
    person = example.persons[0].model_copy(
        update={
            "resident_code": synthetic_resident_code(number),
            "individual_number": synthetic_individual_number(number),
        }
    )
    days = {"moved_in_on": today, "filed_on": today}
    return example.model_copy(update={"event_id": uuid7(), "persons": [person], **days})


def _move_out(number: int, today: date) -> CardMoveOutFiled:
    """Return a move-out of two residents from Chiyoda to Sapporo."""
    example = CardMoveOutFiled.example()
    persons = [
        person.model_copy(update={"resident_code": synthetic_resident_code(n)})
        for n, person in enumerate(example.persons, number - number % len(example.persons))
    ]
    days = {"planned_on": today, "filed_on": today}
    return example.model_copy(update={"event_id": uuid7(), "persons": persons, **days})


def _move_in(number: int, today: date) -> CardMoveInFiled:
    """Return the move-in of one of them."""
    example = CardMoveInFiled.example()
    days = {"moved_in_on": today, "filed_on": today, "planned_on": today}
    codes = [synthetic_resident_code(number)]
    return example.model_copy(update={"event_id": uuid7(), "resident_codes": codes, **days})


def _keys(now: datetime) -> list[EnrolledKey]:
    """Return keys that nobody uses."""
    keys = (SigningKey.generate() for _ in range(20))
    span = (now, now + timedelta(days=400))
    return [EnrolledKey(HAKODATE, Use.SIGNING, key.kid, key.public, *span) for key in keys]


async def deadlocks(urls: dict[Tier, DatabaseEndpoint]) -> dict[Tier, int]:
    """Return how many deadlocks PostgreSQL has counted in each database."""
    found = {}
    for tier, endpoint in urls.items():
        connection = await asyncpg.connect(endpoint.owner_url)
        found[tier] = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        await connection.close()
    return found


async def going_on(step: Callable[[], Awaitable[None]], *, until: Callable[[], bool]) -> None:
    """Do *step* again and again."""
    while not until():
        await step()
        await asyncio.sleep(0)


@pytest.mark.timeout(SECONDS + 100)
async def test_everything_at_once_never_deadlocks(
    country: Country,
    database_urls: dict[Tier, DatabaseEndpoint],
    told: Told,
) -> None:
    """Filing, workers, chores and operators on the same rows: no deadlock, and nothing repeated."""
    chance = random.Random(28)
    country.handlers = {
        tier: {kind: Unlucky(handler, chance) for kind, handler in handlers.items()}
        for tier, handlers in HANDLERS.items()
    }
    country.now = datetime(2025, 6, 2, 3, 0, tzinfo=UTC)  # So that certificates may be erased.
    before = await deadlocks(database_urls)
    bustle = Bustle(country, chance)

    async with AsyncExitStack() as stack:
        for tier, endpoint in database_urls.items():
            database = Database(
                endpoint.worker_url, connections_max=CONNECTIONS, clock=lambda: country.now
            )
            country.databases[tier] = await stack.enter_async_context(database)
        started = time.monotonic()

        def is_over() -> bool:
            spent = time.monotonic() - started
            return spent > SECONDS_MAX or (spent > SECONDS and not bustle.idle)

        async with asyncio.TaskGroup() as tasks:
            for step in bustle.actors():
                tasks.create_task(going_on(step, until=is_over))

    assert before == await deadlocks(database_urls)
    assert [] == told.named(telemetry.TRANSACTION_REPEATED)
    assert not bustle.idle, bustle.done
