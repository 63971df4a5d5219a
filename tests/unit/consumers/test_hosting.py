from __future__ import annotations

from collections.abc import Sequence

import pytest

from jukinet_mq import telemetry
from jukinet_mq.consumers.hosting import Hosting
from jukinet_mq.errors import MissingKeyError, NodeKeyError, UnsafeKeyFileError
from jukinet_mq.nodes import NodeCode
from tests.fixtures.telling import Told

A, B, C = NodeCode("131016"), NodeCode("011002"), NodeCode("012025")
EVERYBODY = [A, B, C]


class Keys:
    """Keys of which some fail."""

    def __init__(self) -> None:
        self.bad: dict[NodeCode, type[NodeKeyError]] = {}

    def check(self, node: NodeCode) -> None:
        if node in self.bad:
            raise self.bad[node]("the key file is bad", node=node)


async def test_a_node_whose_keys_fail_waits_alone_and_is_named_once(told: Told) -> None:
    """However often it is looked at, the log names it once; another reason is told again."""
    keys = Keys()
    hosting = Hosting(keys.check, EVERYBODY)
    keys.bad[A] = MissingKeyError

    await hosting.look(EVERYBODY)
    await hosting.look(EVERYBODY)
    keys.bad[A] = UnsafeKeyFileError
    await hosting.look(EVERYBODY)

    assert [A] == list(hosting.waiting)
    assert [B, C] == hosting.able(None)
    assert [B] == hosting.able([A, B])
    reasons = [(one["node"], one["reason"]) for one in told.named(telemetry.NODE_SUSPENDED)]
    assert [(A, "private_key_missing"), (A, "private_key_unsafe")] == reasons


async def test_a_node_whose_keys_are_mended_works_again_and_listeners_are_told(told: Told) -> None:
    """Each change is told once; nobody waits any more, so all are served as before."""
    keys = Keys()
    hosting = Hosting(keys.check, EVERYBODY)
    changes: list[int] = []
    hosting.listen(lambda: changes.append(len(hosting.waiting)))
    keys.bad[A] = MissingKeyError

    await hosting.look(EVERYBODY)
    del keys.bad[A]
    await hosting.look([])
    await hosting.look(EVERYBODY)

    assert [1, 0] == changes
    assert [A] == [one["node"] for one in told.named(telemetry.NODE_RESUMED)]
    assert hosting.able(None) is None


async def test_work_that_meets_a_bad_key_is_done_for_the_others() -> None:
    """Each attempt ends at the first bad key; the last one does what is left."""
    hosting = Hosting(Keys().check, EVERYBODY)
    attempts: list[Sequence[NodeCode]] = []

    async def sign(nodes: Sequence[NodeCode] | None) -> str:
        attempts.append(EVERYBODY if nodes is None else nodes)
        for node in attempts[-1]:
            if node in {A, C}:
                raise MissingKeyError("the key file is bad", node=node)
        return "done"

    assert "done" == await hosting.work(None, sign)
    assert [EVERYBODY, [B, C], [B]] == attempts
    assert {A, C} == set(hosting.waiting)


async def test_work_that_signs_for_a_node_it_was_not_given_fails() -> None:
    """It is not repeated for ever."""
    hosting = Hosting(Keys().check, EVERYBODY)

    async def sign(nodes: Sequence[NodeCode] | None) -> None:
        raise MissingKeyError("the key file is bad", node=A)

    with pytest.raises(MissingKeyError):
        await hosting.work([A], sign)
    assert [A] == list(hosting.waiting)


@pytest.mark.parametrize("facts", [{}, {"node": "270008"}])
def test_an_error_about_no_node_of_the_tier_suspends_nobody(facts: dict[str, str]) -> None:
    """Such as one about the file of passwords: the process cannot go on."""
    hosting = Hosting(Keys().check, EVERYBODY)

    with pytest.raises(UnsafeKeyFileError):
        hosting.suspend(UnsafeKeyFileError("credentials.json has mode 0644", **facts))
    assert {} == hosting.waiting
