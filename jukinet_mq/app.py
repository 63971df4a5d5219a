"""The one composition root: settings in, working parts out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.broker.connection import Link
from jukinet_mq.clock import Clock, today_in_japan, utc_now
from jukinet_mq.config import Settings
from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.consumers.consistency import ask_again, check_due
from jukinet_mq.consumers.handlers import municipality, national, prefecture
from jukinet_mq.consumers.notices import COUNT_EVERY, count_missing
from jukinet_mq.consumers.overdue import chase
from jukinet_mq.consumers.pipeline import Desk
from jukinet_mq.consumers.results import Handlers, Workplace
from jukinet_mq.consumers.worker import Chore, Post, Worker
from jukinet_mq.errors import ConfigurationError, DatabaseUnavailableError, WrongPlaceError
from jukinet_mq.nodes import Directory, NodeCode, Tier, directory
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.services import Services
from jukinet_mq.store import certificates, trust
from jukinet_mq.store.database import Database
from jukinet_mq.topology.build import DEFAULT_CENTRES
from jukinet_mq.topology.credentials import load as load_credentials
from jukinet_mq.topology.model import queue_name
from jukinet_mq.trust.keyring import KeyRing
from jukinet_mq.trust.store import TrustStore
from jukinet_mq.trust.verification import Verifier

HANDLERS: Final[dict[Tier, Handlers]] = {
    Tier.MUNICIPALITY: municipality.HANDLERS,
    Tier.PREFECTURE: prefecture.HANDLERS,
    Tier.NATIONAL: national.HANDLERS,
}
IN_FLIGHT: Final = {Tier.MUNICIPALITY: 8_000, Tier.PREFECTURE: 8_000, Tier.NATIONAL: 100}
"""Deliveries that a worker may hold: some 2 kB each, but a forward to J-LIS up to 256 KiB."""
REPEATS: Final[dict[Tier, Handlers]] = {Tier.PREFECTURE: prefecture.REPEATS}
CHASE_EVERY: Final = timedelta(seconds=5)
"""What must be resent at once is resent within this time."""
ASK_EVERY: Final = timedelta(seconds=10)
"""A missing number is asked for this long after its grace period, and reported then (G10)."""
CHECK_EVERY: Final = timedelta(minutes=10)
TRUST_EVERY: Final = timedelta(seconds=20)
"""A revocation is effective within this time, and must be within a minute (G16)."""
ERASE_EVERY: Final = timedelta(minutes=10)


def settings() -> Settings:
    """Return the environment's settings; what it leaves out, the private services fill in."""
    given = Settings()
    if given.amqp_url and given.municipality_database_url:
        return given
    endpoints = Services(given.home).last_endpoints()
    if endpoints is None:
        return given
    offered = {
        name.removeprefix("JUKINET_").lower(): value
        for name, value in endpoints.environment().items()
    }
    return Settings(**{**offered, **given.model_dump(exclude_none=True)})


@dataclass(slots=True)
class Trusting:
    """The present snapshot of a tier's trust store, for everyone who needs one."""

    keyring: KeyRing
    snapshot: TrustStore = field(default_factory=TrustStore)
    verifiers: list[Verifier] = field(default_factory=list)

    async def refresh(self, database: Database) -> None:
        """Read the trust store anew; revocations and rolled keys become effective here."""
        async with database.transaction() as tx:
            keys = await trust.load(tx)
        if {key.kid for key in keys} != {key.kid for key in self.snapshot.keys}:
            self.keyring.forget()
        self.snapshot = TrustStore.from_keys(keys)
        for verifier in self.verifiers:
            verifier.trust(self.snapshot)
        telemetry.emit(
            telemetry.TRUST_REFRESHED,
            keys=len(keys),
            revoked=sum(key.revoked_at is not None for key in keys),
        )


@dataclass(frozen=True, slots=True)
class Room:
    """A tier's database with what publishes into it."""

    tier: Tier
    database: Database
    directory: Directory
    trusting: Trusting
    publisher: Publisher


@asynccontextmanager
async def open_room(
    given: Settings, tier: Tier, *, clock: Clock = utc_now, patient: bool = False
) -> AsyncIterator[Room]:
    """Open a tier's database and read its trust store.

    Raises:
        DatabaseUnavailableError: It is away; with *patient*, it is waited for instead.
    """
    async with Database(given.database_url(tier), clock=clock) as database:
        trusting = Trusting(KeyRing(given.trust))
        if patient:
            await _refresh_at_last(trusting, database, tier)
        else:
            await trusting.refresh(database)
        publisher = Publisher(
            directory(),
            trust=lambda: trusting.snapshot,
            signing_key=trusting.keyring.signing_key,
        )
        yield Room(tier, database, directory(), trusting, publisher)


async def _refresh_at_last(trusting: Trusting, database: Database, tier: Tier) -> None:
    """Read the trust store as soon as the database lets it be read."""
    started = time.monotonic()
    try:
        await trusting.refresh(database)
        return
    except DatabaseUnavailableError as error:
        telemetry.emit(
            telemetry.CONSUMING_PAUSED, tier=tier.value, needs="postgresql", error=str(error)
        )
    while True:
        await database.wait_until_available()
        with suppress(DatabaseUnavailableError):
            await trusting.refresh(database)
            break
    telemetry.emit(
        telemetry.CONSUMING_RESUMED,
        tier=tier.value,
        paused_seconds=round(time.monotonic() - started, 1),
    )


def workers(given: Settings, room: Room, nodes: Sequence[NodeCode] | None) -> list[Worker]:
    """Return the workers that serve *nodes* (all of the tier: None).

    All of a tier log in together, as the centre that hosts them; a node by itself logs in as
    itself, with a connection of its own.
    """
    if nodes is None:
        hosted = [node.code for node in room.directory.nodes(room.tier)]
        centre = next((c.name for c in DEFAULT_CENTRES if c.hosts == room.tier), hosted[0])
        return [_worker(given, room, login=centre, nodes=hosted, relays=None)]
    for code in nodes:
        node = room.directory.node(code)
        if node.tier is not room.tier:
            raise WrongPlaceError(f"{code} is a node of the {node.tier} tier, not {room.tier}")
    return [_worker(given, room, login=code, nodes=[code], relays=[code]) for code in nodes]


def _worker(
    given: Settings,
    room: Room,
    *,
    login: str,
    nodes: Sequence[NodeCode],
    relays: Sequence[NodeCode] | None,
) -> Worker:
    post = Post(
        tier=room.tier,
        link=link(given, login),
        queues={queue_name(room.directory.node(code)): code for code in nodes},
        nodes=relays,
        in_flight=IN_FLIGHT[room.tier],
        chores=list(_chores(room, relays)),
    )
    return Worker(post, desk(room))


def desk(room: Room) -> Desk:
    """Return what a tier's pipeline works with; it learns of every later refresh of trust."""
    verifier = Verifier(room.directory, room.trusting.snapshot, room.trusting.keyring.sealing_keys)
    room.trusting.verifiers.append(verifier)
    return Desk(
        room.database,
        room.directory,
        verifier,
        HANDLERS[room.tier],
        Workplace(room.publisher),
        repeats=REPEATS.get(room.tier, {}),
    )


def _chores(room: Room, nodes: Sequence[NodeCode] | None) -> Iterator[Chore]:
    """Yield what else comes round at a tier; what publishes does so for *nodes* (all: None)."""
    database, publisher = room.database, room.publisher
    yield Chore(TRUST_EVERY, partial(room.trusting.refresh, database))
    yield Chore(ASK_EVERY, partial(ask_for_missing, database, publisher, nodes))
    if room.tier is not Tier.NATIONAL:  # All that J-LIS says is on the receipt plane.
        yield Chore(CHASE_EVERY, partial(chase, database))
    if room.tier is Tier.MUNICIPALITY:
        yield Chore(ERASE_EVERY, partial(_erase, database))
        yield Chore(CHECK_EVERY, partial(check_due, database, publisher, nodes))
        yield Chore(CHECK_EVERY, partial(ask_again, database, publisher, nodes))
        yield Chore(COUNT_EVERY, partial(count_missing, database))


def link(given: Settings, login: str) -> Link:
    """Return where the broker is, with the login's password from the credentials file."""
    passwords = load_credentials(given.credentials)
    password = passwords.get(login)
    if password is None:
        raise ConfigurationError(
            f"no password for the login {login} in {given.credentials}; run "
            "`jukinet topology apply`"
        )
    return Link(
        urls=given.broker_urls,
        login=login,
        password=password,
        heartbeat=timedelta(seconds=given.heartbeat_seconds),
    )


async def _erase(database: Database) -> None:
    """Erase the unused certificates whose time is over (Act 24-2(4)), until none is left."""
    while True:
        async with database.transaction() as tx:
            erased = await certificates.erase_due(tx, None, today_in_japan(tx.at))
        if not erased:
            return
        telemetry.emit(telemetry.CERTIFICATES_ERASED, erased=erased)
