"""The one composition root: a room in, its workers out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.broker.connection import Link
from jukinet_mq.clock import today_in_japan
from jukinet_mq.config import Settings
from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.consumers.consistency import ask_again, check_due
from jukinet_mq.consumers.handlers.tables import HANDLERS, REPEATS
from jukinet_mq.consumers.hosting import Hosting
from jukinet_mq.consumers.notices import COUNT_EVERY, count_missing
from jukinet_mq.consumers.overdue import chase
from jukinet_mq.consumers.pipeline import Desk
from jukinet_mq.consumers.results import Workplace
from jukinet_mq.consumers.worker import Chore, Post, Worker
from jukinet_mq.errors import ConfigurationError, WrongPlaceError
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.room import Room
from jukinet_mq.store import certificates
from jukinet_mq.store.database import Database
from jukinet_mq.topology.build import DEFAULT_CENTRES
from jukinet_mq.topology.credentials import load as load_credentials
from jukinet_mq.topology.model import queue_name
from jukinet_mq.trust.verification import Verifier

IN_FLIGHT: Final = {Tier.MUNICIPALITY: 8_000, Tier.PREFECTURE: 8_000, Tier.NATIONAL: 200}
"""Deliveries that a worker may hold: some 2 kB each, but a forward to J-LIS up to 256 KiB."""
CHASE_EVERY: Final = timedelta(seconds=5)
"""What must be resent at once is resent within this time."""
ASK_EVERY: Final = timedelta(seconds=10)
"""A missing number is asked for this long after its grace period, and reported then (G10)."""
CHECK_EVERY: Final = timedelta(minutes=10)
TRUST_EVERY: Final = timedelta(seconds=20)
"""A revocation is effective within this time, and must be within a minute (G16)."""
ERASE_EVERY: Final = timedelta(minutes=10)


def workers(given: Settings, room: Room, nodes: Sequence[NodeCode] | None) -> list[Worker]:
    """Return the workers that serve *nodes* (all of the tier: None).

    All of a tier log in together, as the centre that hosts them; a node by itself logs in as
    itself, with a connection of its own.

    Raises:
        NodeKeyError: The keys of none of the nodes can be used; what is wrong with the first's.
    """
    everybody = [node.code for node in room.directory.nodes(room.tier)]
    hosting = Hosting(room.trusting.check_keys, everybody)
    if nodes is None:
        centre = next((c.name for c in DEFAULT_CENTRES if c.hosts == room.tier), everybody[0])
        _check_keys(hosting, everybody)
        return [_worker(given, room, hosting, login=centre, nodes=everybody, relays=None)]
    for code in nodes:
        node = room.directory.node(code)
        if node.tier is not room.tier:
            raise WrongPlaceError(f"{code} is a node of the {node.tier} tier, not {room.tier}")
    _check_keys(hosting, nodes)
    return [
        _worker(given, room, hosting, login=code, nodes=[code], relays=[code]) for code in nodes
    ]


def _check_keys(hosting: Hosting, nodes: Sequence[NodeCode]) -> None:
    """Find out which of *nodes* wait; where all of them do, the process is set up wrongly."""
    hosting.check(nodes)
    if len(hosting.waiting) == len(set(nodes)):
        raise hosting.waiting[nodes[0]]


def _worker(
    given: Settings,
    room: Room,
    hosting: Hosting,
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
        chores=list(_chores(room, hosting, relays)),
    )
    return Worker(post, desk(room), hosting)


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


def _chores(room: Room, hosting: Hosting, nodes: Sequence[NodeCode] | None) -> Iterator[Chore]:
    """Yield what else comes round at a tier; what publishes does so for *nodes* (all: None)."""
    database, publisher = room.database, room.publisher

    def publishing(work: Callable[..., Awaitable[object]]) -> Callable[[], Awaitable[object]]:
        return partial(hosting.work, nodes, partial(work, database, publisher))

    yield Chore("trust", TRUST_EVERY, partial(room.trusting.refresh, database))
    yield Chore("ask", ASK_EVERY, publishing(ask_for_missing))
    if room.tier is not Tier.NATIONAL:  # All that J-LIS says is on the receipt plane.
        yield Chore("chase", CHASE_EVERY, partial(chase, database))
    if room.tier is Tier.MUNICIPALITY:
        yield Chore("erase", ERASE_EVERY, partial(_erase, database))
        yield Chore("check", CHECK_EVERY, publishing(check_due))
        yield Chore("ask-again", CHECK_EVERY, publishing(ask_again))
        yield Chore("count", COUNT_EVERY, partial(count_missing, database))


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
