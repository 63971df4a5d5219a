"""Who may log in, publish what, and read which queue: least privilege, written out.

A node can publish under its own sender words only, to the planes and tiers that the
catalogue lets its tier speak to, and can consume from its own queue only. Nobody of ours
may declare, delete or bind anything.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.messages import CATALOGUE
from jukinet_mq.messages.body import Keeper, Travel
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane
from jukinet_mq.topology.model import (
    DEAD,
    NOTHING,
    Permission,
    TopicPermission,
    User,
    queue_name,
)
from jukinet_mq.topology.pattern import addresses, exactly, municipalities_of, one_of, queue_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jukinet_mq.messages.catalogue import Kind
    from jukinet_mq.nodes import Directory, Node, NodeCode

IMPERSONATOR: Final = "impersonator"
OPERATORS: Final = User("operators", ("monitoring",))
"""Sees every queue's depth, may take messages out of `juki.dead`, and nothing else."""


@dataclass(frozen=True, slots=True)
class Centre:
    """A login that hosts many nodes in one process, over one connection.

    Attributes:
        name: The login; the common name of its certificate.
        hosts: Every node of a tier, or exactly these.
    """

    name: str
    hosts: Tier | frozenset[NodeCode]

    def nodes(self, directory: Directory) -> tuple[Node, ...]:
        """Return the nodes that it hosts, in the directory's order."""
        if isinstance(self.hosts, Tier):
            return directory.nodes(self.hosts)
        return tuple(node for node in directory.nodes() if node.code in self.hosts)


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the broker and the nodes that it speaks for.

    Attributes:
        user: Its name and tags.
        nodes: For whom it may publish and consume, by tier.
        whole_tiers: Tiers of which it hosts every node of the nation.
        whole_prefectures: Prefectures of which it hosts every municipality.
    """

    user: User
    nodes: Mapping[Tier, tuple[Node, ...]]
    whole_tiers: frozenset[Tier] = frozenset()
    whole_prefectures: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a tier may publish to on a plane.

    Attributes:
        recipients: Tiers that it may address.
        upward: Whether only the node that the sender answers to.
    """

    recipients: frozenset[Tier]
    upward: bool


@functools.cache
def routes() -> Mapping[Plane, Mapping[Tier, Route]]:
    """Return who may publish what to whom, as the catalogue's kinds have it."""
    found: dict[Plane, dict[Tier, Route]] = {plane: {} for plane in Plane}
    for kind in CATALOGUE:
        for sender in kind.sender_tiers:
            old = found[kind.plane].get(sender, Route(frozenset(), upward=True))
            found[kind.plane][sender] = Route(
                old.recipients | _recipients(kind, sender),
                upward=old.upward and kind.travel is Travel.UPWARD,
            )
    return found


def _recipients(kind: Kind, sender: Tier) -> frozenset[Tier]:
    """Return the tiers that *sender* may say *kind* to, as `may_travel` has it of their nodes."""
    match kind.travel:
        case Travel.UPWARD | Travel.ACROSS:
            return kind.recipient_tiers
        case Travel.BACK:
            return kind.recipient_tiers & _kept_from(sender)
        case Travel.ASKING:
            asked = {tier for tier in Tier if sender in _kept_from(tier)}
            return kind.recipient_tiers & (_kept_from(sender) | asked)
        case _:
            assert_never(kind.travel)


def _kept_from(keeper: Tier) -> frozenset[Tier]:
    """Return the tiers of whose kinds *keeper* keeps any; answers and questions aside."""
    kept = (
        kind.sender_tiers
        for kind in CATALOGUE
        if kind.travel in {Travel.UPWARD, Travel.ACROSS} and keeper in _keepers(kind)
    )
    return frozenset().union(*kept)


def _keepers(kind: Kind) -> frozenset[Tier]:
    return frozenset().union(*(_keeper(keeper, kind) for keeper in kind.keepers))


def _keeper(keeper: Keeper, kind: Kind) -> frozenset[Tier]:
    match keeper:
        case Keeper.RECIPIENT:
            return kind.recipient_tiers
        case Keeper.SENDER_PREFECTURE | Keeper.RECIPIENT_PREFECTURE:
            return frozenset({Tier.PREFECTURE})
        case Keeper.NATIONAL | Keeper.NATIONAL_BY_FORWARD:
            return frozenset({Tier.NATIONAL})
        case _:
            assert_never(keeper)


def logins(
    directory: Directory, *, nodes: Iterable[Node], centres: Iterable[Centre]
) -> Iterator[Login]:
    """Yield a login per node, and one, for all that it hosts, per centre that hosts any of them."""
    wanted: set[str] = set()
    for node in nodes:
        wanted.add(node.code)
        yield Login(User(node.code), {node.tier: (node,)})
    everywhere = Counter(map(_place, directory.nodes()))
    for centre in centres:
        hosted = centre.nodes(directory)
        if any(node.code in wanted for node in hosted):
            yield _centre_login(centre, hosted, everywhere)


def _centre_login(
    centre: Centre, hosted: tuple[Node, ...], everywhere: Counter[tuple[Tier, str]]
) -> Login:
    here = Counter(map(_place, hosted))
    by_tier = {tier: tuple(n for n in hosted if n.tier is tier) for tier in Tier}
    return Login(
        User(centre.name, (IMPERSONATOR,)),
        {tier: nodes for tier, nodes in by_tier.items() if nodes},
        whole_tiers=frozenset(
            tier for tier in Tier if all(here[at] == everywhere[at] for at in _at(tier, everywhere))
        ),
        whole_prefectures=frozenset(
            prefecture
            for tier, prefecture in here
            if tier is Tier.MUNICIPALITY and here[tier, prefecture] == everywhere[tier, prefecture]
        ),
    )


def _place(node: Node) -> tuple[Tier, str]:
    return node.tier, node.prefecture


def _at(tier: Tier, places: Iterable[tuple[Tier, str]]) -> Iterator[tuple[Tier, str]]:
    return (place for place in places if place[0] is tier)


def permission(login: Login) -> Permission:
    """Return what *login* may touch: the exchanges of its tiers and the queues of its nodes."""
    exchanges = [
        plane.exchange for plane, senders in routes().items() if senders.keys() & login.nodes.keys()
    ]
    return Permission(
        user=login.user.name,
        configure=NOTHING,
        write=f"^{one_of(map(re.escape, exchanges))}$",
        read=f"^{one_of(_queues(login, tier) for tier in login.nodes)}$",
    )


def _queues(login: Login, tier: Tier) -> str:
    """Return a pattern of the queues of *login*'s nodes of *tier*, as short as is exact."""
    if tier in login.whole_tiers:
        return queue_pattern(tier)
    listed, whole = _split(login, tier)
    choices = [queue_pattern(tier, prefecture=prefecture) for prefecture in whole]
    return one_of([*choices, *([exactly(map(queue_name, listed))] if listed else [])])


def operators_permission() -> Permission:
    """Return what the operators' login may touch."""
    return Permission(OPERATORS.name, NOTHING, NOTHING, f"^{re.escape(DEAD)}$")


def topic_permissions(login: Login) -> Iterator[TopicPermission]:
    """Yield with which routing keys *login* may publish, per exchange that it may write to."""
    for plane, senders in routes().items():
        keys = [_key(login, tier, route) for tier, route in senders.items() if tier in login.nodes]
        if keys:
            yield TopicPermission(login.user.name, plane.exchange, f"^{one_of(keys)}", NOTHING)


def _key(login: Login, tier: Tier, route: Route) -> str:
    """Return how a routing key of *login*'s nodes of *tier* begins, as far as `<sender>.`."""
    to = f"to_{tier.value}"
    # The sender's prefecture must be the recipient's: looked at, not consumed.
    own = f"(?=(?P={to}))" if route.upward and Tier.NATIONAL not in route.recipients else ""
    return rf"{addresses(route.recipients, group=to)}\.{own}{_sender(login, tier)}\."


def _sender(login: Login, tier: Tier) -> str:
    """Return a pattern of the sender words that *login* may use, as short as is exact."""
    nodes = login.nodes[tier]
    if login.user.name == nodes[0].code:
        return rf"{nodes[0].prefecture}\.{{username}}"
    if tier in login.whole_tiers:
        return addresses({tier}, group=f"of_{tier.value}")
    listed, whole = _split(login, tier)
    words = [f"{node.prefecture}.{node.code}" for node in listed]
    choices = [municipalities_of(prefecture) for prefecture in whole]
    return one_of([*choices, *([exactly(words)] if words else [])])


def _split(login: Login, tier: Tier) -> tuple[list[Node], list[str]]:
    """Return the nodes to be listed, and the prefectures whose municipalities need no list."""
    if tier is not Tier.MUNICIPALITY:
        return list(login.nodes[tier]), []
    whole = login.whole_prefectures
    return [n for n in login.nodes[tier] if n.prefecture not in whole], sorted(whole)
