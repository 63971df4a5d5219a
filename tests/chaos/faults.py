"""What chaos does: each fault is one coroutine that begins it, waits, and ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from signal import SIGINT, SIGKILL, SIGQUIT

from jukinet_mq.nodes import Tier
from tests.chaos.crew import Crew, Field
from tests.fixtures.faults import HEARTBEAT
from tests.fixtures.proxy import Proxy

Fault = Callable[[Field], Awaitable[None]]


async def cut(field: Field) -> None:
    """Reset all connections through one proxy."""
    proxy = _any_proxy(field)
    proxy.in_order = field.chance.random() < 0.5
    proxy.cut()


async def cut_after_some_bytes(field: Field) -> None:
    """Reset connections in the middle of what passes."""
    proxy = _any_proxy(field)
    proxy.cut_after = field.chance.randrange(1, 300_000)
    await asyncio.sleep(field.chance.uniform(0.5, 3))
    proxy.cut_after = None


async def stall(field: Field) -> None:
    """A black hole without FIN, at times shorter and at times longer than two heartbeats."""
    proxy = _any_proxy(field)
    proxy.stall()
    await asyncio.sleep(field.chance.uniform(0.5, 4) * int(HEARTBEAT))
    proxy.flow()
    if field.chance.random() < 0.5:
        proxy.cut()


async def slowness(field: Field) -> None:
    """Every chunk comes late."""
    proxy = _any_proxy(field)
    proxy.delay = timedelta(milliseconds=field.chance.randrange(10, 150))
    await asyncio.sleep(field.chance.uniform(1, 4))
    proxy.delay = timedelta(0)


async def away(field: Field) -> None:
    """Every connection is refused for a while."""
    proxy = _any_proxy(field)
    proxy.in_order = field.chance.random() < 0.5
    proxy.go_away()
    await asyncio.sleep(field.chance.uniform(0.5, 5))
    proxy.flow()


async def broker_restart(field: Field) -> None:
    """RabbitMQ is stopped in order or killed, and started again."""
    stop = field.chance.choice([field.servers.stop_broker, field.servers.kill_broker])
    await stop()
    await asyncio.sleep(field.chance.uniform(0, 3))
    await field.servers.start()


async def database_restart(field: Field) -> None:
    """PostgreSQL is stopped fast, at once, or killed, and started again."""
    await field.servers.end_database(field.chance.choice([SIGINT, SIGQUIT, SIGKILL]))
    await asyncio.sleep(field.chance.uniform(0, 5))
    await field.servers.start()


async def broker_alarm(field: Field) -> None:
    """RabbitMQ has too little disk and takes no publishes for a while."""
    await field.servers.rabbitmqctl("set_disk_free_limit", str(10**15))
    await asyncio.sleep(field.chance.uniform(1, 4))
    await field.servers.rabbitmqctl("set_disk_free_limit", str(5 * 10**7))


FAULTS: tuple[tuple[Fault, int], ...] = (
    (cut, 4),
    (cut_after_some_bytes, 4),
    (stall, 4),
    (slowness, 3),
    (away, 3),
    (broker_restart, 1),
    (database_restart, 1),
    (broker_alarm, 1),
)
"""Each with its weight; what takes the servers longest comes least often."""


def choose(field: Field) -> Fault:
    """Return the next fault."""
    faults, weights = zip(*FAULTS, strict=True)
    chosen: Fault = field.chance.choices(faults, weights)[0]
    return chosen


async def kill_workers(crew: Crew) -> None:
    """Kill a worker every two to five seconds, without end."""
    while True:
        await asyncio.sleep(crew.chance.uniform(2, 5))
        crew.kill(crew.chance.choice(list(Tier)))


async def look_after_workers(crew: Crew) -> None:
    """Start again whoever has ended, without end."""
    while True:
        crew.look_after()
        await asyncio.sleep(0.1)


def _any_proxy(field: Field) -> Proxy:
    return field.chance.choice([field.broker, field.broker, *field.databases.values()])
