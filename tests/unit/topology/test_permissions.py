from __future__ import annotations

import re

import pytest

from jukinet_mq.messages import CATALOGUE, may_travel
from jukinet_mq.nodes import Node, Tier, directory
from jukinet_mq.routing import Plane, RoutingKey
from jukinet_mq.topology.build import DEFAULT_CENTRES, build
from jukinet_mq.topology.model import Topology, queue_name
from jukinet_mq.topology.pattern import LENGTH_MAX, exactly
from jukinet_mq.topology.permissions import Centre

CHIYODA = directory().node("131016")
SHINJUKU = directory().node("131041")
SAPPORO = directory().node("011002")
TOKYO = directory().node("130001")
HOKKAIDO = directory().node("010006")
JLIS = directory().node("jlis")
SIX = (CHIYODA, SHINJUKU, SAPPORO, TOKYO, HOKKAIDO, JLIS)
TOKYO_CENTRE = Centre(
    "centre-tokyo",
    frozenset(node.code for node in directory().nodes(prefecture="13")) | {SAPPORO.code},
)


@pytest.fixture(scope="module")
def nation() -> Topology:
    """The whole nation's topology, with a third centre that hosts a prefecture and a city."""
    return build(directory(), (*DEFAULT_CENTRES, TOKYO_CENTRE))


class Broker:
    """What RabbitMQ decides by a topology's permissions, as its internal back end does it."""

    def __init__(self, topology: Topology) -> None:
        self._permissions = {given.user: given for given in topology.permissions}
        self._topics = {(g.user, g.exchange): g for g in topology.topic_permissions}

    def may_read(self, user: str, queue: str) -> bool:
        return bool(re.search(self._permissions[user].read, queue))

    def may_configure(self, user: str, name: str) -> bool:
        return bool(re.search(self._permissions[user].configure, name))

    def may_write(self, user: str, name: str) -> bool:
        return bool(re.search(self._permissions[user].write, name))

    def may_publish(self, user: str, plane: Plane, key: RoutingKey | str) -> bool:
        if not self.may_write(user, plane.exchange):
            return False
        pattern = self._topics[user, plane.exchange].write.replace("{username}", user)
        return bool(re.search(pattern, str(key)))

    def may_bind(self, user: str, queue: str, exchange: str) -> bool:
        return self.may_write(user, queue) and self.may_read(user, exchange)


@pytest.fixture(scope="module")
def broker(nation: Topology) -> Broker:
    """A judge over the nation's permissions."""
    return Broker(nation)


def key(sender: Node, recipient: Node, kind: str = "move-in-notice") -> RoutingKey:
    """Return the routing key of an envelope between two nodes."""
    return RoutingKey(recipient=recipient.code, sender=sender.code, kind=kind)


@pytest.mark.parametrize("sender", SIX, ids=lambda node: node.code)
@pytest.mark.parametrize("recipient", SIX, ids=lambda node: node.code)
def test_node_may_publish_what_the_catalogue_lets_travel(
    broker: Broker, sender: Node, recipient: Node
) -> None:
    """Whatever may travel passes the broker, under the node's login and its centre's."""
    centre = {
        Tier.MUNICIPALITY: "centre-municipalities",
        Tier.PREFECTURE: "centre-prefectures",
        Tier.NATIONAL: "jlis",
    }[sender.tier]
    for kind in CATALOGUE:
        if may_travel(kind, sender, recipient, directory()):
            routing_key = key(sender, recipient, kind.name)
            assert broker.may_publish(sender.code, kind.plane, routing_key)
            assert broker.may_publish(centre, kind.plane, routing_key)


@pytest.mark.parametrize("plane", Plane)
@pytest.mark.parametrize("other", SIX[1:], ids=lambda node: node.code)
def test_node_may_not_publish_as_another(broker: Broker, plane: Plane, other: Node) -> None:
    """No routing key that names another sender passes."""
    for recipient in SIX:
        assert not broker.may_publish(CHIYODA.code, plane, key(other, recipient))


def test_node_may_not_publish_under_another_prefecture(broker: Broker) -> None:
    """A foreign prefecture word would put evidence into that prefecture's queue."""
    assert not broker.may_publish("131016", Plane.RELOCATION, "01.011002.27.131016.move-in-notice")
    assert not broker.may_publish("131016", Plane.RELOCATION, "27.011002.13.131016.move-in-notice")


def test_identity_update_goes_to_the_own_prefecture_only(broker: Broker) -> None:
    """A municipality cannot notify another prefecture, nor J-LIS past its prefecture."""
    for login in (CHIYODA.code, "centre-municipalities", "centre-tokyo"):
        assert broker.may_publish(login, Plane.IDENTITY, key(CHIYODA, TOKYO, "identity-update"))
        for elsewhere in (HOKKAIDO, JLIS, SHINJUKU):
            refused = key(CHIYODA, elsewhere, "identity-update")
            assert not broker.may_publish(login, Plane.IDENTITY, refused)


@pytest.mark.parametrize(
    ("node", "plane"),
    [(TOKYO, Plane.RELOCATION), (JLIS, Plane.RELOCATION), (JLIS, Plane.IDENTITY)],
    ids=str,
)
def test_tier_may_not_publish_to_a_plane_that_is_not_its_own(
    broker: Broker, node: Node, plane: Plane
) -> None:
    """Prefectures and J-LIS say nothing on the relocation plane; J-LIS notifies nobody."""
    assert not broker.may_publish(node.code, plane, key(node, CHIYODA))
    assert not broker.may_write(node.code, plane.exchange)


@pytest.mark.parametrize("node", SIX, ids=lambda node: node.code)
def test_node_reads_its_own_queue_and_no_other(
    broker: Broker, nation: Topology, node: Node
) -> None:
    """Of all 1,790 queues exactly one is readable."""
    names = [queue.name for queue in nation.queues]

    assert [queue_name(node)] == [name for name in names if broker.may_read(node.code, name)]


@pytest.mark.parametrize(
    ("centre", "hosted"),
    [
        ("centre-municipalities", directory().nodes(Tier.MUNICIPALITY)),
        ("centre-prefectures", directory().nodes(Tier.PREFECTURE)),
        ("centre-tokyo", (*directory().nodes(prefecture="13"), SAPPORO)),
    ],
    ids=["municipalities", "prefectures", "tokyo"],
)
def test_centre_speaks_and_reads_for_exactly_its_nodes(
    broker: Broker, nation: Topology, centre: str, hosted: tuple[Node, ...]
) -> None:
    """A short pattern is as exact as a list: it admits every hosted node and no other."""
    names = [queue.name for queue in nation.queues]
    speaks_for = {
        node
        for node in directory().nodes()
        if broker.may_publish(centre, Plane.RECEIPT, key(node, CHIYODA, "receipt"))
    }

    assert set(hosted) == speaks_for
    assert {queue_name(n) for n in hosted} == {n for n in names if broker.may_read(centre, n)}


def test_nobody_of_ours_may_declare_or_bind(broker: Broker, nation: Topology) -> None:
    """No login can create, delete or bind any exchange or queue."""
    exchanges = [exchange.name for exchange in nation.exchanges]
    for user in nation.users:
        for name in (*exchanges, "cs.131016", "pref.13", "jlis", "amq.default", "anything"):
            assert not broker.may_configure(user.name, name)
        for queue in ("cs.131016", "pref.13", "jlis", "juki.dead"):
            assert not any(broker.may_bind(user.name, queue, name) for name in exchanges)


def test_nobody_of_ours_may_publish_past_the_planes(broker: Broker, nation: Topology) -> None:
    """Neither the default exchange nor juki.dead takes anything from a node."""
    for user in nation.users:
        assert not broker.may_write(user.name, "amq.default")
        assert not broker.may_write(user.name, "juki.dead")


def test_every_plane_that_is_writable_has_a_topic_permission(nation: Topology) -> None:
    """RabbitMQ lets every routing key pass where a user has no topic permission."""
    topics = {(given.user, given.exchange) for given in nation.topic_permissions}
    for given in nation.permissions:
        for plane in Plane:
            if re.search(given.write, plane.exchange):
                assert (given.user, plane.exchange) in topics


def test_only_centres_impersonate(nation: Topology) -> None:
    """A node's login can set no user_id but its own."""
    assert {"centre-municipalities", "centre-prefectures", "centre-tokyo"} == {
        user.name for user in nation.users if "impersonator" in user.tags
    }
    assert not [user for user in nation.users if "administrator" in user.tags]


def test_no_pattern_is_longer_than_every_broker_takes(nation: Topology) -> None:
    """RabbitMQ 4.3 refuses more than 1,024 bytes with `pattern_too_long`."""
    patterns = [given.write for given in nation.topic_permissions]
    patterns += [text for g in nation.permissions for text in (g.write, g.read)]

    assert max(map(len, patterns)) <= LENGTH_MAX


def test_listing_pattern_matches_its_words_and_no_prefix() -> None:
    """Shared prefixes are written once; neither a part of a word nor more of it matches."""
    pattern = re.compile(exactly(["cs.131016", "cs.131", "cs.2-7"]))

    assert all(pattern.fullmatch(word) for word in ("cs.131016", "cs.131", "cs.2-7"))
    assert not any(pattern.fullmatch(word) for word in ("cs.1310", "csX131", "cs.1310166", "cs.2"))
