from __future__ import annotations

from dataclasses import replace

import pytest

from jukinet_mq.nodes import directory
from jukinet_mq.topology.build import build
from jukinet_mq.topology.compare import compare, lacking
from jukinet_mq.topology.model import (
    Binding,
    Exchange,
    Permission,
    Queue,
    TopicPermission,
    Topology,
    User,
)

NODES = tuple(directory().node(code) for code in ("131016", "130001", "jlis"))
RIGHT = build(directory(), (), nodes=NODES)
FOREIGN = Topology(
    exchanges=(Exchange("other", "topic"), Exchange("", "direct")),
    queues=(Queue("other", (("x-queue-type", "classic"),)),),
    bindings=(Binding("other", "other", "#"), Binding("", "jlis", "jlis")),
    users=(User("admin", ("administrator",)), User("other")),
    permissions=(
        Permission("admin", ".*", ".*", ".*"),
        Permission("other", "^other$", "^other$", "^other$"),
    ),
    topic_permissions=(TopicPermission("other", "juki.identity", "^$", "^$"),),
)


def joined(first: Topology, second: Topology) -> Topology:
    """Return a broker that holds both."""
    return Topology(
        *((*getattr(first, name), *getattr(second, name)) for name in Topology.__slots__)
    )


def lines(found: Topology) -> list[str]:
    """Return what an operator reads."""
    return [str(difference) for difference in compare(RIGHT, found)]


def test_right_broker_has_no_difference() -> None:
    """What was applied compares equal."""
    assert [] == lines(RIGHT)


def test_others_objects_that_do_not_reach_ours_are_ignored() -> None:
    """A broker may hold more than this topology, an administrator and the default routes."""
    assert [] == lines(joined(RIGHT, FOREIGN))


@pytest.mark.parametrize(
    ("added", "line"),
    [
        (
            {"queues": (Queue("cs.999999", ()),)},
            "unexpected queue cs.999999",
        ),
        (
            {"exchanges": (Exchange("juki.unroutable", "fanout"),)},
            "unexpected exchange juki.unroutable",
        ),
        (
            {"bindings": (Binding("juki.relocation", "cs.131016", "01.011002.#"),)},
            "unexpected binding juki.relocation -> cs.131016 by 01.011002.#",
        ),
        (
            {"bindings": (Binding("juki.identity", "tap", "#"),)},
            "unexpected binding juki.identity -> tap by #",
        ),
        (
            {"bindings": (Binding("juki.identity", "tap", "#", "exchange"),)},
            "unexpected binding juki.identity -> exchange tap by #",
        ),
        (
            {"bindings": (Binding("other", "jlis", ""),)},
            "unexpected binding other -> jlis by no key",
        ),
        (
            {"permissions": (Permission("mallory", "", "", "cs"),)},
            "unexpected permission mallory",
        ),
        (
            {"permissions": (Permission("mallory", "", "", "(?<unjudged"),)},
            "unexpected permission mallory",
        ),
        (
            {"topic_permissions": (TopicPermission("131016", "other", ".*", ".*"),)},
            "unexpected topic permission 131016 on other",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_reaches_ours_and_should_not_be_there_is_named(
    added: dict[str, tuple[object, ...]], line: str
) -> None:
    """Each kind of addition is one line."""
    empty = Topology((), (), (), (), (), ())

    assert [line] == lines(joined(RIGHT, replace(empty, **added)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("exchanges", "missing exchange juki.dead"),
        ("queues", "missing queue cs.131016"),
        ("bindings", "missing binding juki.dead -> juki.dead by no key"),
        ("users", "missing user 130001"),
        ("permissions", "missing permission 130001"),
        ("topic_permissions", "missing topic permission 130001 on juki.identity"),
    ],
)
def test_what_is_missing_is_named_and_imported_again(field: str, line: str) -> None:
    """The first of each sort is taken away; it is named, and it alone is to be imported."""
    first, *rest = getattr(RIGHT, field)
    found = replace(RIGHT, **{field: tuple(rest)})

    assert [line] == lines(found)
    empty = Topology((), (), (), (), (), ())
    assert replace(empty, **{field: (first,)}) == lacking(RIGHT, found)


def test_wrong_queue_is_explained_and_left_alone() -> None:
    """Every argument that differs is named with both values; a queue cannot be changed."""
    wrong = Queue("cs.131016", (("x-max-length", 5), ("x-queue-type", "classic")), durable=False)
    others = tuple(queue for queue in RIGHT.queues if queue.name != wrong.name)
    found = replace(RIGHT, queues=(wrong, *others))

    (line,) = lines(found)
    assert line.startswith("wrong queue cs.131016: durable is False, expected True; ")
    assert "x-max-length is 5, expected 1000000" in line
    assert "x-queue-type is classic, expected quorum" in line
    assert "x-delivery-limit is absent, expected 20" in line
    assert () == lacking(RIGHT, found).queues


def test_exchange_with_an_alternate_is_wrong() -> None:
    """An alternate exchange would swallow what must be returned to the relay."""
    alternate = Exchange("juki.identity", "topic", (("alternate-exchange", "juki.unroutable"),))
    others = tuple(item for item in RIGHT.exchanges if item.name != alternate.name)

    assert [
        "wrong exchange juki.identity: alternate-exchange is juki.unroutable, expected absent"
    ] == lines(replace(RIGHT, exchanges=(alternate, *others)))


def test_user_with_more_tags_is_wrong() -> None:
    """A node that impersonates or administrates is named."""
    promoted = tuple(
        User(user.name, ("impersonator",)) if user.name == "131016" else user
        for user in RIGHT.users
    )

    assert ["wrong user 131016: tags is ('impersonator',), expected ()"] == lines(
        replace(RIGHT, users=promoted)
    )


def test_every_difference_has_the_runbooks_reason() -> None:
    """One runbook explains them all."""
    nothing = Topology((), (), (), (), (), ())

    assert {"topology_drift"} == {difference.reason for difference in compare(RIGHT, nothing)}
