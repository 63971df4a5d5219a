"""Everything that must be there before the first event: servers, tables, keys, topology."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jukinet_mq.broker import topology
from jukinet_mq.broker.management import ManagementClient
from jukinet_mq.clock import utc_now
from jukinet_mq.config import Settings
from jukinet_mq.errors import TopologyDriftError
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.services import Services
from jukinet_mq.store import migrations, trust
from jukinet_mq.store.database import Database
from jukinet_mq.topology import credentials
from jukinet_mq.topology.build import build
from jukinet_mq.trust import pki
from jukinet_mq.trust.keys import EnrolledKey
from jukinet_mq.trust.store import check_enrolment


@dataclass(frozen=True, slots=True)
class Servers:
    """Where a run's servers are.

    Attributes:
        private: They are ours, under the home.
        stays: They go on running after the run.
        pids: Leading process by server; empty where the servers are not ours.
    """

    settings: Settings
    private: bool
    stays: bool
    pids: dict[str, int]


@contextmanager
def servers(given: Settings, *, keep: bool = False) -> Iterator[Servers]:
    """Have a broker and three databases: those that the environment names, or private ones.

    Private ones that ran before keep running after; others stop, unless *keep*.

    Raises:
        MissingPackageError: A server is not installed.
        ServicesUnavailableError: A private server does not come up.
    """
    if given.amqp_url and given.municipality_database_url:
        yield Servers(given, private=False, stays=True, pids={})
        return
    services = Services(given.home)
    found = services.status()
    # Running is enough: a server that is too busy to answer was not started by us.
    ran = found.rabbitmq.running and found.postgresql.running
    endpoints = services.up()
    try:
        offered = {
            name.removeprefix("JUKINET_").lower(): value
            for name, value in endpoints.environment().items()
        }
        complete = Settings(**{**given.model_dump(exclude_none=True), **offered})
        yield Servers(complete, private=True, stays=ran or keep, pids=dict(endpoints.pids))
    except BaseException:
        if not ran:
            services.down()
        raise
    if not (ran or keep):
        services.down()


async def prepare(given: Settings) -> None:
    """Do all that the three functions below do; the broker works while keys are made."""
    await migrate(given)
    await asyncio.gather(enrol_keys(given), apply_topology(given))


async def migrate(given: Settings) -> None:
    """Bring the three databases to this program's schema, side by side."""
    await asyncio.gather(*(migrations.upgrade(given.owner_database_url(tier)) for tier in Tier))


async def enrol_keys(given: Settings) -> int:
    """Make keys of all nodes and enrol them in each tier's trust store; return how many there are.

    What exists is kept; the nation takes about 4 s on one core.
    """
    keys = await asyncio.to_thread(_keys, given.trust)
    await asyncio.gather(*(_enrol(given.database_url(tier), keys) for tier in Tier))
    return len(keys)


async def apply_topology(given: Settings) -> int:
    """Give the broker what it lacks of the nation's topology, check it; return its queues' number.

    Raises:
        TopologyDriftError: It holds something else than it must, which an import cannot mend.
    """
    wanted = build(directory())
    logins = [user.name for user in wanted.users]
    passwords = credentials.load_or_make(given.credentials, logins)
    async with ManagementClient.open(given.management) as client:
        differences = await topology.apply(client, wanted, passwords)
    if differences:
        raise TopologyDriftError(
            f"the broker differs in {len(differences)} places from what it must hold, the first: "
            f"{differences[0]}; see `jukinet topology check`"
        )
    return len(wanted.queues)


def _keys(root: Path) -> list[EnrolledKey]:
    now = utc_now()
    pki.init(root, directory().nodes(), now=now)
    keys = pki.read_all(root, at=now)
    for key in keys:
        check_enrolment(key, directory=directory())
    return keys


async def _enrol(url: str, keys: list[EnrolledKey]) -> None:
    async with Database(url, connections_max=1) as database, database.transaction() as tx:
        await trust.enrol(tx, keys)
