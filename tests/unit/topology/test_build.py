from __future__ import annotations

import pytest

from jukinet_mq.errors import ConfigurationError
from jukinet_mq.messages import CATALOGUE, keepers_of, may_travel
from jukinet_mq.nodes import Node, Tier, directory
from jukinet_mq.routing import Plane, RoutingKey
from jukinet_mq.topology.build import DEFAULT_CENTRES, build
from jukinet_mq.topology.model import DEAD, Topology, queue_name
from jukinet_mq.topology.permissions import Centre

CHIYODA = directory().node("131016")
SHINJUKU = directory().node("131041")
SAPPORO = directory().node("011002")
TOKYO = directory().node("130001")
HOKKAIDO = directory().node("010006")
JLIS = directory().node("jlis")
SIX = (CHIYODA, SHINJUKU, SAPPORO, TOKYO, HOKKAIDO, JLIS)


@pytest.fixture(scope="module")
def nation() -> Topology:
    """The whole nation's topology."""
    return build(directory())


def routed(topology: Topology, exchange: str, key: str) -> set[str]:
    """Return the queues that a topic exchange would copy a message to."""
    return {
        binding.destination
        for binding in topology.bindings
        if binding.exchange == exchange and matches(binding.key.split("."), key.split("."))
    }


def matches(pattern: list[str], words: list[str]) -> bool:
    """Match as a topic exchange does; `#` stands last in all of our keys."""
    match pattern:
        case []:
            return not words
        case ["#"]:
            return True
        case ["*", *rest]:
            return bool(words) and matches(rest, words[1:])
        case [word, *rest]:
            return bool(words) and words[0] == word and matches(rest, words[1:])
        case _:
            return False


def test_nation_has_one_queue_per_node_and_one_for_the_dead(nation: Topology) -> None:
    """1,741 municipalities, 47 prefectures and J-LIS have one inbox each."""
    names = [queue.name for queue in nation.queues]

    assert 1790 == len(set(names)) == len(names)
    assert 1741 == sum(name.startswith("cs.") for name in names)
    assert 47 == sum(name.startswith("pref.") for name in names)
    assert {"jlis", DEAD} == {name for name in names if not name.startswith(("cs.", "pref."))}


def test_every_queue_is_a_bounded_quorum_queue_with_a_fuse(nation: Topology) -> None:
    """Nothing is left to a default that differs between RabbitMQ 3.10 and 4.3."""
    for queue in nation.queues:
        arguments = dict(queue.arguments)
        assert "quorum" == arguments["x-queue-type"]
        assert "reject-publish" == arguments["x-overflow"]
        assert 0 < int(arguments["x-max-length"]) <= 10_000_000
        assert int(arguments["x-delivery-limit"]) > 0


def test_inbox_dead_letters_at_least_once_and_the_dead_queue_not_at_all(nation: Topology) -> None:
    """What kills its consumer ends in juki.dead, and nothing leaves that by itself."""
    arguments = {queue.name: dict(queue.arguments) for queue in nation.queues}
    dead = arguments.pop(DEAD)

    assert {(DEAD, "at-least-once", 20)} == {
        (a["x-dead-letter-exchange"], a["x-dead-letter-strategy"], a["x-delivery-limit"])
        for a in arguments.values()
    }
    assert "x-dead-letter-exchange" not in dead
    assert 1_000_000_000 == dead["x-delivery-limit"]


def test_no_exchange_has_an_alternate(nation: Topology) -> None:
    """With an alternate exchange no publish would ever be returned as unroutable."""
    assert [()] * 4 == [exchange.arguments for exchange in nation.exchanges]
    assert {"juki.dead", "juki.identity", "juki.receipt", "juki.relocation"} == {
        exchange.name for exchange in nation.exchanges
    }


def test_build_is_deterministic(nation: Topology) -> None:
    """The same directory gives the same topology, in the same order."""
    assert nation == build(directory())


@pytest.mark.parametrize("sender", SIX, ids=lambda node: node.code)
@pytest.mark.parametrize("recipient", SIX, ids=lambda node: node.code)
def test_envelope_reaches_exactly_its_keepers(
    nation: Topology, sender: Node, recipient: Node
) -> None:
    """Every kind that may travel is copied to its keepers, and to nobody else.

    J-LIS gets an identity update inside the prefecture's forward, never by a binding.
    """
    for kind in CATALOGUE:
        if not may_travel(kind, sender, recipient, directory()):
            continue
        key = RoutingKey(recipient=recipient.code, sender=sender.code, kind=kind.name)
        keepers = keepers_of(kind, sender, recipient, directory())
        expected = {
            queue_name(directory().node(code))
            for code in keepers
            if kind.plane is not Plane.IDENTITY or code == recipient.code
        }
        assert expected == routed(nation, kind.plane.exchange, str(key)), kind.name


def test_identity_update_never_reaches_a_municipality(nation: Topology) -> None:
    """No municipality's queue is bound to the identity plane at all."""
    assert not [
        binding
        for binding in nation.bindings
        if binding.exchange == Plane.IDENTITY.exchange and binding.destination.startswith("cs.")
    ]


def test_subset_has_only_the_named_nodes() -> None:
    """A test's broker holds six nodes' queues and logins, and every exchange."""
    six = build(directory(), nodes=SIX)

    assert {queue_name(node) for node in SIX} | {DEAD} == {queue.name for queue in six.queues}
    assert {node.code for node in SIX} | {c.name for c in DEFAULT_CENTRES} | {"operators"} == {
        user.name for user in six.users
    }
    assert 4 == len(six.exchanges)


def test_centre_without_a_node_in_the_subset_is_left_out() -> None:
    """A subset of prefectures needs no centre of municipalities."""
    names = {user.name for user in build(directory(), nodes=[TOKYO]).users}

    assert "centre-prefectures" in names
    assert "centre-municipalities" not in names


def test_centre_whose_list_the_broker_would_not_take_is_refused() -> None:
    """RabbitMQ 4.3 takes patterns of up to 1,024 bytes; the error says what to do instead."""
    scattered = frozenset(node.code for node in directory().nodes(Tier.MUNICIPALITY)[::4])

    with pytest.raises(ConfigurationError, match="whole prefectures, or split"):
        build(directory(), [Centre("scattered", scattered)])
