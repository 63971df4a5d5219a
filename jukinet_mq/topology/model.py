"""The objects of a topology, as values; a broker's state is read into the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node

DEAD: Final = "juki.dead"
"""Both the exchange and the queue where RabbitMQ's delivery limit puts what kills its consumer."""

NOTHING: Final = "^$"
"""Permission to touch nothing."""

Argument = str | int


@dataclass(frozen=True, slots=True, order=True)
class Exchange:
    """An exchange; ours are durable and have no argument, least of all an alternate exchange."""

    name: str
    type: str
    arguments: tuple[tuple[str, Argument], ...] = ()
    durable: bool = True
    auto_delete: bool = False
    internal: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Queue:
    """A queue; `arguments` are sorted by name and always name its `x-queue-type`."""

    name: str
    arguments: tuple[tuple[str, Argument], ...]
    durable: bool = True
    auto_delete: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """One route; ours lead to queues, a broker may hold one to an exchange too."""

    exchange: str
    destination: str
    key: str
    destination_type: str = "queue"


@dataclass(frozen=True, slots=True, order=True)
class User:
    """A login; nodes and centres log in by certificate, so it holds no password."""

    name: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """What a user may declare, publish to and consume from: three regular expressions."""

    user: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True, slots=True, order=True)
class TopicPermission:
    """With which routing keys a user may publish to (write) and bind from (read) an exchange.

    RabbitMQ replaces `{username}` by the login, here and nowhere else.
    """

    user: str
    exchange: str
    write: str
    read: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, which gives settings to what its pattern names; ours are in the arguments.

    Attributes:
        apply_to: `all`, `exchanges`, `queues`, or the queues of one type.
        definition: What it sets, sorted by name.
        operator: Whether it is an operator policy, which overrides the others.
        works_on: Names of what the broker says it is in effect on; some seconds behind for queues.
    """

    name: str
    vhost: str
    pattern: str
    apply_to: str
    definition: tuple[tuple[str, Argument], ...]
    operator: bool = False
    works_on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on connections, channels or queues, of a user or (None) of the virtual host."""

    user: str | None
    vhost: str
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Shovel:
    """A dynamic shovel; `ends` are the queues and exchanges that it takes from or gives to."""

    name: str
    vhost: str
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tracing:
    """The firehose: the broker copies every message of the virtual host."""

    vhost: str


@dataclass(frozen=True, slots=True)
class DisabledFeature:
    """A feature flag that is not enabled."""

    name: str


Influence = Policy | Limit | Shovel | Tracing | DisabledFeature


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part of a topology that the broker does not tell, and why."""

    part: str
    why: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything of ours that one virtual host holds; each tuple is sorted and has no doubles.

    Attributes:
        influences: What changes how a broker treats all this; a right broker has none.
        unknown: What a broker does not tell; the tuple of such a part is empty.
    """

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    users: tuple[User, ...]
    permissions: tuple[Permission, ...]
    topic_permissions: tuple[TopicPermission, ...]
    influences: tuple[Influence, ...] = ()
    unknown: tuple[Unknown, ...] = ()


def queue_name(node: Node) -> str:
    """Return the name of a node's one queue: `cs.131016`, `pref.13` or `jlis`."""
    match node.tier:
        case Tier.MUNICIPALITY:
            return f"cs.{node.code}"
        case Tier.PREFECTURE:
            return f"pref.{node.prefecture}"
        case Tier.NATIONAL:
            return node.code
        case _:
            assert_never(node.tier)
