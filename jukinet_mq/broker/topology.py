"""The topology and a running broker: what it holds, what it lacks, and giving it that."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from jukinet_mq.broker.influences import arguments, influences
from jukinet_mq.errors import BrokerAccessError, TopologyDriftError
from jukinet_mq.topology.compare import compare, lacking
from jukinet_mq.topology.model import (
    Binding,
    Exchange,
    Permission,
    Queue,
    TopicPermission,
    Topology,
    Unknown,
    User,
)
from jukinet_mq.topology.render import definitions, password_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jukinet_mq.broker.management import ManagementClient
    from jukinet_mq.topology.compare import Difference

NEEDED_TO_APPLY: Final = frozenset(
    {"queues", "bindings", "users", "permissions", "topic permissions"}
)
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
    found = await read(client)
    for untold in found.unknown:
        if untold.part in NEEDED_TO_APPLY:
            raise BrokerAccessError(untold.why)
    needed = lacking(topology, found)
    users = {*needed.users, *await _to_renew(client, topology, credentials or {})}
    for part in _imports(replace(needed, users=tuple(sorted(users)))):
        await client.import_definitions(
            definitions(part, credentials=credentials, vhost=client.vhost)
        )
    return await check(client, topology)


async def check(client: ManagementClient, topology: Topology) -> list[Difference]:
    """Return how the broker differs from *topology*; none if it is right.

    Asks the management API alone, so no node needs a right to declare. What its login may not see
    is a difference, so it should be an administrator's. The nation takes about 1 s.
    """
    return compare(topology, await read(client))


async def read(client: ManagementClient) -> Topology:
    """Return all that the virtual host holds, ours and others', and the broker's users.

    What the broker does not let this login see, or does not offer, is named in `unknown`.

    Raises:
        BrokerAccessError: The login may not even see the exchanges.
        TopologyDriftError: There is no such virtual host.
        BrokerUnavailableError: No answer in time.
    """
    answers = await _ask(client)
    found = {part: answer for part, answer in answers.items() if not isinstance(answer, _Untold)}
    return Topology(
        exchanges=tuple(map(_exchange, found["exchanges"])),
        queues=tuple(map(_queue, found.get("queues", ()))),
        bindings=tuple(map(_binding, found.get("bindings", ()))),
        users=tuple(User(one["name"], tuple(one["tags"])) for one in found.get("users", ())),
        permissions=tuple(
            Permission(one["user"], one["configure"], one["write"], one["read"])
            for one in found.get("permissions", ())
        ),
        topic_permissions=tuple(
            TopicPermission(one["user"], one["exchange"], one["write"], one["read"])
            for one in found.get("topic permissions", ())
        ),
        influences=tuple(influences(found)),
        unknown=tuple(
            Unknown(part, str(answer))
            for part, answer in answers.items()
            if isinstance(answer, _Untold)
        ),
    )


_Untold = BrokerAccessError | TopologyDriftError


async def _ask(client: ManagementClient) -> dict[str, Any]:
    """Return the broker's answer about each part, or the error where it gives none."""
    place = client.vhost_path
    effective = "policy,operator_policy"
    asked = {
        "exchanges": client.get(
            f"exchanges/{place}", columns="name,type,durable,auto_delete,internal,arguments,policy"
        ),
        "queues": client.get(
            f"queues/{place}", columns=f"name,type,durable,auto_delete,arguments,{effective}"
        ),
        "bindings": client.get(
            f"bindings/{place}", columns="source,destination,destination_type,routing_key"
        ),
        "users": client.get("users"),
        "permissions": client.get(f"vhosts/{place}/permissions"),
        "topic permissions": client.get(f"vhosts/{place}/topic-permissions"),
        "policies": client.get(f"policies/{place}"),
        "operator policies": client.get(f"operator-policies/{place}"),
        "user limits": client.get("user-limits"),
        "virtual host limits": client.get(f"vhost-limits/{place}"),
        "shovels": client.get("parameters"),
        "tracing": client.get(f"vhosts/{place}"),
        "feature flags": client.get("feature-flags"),
    }
    answers = dict(
        zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True)
    )
    for part, answer in answers.items():
        if isinstance(answer, BaseException) and (
            part == "exchanges" or not isinstance(answer, _Untold)
        ):
            raise answer
    return answers


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
        found["name"],
        found["type"],
        arguments(found["arguments"]),
        durable=found["durable"],
        auto_delete=found["auto_delete"],
        internal=found["internal"],
    )


def _queue(found: Mapping[str, Any]) -> Queue:
    # A classic queue need not say so in its arguments.
    given = found["arguments"] | {"x-queue-type": found["type"]}
    return Queue(
        found["name"],
        arguments(given),
        durable=found["durable"],
        auto_delete=found["auto_delete"],
    )


def _binding(found: Mapping[str, Any]) -> Binding:
    return Binding(
        found["source"], found["destination"], found["routing_key"], found["destination_type"]
    )
