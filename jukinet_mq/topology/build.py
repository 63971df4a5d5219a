"""The directory's nodes and the three planes, as a topology: pure and deterministic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.errors import ConfigurationError
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane, prefecture_word
from jukinet_mq.topology.model import (
    DEAD,
    Argument,
    Binding,
    Exchange,
    Permission,
    Queue,
    TopicPermission,
    Topology,
    queue_name,
)
from jukinet_mq.topology.pattern import LENGTH_MAX as PATTERN_LENGTH_MAX
from jukinet_mq.topology.permissions import (
    OPERATORS,
    Centre,
    Login,
    logins,
    operators_permission,
    permission,
    topic_permissions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jukinet_mq.nodes import Directory, Node

DEFAULT_CENTRES: Final = (
    Centre("centre-municipalities", Tier.MUNICIPALITY),
    Centre("centre-prefectures", Tier.PREFECTURE),
)

LENGTH_MAX: Final = {
    Tier.MUNICIPALITY: 1_000_000,
    Tier.PREFECTURE: 10_000_000,
    Tier.NATIONAL: 10_000_000,
}
"""Envelopes that wait for a node before the broker refuses more, which stay in the outbox.

More than a year for the largest city, some months for the nation; one absent node cannot
fill the disk for all.
"""

DEAD_LENGTH_MAX: Final = 1_000_000
DELIVERY_LIMIT: Final = 20
"""Returns before an envelope goes to `juki.dead`: what RabbitMQ 4 defaults to, said outright
since 3.10 has no limit. Only a consumer's death returns a delivery; 20 in a row are no accident.
"""

NO_DELIVERY_LIMIT: Final = 1_000_000_000
"""`juki.dead` must lose nothing, however often somebody looks. -1 means "none" from 4.0 only;
3.10 takes it and drops at the first return.
"""


def build(
    directory: Directory,
    centres: Iterable[Centre] = DEFAULT_CENTRES,
    *,
    nodes: Iterable[Node] | None = None,
) -> Topology:
    """Return what the broker must hold, for the nation or only for *nodes*.

    With *nodes*, other nodes have no queue, no binding and no login, and a centre that hosts
    none of them is left out; all exchanges are there.

    Raises:
        ConfigurationError: A centre hosts so mixed a set that the broker would not take the
            list of it.
    """
    chosen = directory.nodes() if nodes is None else tuple(nodes)
    ours = tuple(logins(directory, nodes=chosen, centres=centres))
    return Topology(
        exchanges=tuple(sorted([Exchange(DEAD, "fanout"), *map(_exchange, Plane)])),
        queues=tuple(sorted([_dead(), *map(_inbox, chosen)])),
        bindings=tuple(
            sorted(
                {
                    Binding(DEAD, DEAD, ""),
                    *(
                        Binding(plane.exchange, queue_name(node), key)
                        for node in chosen
                        for plane in Plane
                        for key in binding_keys(node, plane)
                    ),
                }
            )
        ),
        users=tuple(sorted([OPERATORS, *(login.user for login in ours)])),
        permissions=tuple(sorted([operators_permission(), *map(_permission, ours)])),
        topic_permissions=tuple(
            sorted(allowed for login in ours for allowed in _topic_permissions(login))
        ),
    )


def binding_keys(node: Node, plane: Plane) -> Iterator[str]:
    """Yield which routing keys of *plane* lead to *node*; several that match give one copy.

    The prefectures of both sides and J-LIS also keep every relocation envelope, as evidence.
    """
    addressed = f"{prefecture_word(node.code)}.{node.code}.#"
    match plane, node.tier:
        case Plane.IDENTITY, Tier.MUNICIPALITY:
            return
        case Plane.RELOCATION, Tier.PREFECTURE:
            yield f"{node.prefecture}.#"
            yield f"*.*.{node.prefecture}.#"
        case Plane.RELOCATION, Tier.NATIONAL:
            yield "#"
        case ((Plane.IDENTITY | Plane.RELOCATION | Plane.RECEIPT), _):
            yield addressed
        case _:
            assert_never(plane)


def _permission(login: Login) -> Permission:
    given = permission(login)
    _check_length(login, given.read)
    return given


def _topic_permissions(login: Login) -> Iterator[TopicPermission]:
    for given in topic_permissions(login):
        _check_length(login, given.write)
        yield given


def _check_length(login: Login, pattern: str) -> None:
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise ConfigurationError(
            f"the permission of {login.user.name} takes {len(pattern)} bytes, and RabbitMQ 4.3 "
            f"takes {PATTERN_LENGTH_MAX}; let the centre host whole prefectures, or split it"
        )


def _exchange(plane: Plane) -> Exchange:
    return Exchange(plane.exchange, "topic")


def _inbox(node: Node) -> Queue:
    return Queue(
        queue_name(node),
        _arguments(
            {
                "x-dead-letter-exchange": DEAD,
                # At least once needs reject-publish; without it 3.10 and 4 fall back silently.
                "x-dead-letter-strategy": "at-least-once",
                "x-delivery-limit": DELIVERY_LIMIT,
                "x-max-length": LENGTH_MAX[node.tier],
            }
        ),
    )


def _dead() -> Queue:
    return Queue(
        DEAD, _arguments({"x-delivery-limit": NO_DELIVERY_LIMIT, "x-max-length": DEAD_LENGTH_MAX})
    )


def _arguments(specific: dict[str, Argument]) -> tuple[tuple[str, Argument], ...]:
    """Return *specific* with what every queue of ours has, sorted by name."""
    common: dict[str, Argument] = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        # Importing definitions declares all queues on one node; it must not lead them all.
        "x-queue-leader-locator": "balanced",
    }
    return tuple(sorted((common | specific).items()))
