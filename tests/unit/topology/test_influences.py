from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.broker.influences import influences
from jukinet_mq.nodes import directory
from jukinet_mq.topology.influences import Ours, differences
from jukinet_mq.topology.model import (
    DisabledFeature,
    Influence,
    Limit,
    Policy,
    Shovel,
    queue_name,
)

QUEUES = sorted(map(queue_name, directory().nodes()))
OURS = Ours(["juki.dead", "juki.identity"], QUEUES, {"131016", "centre-municipalities"})


def policy(pattern: str, apply_to: str = "all", **more: object) -> Policy:
    """Return a policy that lets messages expire."""
    return Policy("p", "/", pattern, apply_to, (("message-ttl", 2000),), **more)  # type: ignore[arg-type]


def lines(*found: Influence) -> list[str]:
    """Return what an operator reads."""
    return [str(difference) for difference in differences(found, OURS)]


@pytest.mark.parametrize(
    ("one", "reaches"),
    [
        (policy(".*"), True),
        (policy("", "queues"), True),
        (policy("31016", "quorum_queues"), True),
        (policy("^juki", "exchanges"), True),
        (policy("^cs", "exchanges"), False),
        (policy("^cs", "classic_queues"), False),
        (policy("^cs", "streams"), False),
        (policy("^other$"), False),
        (policy("^other$", works_on=frozenset({"jlis"})), True),
        (policy("^other$", works_on=frozenset({"other"})), False),
        # What Python reads otherwise than PCRE, or not at all, is shown.
        (policy("^cs[[:punct:]]1310"), True),
        (policy("^(?R)?other$"), True),
        (Limit("131016", "", "max-channels", 0), True),
        (Limit("mallory", "", "max-channels", 0), False),
        (Limit(None, "/", "max-queues", 3), True),
        (Shovel("s", "/", ("cs.131016", "elsewhere")), True),
        (Shovel("s", "/", ("elsewhere", "juki.identity")), True),
        (Shovel("s", "/", ("elsewhere",)), False),
        (DisabledFeature("stream_queue"), True),
        (DisabledFeature("khepri_db"), False),
    ],
    ids=str,
)
def test_what_reaches_ours_is_a_difference_and_nothing_else(one: Influence, reaches: bool) -> None:
    """Each is one line with the command that removes it; what concerns others only is ignored."""
    found = lines(one)

    assert reaches == bool(found)
    assert all("`rabbitmqctl " in line for line in found)


@given(
    name=st.sampled_from(QUEUES),
    operator=st.booleans(),
    apply_to=st.sampled_from(["all", "queues"]),
)
def test_a_policy_on_any_one_queue_names_itself_and_the_queue(
    name: str, operator: bool, apply_to: str
) -> None:
    """However narrow it is."""
    [line] = lines(policy(f"^{re.escape(name)}$", apply_to, operator=operator))

    kind = "operator policy" if operator else "policy"
    assert line.startswith(f"unexpected {kind} p: sets message-ttl 2000 on 1 of our")
    assert f"the first {name}" in line


@given(name=st.text(st.characters(exclude_characters="`", exclude_categories=["C"]), min_size=1))
def test_the_command_that_removes_it_can_be_pasted_into_a_shell(name: str) -> None:
    """Whoever made the policy chose its name."""
    [line] = lines(Policy(name, "/", ".*", "all", ()))

    command = line.rpartition("; remove it: `")[2].removesuffix("`")
    assert ["rabbitmqctl", "clear_policy", "-p", "/", name] == shlex.split(command)


def test_answers_of_the_management_api_are_read_as_they_come() -> None:
    """As 3.10.8 and 4.3.6 give them; a negative limit is none."""
    found = {
        "queues": [{"name": "jlis", "operator_policy": "op"}],
        "exchanges": [{"name": "juki.dead", "policy": "ttl"}],
        "policies": [
            {"vhost": "v", "name": "ttl", "pattern": ".*", "apply-to": "all", "priority": 0,
             "definition": {"max-length": 5, "queue-version": 2.5}},
        ],
        "operator policies": [
            {"vhost": "v", "name": "op", "pattern": "^x", "apply-to": "queues", "priority": 0,
             "definition": {}},
        ],
        "user limits": [{"user": "131016", "value": {"max-connections": 1, "max-channels": -1}}],
        "virtual host limits": [{"vhost": "v", "value": {"max-queues": 3000}}],
        "shovels": [
            {"component": "shovel", "vhost": "v", "name": "s",
             "value": {"src-uri": "amqp://", "src-queue": "jlis", "dest-exchange": "x"}},
            {"component": "vhost-limits", "vhost": "v", "name": "limits", "value": {}},
        ],
        "tracing": {"name": "v", "tracing": False},
        "feature flags": [{"name": "stream_queue", "state": "disabled"},
                          {"name": "quorum_queue", "state": "enabled"}],
    }  # fmt: skip

    assert [
        Policy("ttl", "v", ".*", "all", (("max-length", 5), ("queue-version", "2.5")),
               works_on=frozenset({"juki.dead"})),
        Policy("op", "v", "^x", "queues", (), operator=True, works_on=frozenset({"jlis"})),
        Limit("131016", "", "max-connections", 1),
        Limit(None, "v", "max-queues", 3000),
        Shovel("s", "v", ("jlis", "x")),
        DisabledFeature("stream_queue"),
    ] == list(influences(found))  # fmt: skip
    assert [] == list(influences({}))
