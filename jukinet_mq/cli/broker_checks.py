"""What `doctor` looks at in the broker: its nodes, the topology, and whether it lets us in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from jukinet_mq.cli.finding import Finding
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.broker.management import ManagementClient, Overview, QueueState
    from jukinet_mq.config import Settings

COPIES: Final = 3
"""RabbitMQ puts a queue on so many nodes by default, in all versions; two may not be lost."""
TOLD_WITHIN: Final = timedelta(seconds=6)
"""A broker or a queue that has just begun says some things about itself only after 5 seconds."""
ASK_EVERY: Final = timedelta(seconds=0.5)
_T = TypeVar("_T")


async def broker(given: Settings) -> list[Finding]:
    """Look for nodes in trouble, queues with too few copies, and what was dead-lettered."""
    from jukinet_mq.cli.running import open_management

    async with open_management(given) as client:
        overview = await _told(client.overview, lambda found: found.says_all)
        found = [_nodes(overview)]
        if len(overview.nodes) > 1:
            found.append(await _copies(client, nodes=len(overview.nodes)))
        found.append(await _dead(client))
    return found


async def _told(ask: Callable[[], Awaitable[_T]], is_told: Callable[[_T], bool]) -> _T:
    """Ask until everything is told, or for as long as RabbitMQ may be behind."""
    ends = asyncio.get_running_loop().time() + TOLD_WITHIN.total_seconds()
    while True:
        found = await ask()
        if is_told(found) or asyncio.get_running_loop().time() >= ends:
            return found
        await asyncio.sleep(ASK_EVERY.total_seconds())


def _nodes(overview: Overview) -> Finding:
    known = f"RabbitMQ {overview.version} ({overview.cluster}), {len(overview.nodes)} node(s)"
    wrong = [f"{node.name} {node.trouble}" for node in overview.nodes if node.trouble]
    if wrong:
        return Finding(
            "broker",
            ok=False,
            said=f"{known}; {', '.join(wrong)}",
            fix="free memory or disk where there is an alarm; start a node that does not run, and "
            "restart the fewer of divided ones; see its log",
        )
    if silent := [node.name for node in overview.nodes if not node.says_all]:
        return Finding(
            "broker",
            ok=False,
            said=f"{known}; not known: whether {', '.join(silent)} has an alarm",
            fix="ask again; if it stays so, switch on the statistics of RabbitMQ's management",
            known=False,
        )
    return Finding("broker", ok=True, said=known)


async def _dead(client: ManagementClient) -> Finding:
    from jukinet_mq.errors import TopologyDriftError
    from jukinet_mq.topology.model import DEAD

    async def count() -> int | None:
        return (await client.queue(DEAD)).ready

    try:
        dead = await _told(count, lambda found: found is not None)
    except TopologyDriftError:
        said = "not known: there is no such queue"
        return Finding(DEAD, ok=False, said=said, fix="see topology", known=False)
    if dead is None:
        return Finding(
            DEAD,
            ok=False,
            said="not known: the broker does not say how many deliveries are in it",
            fix="ask again; if it stays so, switch on the statistics of RabbitMQ's management",
            known=False,
        )
    fix = "look into the workers' logs: something has ended them while they handled these"
    said = f"{dead:,} deliveries in it"
    return Finding(DEAD, ok=dead == 0, said=said, fix=fix if dead else "")


async def _copies(client: ManagementClient, *, nodes: int) -> Finding:
    """Find the queues that one node's loss would stop: made in a lesser cluster, or out of step."""
    wanted = min(COPIES, nodes)
    queues = await _told(client.queues, lambda found: not _silent(found))
    if silent := _silent(queues):
        return Finding(
            "copies",
            ok=False,
            said=f"not known of {len(silent):,} of {len(queues):,} queues, the first: {silent[0]}",
            fix="ask again; if it stays so, see `jukinet topology check`",
            known=False,
        )
    few = [queue.name for queue in queues if 0 < len(queue.members) < wanted]
    if few:
        return Finding(
            "copies",
            ok=False,
            said=f"{len(few):,} of {len(queues):,} queues are on fewer than {wanted} nodes, the "
            f"first: {few[0]}",
            fix="run `rabbitmq-queues grow NODE all` for each node of the broker",
        )
    at_risk = await client.queues_at_risk() if wanted == COPIES else ()
    if at_risk:
        return Finding(
            "copies",
            ok=False,
            said=f"{len(at_risk):,} of {len(queues):,} queues have lost a copy, the first: "
            f"{at_risk[0]}",
            fix="start the nodes that do not run; if it stays so for a minute, restart the node "
            "that `rabbitmq-queues quorum_status QUEUE` shows neither as leader nor as follower",
        )
    return Finding("copies", ok=True, said=f"every queue is on {wanted} nodes of the broker")


def _silent(queues: Sequence[QueueState]) -> list[str]:
    """Return the quorum queues that do not say where they are."""
    return [queue.name for queue in queues if queue.type == "quorum" and not queue.members]


async def topology(given: Settings) -> Finding:
    """Hold what the broker has against what the directory and the catalogue give."""
    from jukinet_mq.cli.running import open_management

    async with open_management(given) as client:
        return await _drift(client)


async def _drift(client: ManagementClient) -> Finding:
    from jukinet_mq.broker import topology
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.build import build
    from jukinet_mq.topology.difference import Problem

    wanted = build(directory())
    differences = await topology.check(client, wanted)
    if differences:
        known = [one for one in differences if one.problem is not Problem.UNKNOWN]
        said = f"{len(known):,} differences, {len(differences) - len(known):,} parts not known"
        return Finding(
            "topology",
            ok=False,
            said=f"{said}; the first: {[*known, *differences][0]}",
            fix="`jukinet topology check` lists them, with what removes each; `jukinet topology "
            "apply` adds what is missing",
            known=bool(known),
        )
    return Finding("topology", ok=True, said=f"{len(wanted.queues):,} queues as they must be")


async def credentials(given: Settings) -> Finding:
    """Log in to each address of the broker as one of ours, with the password on file."""
    from jukinet_mq import app
    from jukinet_mq.broker.connection import connect
    from jukinet_mq.errors import BrokerUnavailableError

    login = _login(given)
    link = app.link(given, login)

    async def try_in(url: str) -> BrokerUnavailableError | None:
        try:
            connection = await connect(link, url)
        except BrokerUnavailableError as error:
            return error
        await connection.close()
        return None

    answers = await asyncio.gather(*map(try_in, link.urls))
    away = [url for url, error in zip(link.urls, answers, strict=True) if error]
    if len(away) == len(link.urls):
        raise next(error for error in answers if error)
    if away:
        places = ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in away)
        return Finding(
            "credentials",
            ok=False,
            said=f"{login} is let in, but {len(away)} of {len(link.urls)} addresses do not answer: "
            f"{places}",
            fix="start those brokers; workers use the others meanwhile",
        )
    return Finding("credentials", ok=True, said=f"{login} is let in")


def _login(given: Settings) -> str:
    """Return a login of what is served here whose password is on file, a centre's first."""
    from jukinet_mq.cli.running import has_database
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.build import DEFAULT_CENTRES
    from jukinet_mq.topology.credentials import load

    tiers = {centre.name: centre.hosts for centre in DEFAULT_CENTRES}
    tiers |= {node.code: node.tier for node in directory().nodes()}
    served = [tier for tier in Tier if has_database(given, tier)]
    passwords = load(given.credentials)
    return next((n for n, t in tiers.items() if n in passwords and t in served), next(iter(tiers)))
