"""The long scenarios with a course of their own; `make test` runs them short, or in part."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from signal import SIGINT
from typing import Any

from jukinet_mq.load.measure import peak_resident_bytes
from jukinet_mq.nodes import NodeCode, Tier
from tests.chaos.crashing import POINTS
from tests.chaos.crew import Flow
from tests.chaos.parade import die_at, die_filing, every_case
from tests.fixtures.filing import inject, inject_updates, move
from tests.fixtures.installation import CHIYODA, HAKODATE, SAPPORO, Installation, Process
from tests.fixtures.own_servers import OwnServers
from tests.fixtures.proving import nothing_held_against_any, proved

SETTLE_WITHIN = timedelta(minutes=10)
DRAINED_WITHIN = timedelta(minutes=30)
PART = 500
CRASHES_PER_POINT = 3
STORM_UPDATES = 10_001
STORM_RESTARTS = 5
OUTAGE_SECONDS = 60
OUTAGE_PER_SECOND = 50
NORMAL_WITHIN_SECONDS = 60
BACKLOG = 100_000
PROBES_MAX = 20

RECORDED = "SELECT count(*), count(DISTINCT message_id) FROM register_history WHERE node = 'jlis'"
# What the keepers other than Chiyoda have not answered yet.
UNANSWERED_BY_OTHERS = """
SELECT count(*) FROM outbox o
WHERE o.node IN ('011002', '012025') AND o.kind = 'identity-update' AND (
    SELECT count(*) FROM receipt_received r WHERE r.message_id = o.message_id AND r.matches
) < 2
"""
KEPT = """
SELECT sequence, kept_at FROM inbox
WHERE node = '131016' AND kind = 'move-in-notice' ORDER BY sequence
"""

Figures = dict[str, Any]
Scenario = Callable[[OwnServers, Installation, random.Random], Awaitable[Figures]]


async def crash_points(
    _servers: OwnServers, installation: Installation, chance: random.Random
) -> Figures:
    """Kill every process at every step that it takes, and count after each death (G3)."""
    cases: list[tuple[str, Tier | None]] = [
        *every_case(),
        *((name, None) for name, point in POINTS.items() if point.command == "inject"),
    ] * CRASHES_PER_POINT
    chance.shuffle(cases)
    for point, tier in cases:
        with ExitStack() as stack:
            workers = [stack.enter_context(installation.worker(t)) for t in Tier if t is not tier]
            if tier is None:
                await die_filing(installation, point)
            else:
                await die_at(installation, tier, point, times=chance.randint(1, 3))
                workers.append(stack.enter_context(installation.worker(tier)))
            await installation.settled(within=SETTLE_WITHIN)
            codes = [await asyncio.to_thread(worker.terminate) for worker in workers]
        assert [0, 0, 0] == codes, (point, tier)
        await proved(installation)
    return {"steps": len(cases) // CRASHES_PER_POINT, "deaths": len(cases)}


async def storm(servers: OwnServers, installation: Installation, chance: random.Random) -> Figures:
    """Restart the broker again and again under many publishes (G4)."""
    with installation.workers():
        filing = asyncio.create_task(_file_updates(installation, STORM_UPDATES))
        for _ in range(STORM_RESTARTS):
            await asyncio.sleep(chance.uniform(2, 5))
            await chance.choice([servers.stop_broker, servers.kill_broker])()
            await servers.start()
        await filing
        await installation.settled(within=SETTLE_WITHIN)
    await proved(installation)
    [recorded] = await installation.fetch(Tier.NATIONAL, RECORDED)
    assert (STORM_UPDATES, STORM_UPDATES) == recorded
    return {"updates": STORM_UPDATES, "restarts": STORM_RESTARTS, "recorded": recorded[0]}


async def _file_updates(installation: Installation, count: int) -> None:
    for start in range(1, count + 1, PART):
        numbers = range(start, min(start + PART, count + 1))
        await asyncio.to_thread(inject_updates, installation, numbers)


async def outage(
    servers: OwnServers, installation: Installation, _chance: random.Random
) -> Figures:
    """Stop PostgreSQL for a minute with work in hand; nothing counts against any envelope (G5)."""
    with installation.workers() as workers:
        flow, told = Flow(installation, OUTAGE_PER_SECOND), asyncio.Event()
        filing = asyncio.create_task(flow.run(told))
        await asyncio.sleep(10)
        told.set()
        await filing
        await servers.end_database(SIGINT)
        await asyncio.sleep(OUTAGE_SECONDS)
        await servers.start()
        back = time.monotonic()
        told.clear()
        filing = asyncio.create_task(flow.run(told))
        for worker in workers.values():
            await installation.until(_resumed(worker.events), within=timedelta(minutes=2))
        normal = time.monotonic() - back
        told.set()
        await filing
        await installation.settled(within=SETTLE_WITHIN)
    await proved(installation)
    await nothing_held_against_any(installation)
    assert normal < NORMAL_WITHIN_SECONDS
    return {"events": flow.filed, "seconds away": OUTAGE_SECONDS,
            "consuming again after": round(normal, 1)}  # fmt: skip


def _resumed(events: Callable[[str], list[Any]]) -> Callable[[], Awaitable[bool]]:
    async def resumed() -> bool:
        return bool(events("consuming.resumed"))

    return resumed


async def backlog(
    _servers: OwnServers, installation: Installation, _chance: random.Random
) -> Figures:
    """Let one municipality be away for long (G18)."""
    return await away(installation, BACKLOG)


async def away(installation: Installation, notices: int) -> Figures:
    """Let Chiyoda's queue fill with move-in notices while its worker is away, then drain it.

    The notices come from Sapporo, which with Hakodate and all above goes on as ever. Returns
    what the workers that stayed and the one that came back have ever held in memory.
    """
    with (
        _worker_of(installation, SAPPORO, HAKODATE) as stayed,
        installation.worker(Tier.PREFECTURE),
        installation.worker(Tier.NATIONAL),
    ):
        await _file_moves(installation, notices)
        await installation.holds(
            Tier.MUNICIPALITY, UNANSWERED_BY_OTHERS, [(0,)], within=DRAINED_WITHIN
        )
        waiting = (await installation.depths())["cs.131016"]
        assert waiting <= notices + PROBES_MAX, "the backlog of who is away was multiplied"
        began = time.monotonic()
        with _worker_of(installation, CHIYODA) as returned:
            await installation.settled(within=DRAINED_WITHIN)
            seconds = time.monotonic() - began
            held = peak_resident_bytes(returned.popen.pid)
            others = peak_resident_bytes(stayed.popen.pid)
            assert 0 == await asyncio.to_thread(returned.terminate)
    await proved(installation)
    kept = await installation.fetch(Tier.MUNICIPALITY, KEPT)
    assert list(range(1, notices + 1)) == [number for number, _ in kept]
    instants = [at for _, at in kept]
    assert sorted(instants) == instants, "a lower number was kept after a higher one"
    return {"waiting": waiting, "drained in seconds": round(seconds, 1),
            "peak bytes": held, "peak bytes of who stayed": others}  # fmt: skip


def _worker_of(installation: Installation, *nodes: NodeCode) -> AbstractContextManager[Process]:
    named = [word for node in nodes for word in ("--node", node)]
    return installation.process("worker", "municipality", *named)


async def _file_moves(installation: Installation, count: int) -> None:
    for start in range(1, count + 1, PART):
        numbers = range(start, min(start + PART, count + 1))
        await asyncio.to_thread(inject, installation, map(move, numbers))


SCENARIOS: dict[str, Scenario] = {
    "crash-points": crash_points,
    "storm": storm,
    "outage": outage,
    "backlog": backlog,
}
