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


@dataclass(frozen=True, slots=True, order=True)
class Queue:
    """A queue; `arguments` are sorted by name and always name its `x-queue-type`."""

    name: str
    arguments: tuple[tuple[str, Argument], ...]
    durable: bool = True


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
class Topology:
    """Everything of ours that one virtual host holds; each tuple is sorted and has no doubles."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    users: tuple[User, ...]
    permissions: tuple[Permission, ...]
    topic_permissions: tuple[TopicPermission, ...]


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
