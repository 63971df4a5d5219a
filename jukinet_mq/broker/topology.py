"""The topology and a running broker: what it holds, what it lacks, and giving it that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from jukinet_mq.topology.compare import compare, lacking
from jukinet_mq.topology.model import (
    Argument,
    Binding,
    Exchange,
    Permission,
    Queue,
    TopicPermission,
    Topology,
    User,
)
from jukinet_mq.topology.render import definitions, password_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jukinet_mq.broker.management import ManagementClient
    from jukinet_mq.topology.compare import Difference

QUEUES_PER_IMPORT: Final = 600
"""About 6 s of RabbitMQ's work: it hangs up on a request after 60 s, even one that it works on."""


async def apply(
    client: ManagementClient, topology: Topology, credentials: Mapping[str, str] | None = None
) -> list[Difference]:
    """Give the broker what it lacks; return what an import cannot mend, as `check` would.

    Idempotent, and safe while nodes work: only what is missing or may be replaced is
    imported, nothing is deleted. Users that *credentials* do not name can log in by
    certificate only. The nation takes about 15 s on an empty broker, 1 s on a right one.
    """
    await client.put_vhost()
    needed = lacking(topology, await read(client))
    users = {*needed.users, *await _to_renew(client, topology, credentials or {})}
    for part in _imports(replace(needed, users=tuple(sorted(users)))):
        await client.import_definitions(
            definitions(part, credentials=credentials, vhost=client.vhost)
        )
    return await check(client, topology)


async def check(client: ManagementClient, topology: Topology) -> list[Difference]:
    """Return how the broker differs from *topology*; none if it is right.

    Asks the management API alone, so no node needs a right to declare. The login must be an
    administrator; the nation takes about 1 s.
    """
    return compare(topology, await read(client))


async def read(client: ManagementClient) -> Topology:
    """Return all that the virtual host holds, ours and others', and the broker's users."""
    place = client.vhost_path
    exchanges, queues, bindings, users, permissions, topics = await asyncio.gather(
        client.get(f"exchanges/{place}", columns="name,type,durable,arguments"),
        client.get(f"queues/{place}", columns="name,type,durable,arguments"),
        client.get(f"bindings/{place}", columns="source,destination,destination_type,routing_key"),
        client.get("users"),
        client.get(f"vhosts/{place}/permissions"),
        client.get(f"vhosts/{place}/topic-permissions"),
    )
    return Topology(
        exchanges=tuple(map(_exchange, exchanges)),
        queues=tuple(map(_queue, queues)),
        bindings=tuple(map(_binding, bindings)),
        users=tuple(User(found["name"], tuple(found["tags"])) for found in users),
        permissions=tuple(
            Permission(found["user"], found["configure"], found["write"], found["read"])
            for found in permissions
        ),
        topic_permissions=tuple(
            TopicPermission(found["user"], found["exchange"], found["write"], found["read"])
            for found in topics
        ),
    )


async def _to_renew(
    client: ManagementClient, topology: Topology, credentials: Mapping[str, str]
) -> list[User]:
    """Return the users whose password is not the one that *credentials* give."""
    found = await client.get("users", columns="name,password_hash")
    hashes = {user["name"]: user["password_hash"] for user in found}
    return [
        user
        for user in topology.users
        if hashes.get(user.name) != password_hash(user.name, credentials.get(user.name))
    ]


def _imports(needed: Topology) -> Iterator[Topology]:
    """Yield *needed* in parts that RabbitMQ can import one after another, each in time."""
    nothing = Topology((), (), (), (), (), ())
    yield replace(
        nothing,
        exchanges=needed.exchanges,
        users=needed.users,
        permissions=needed.permissions,
    )
    for start in range(0, len(needed.queues), QUEUES_PER_IMPORT):
        yield replace(nothing, queues=needed.queues[start : start + QUEUES_PER_IMPORT])
    # These name what stands above.
    yield replace(nothing, bindings=needed.bindings, topic_permissions=needed.topic_permissions)


def _exchange(found: Mapping[str, Any]) -> Exchange:
    return Exchange(
        found["name"], found["type"], _arguments(found["arguments"]), durable=found["durable"]
    )


def _queue(found: Mapping[str, Any]) -> Queue:
    # A classic queue need not say so in its arguments.
    arguments = found["arguments"] | {"x-queue-type": found["type"]}
    return Queue(found["name"], _arguments(arguments), durable=found["durable"])


def _binding(found: Mapping[str, Any]) -> Binding:
    return Binding(
        found["source"], found["destination"], found["routing_key"], found["destination_type"]
    )


def _arguments(found: Mapping[str, Any]) -> tuple[tuple[str, Argument], ...]:
    """Return *found* sorted; what we never set (a list, a fraction) as its JSON text."""
    return tuple(
        (name, value if isinstance(value, str | int) else orjson.dumps(value).decode())
        for name, value in sorted(found.items())
    )
