"""The program is killed at every step where it can be, and its restart makes it good (G3)."""

from __future__ import annotations

import importlib
import random
from collections import defaultdict
from contextlib import ExitStack
from operator import attrgetter

import pytest

from jukinet_mq.nodes import Tier
from tests.chaos.crashing import POINTS
from tests.chaos.parade import die_at, every_case, inject_and_die
from tests.fixtures.installation import Installation
from tests.fixtures.proving import proved

SEED = 20260401
TIMES_MAX = 3


def selection(seed: int) -> dict[Tier, list[str]]:
    """Return every step once, at one of its tiers; `make chaos` takes each at each of them."""
    chance = random.Random(seed)
    places = defaultdict(list)
    for point, tier in every_case():
        places[point].append(tier)
    chosen = defaultdict(list)
    for point, tiers in places.items():
        chosen[chance.choice(tiers)].append(point)
    for points in chosen.values():
        chance.shuffle(points)
    return chosen


@pytest.mark.parametrize("tier", Tier)
async def test_worker_killed_at_any_step_loses_and_doubles_nothing(
    installation: Installation, tier: Tier
) -> None:
    """Each time the next worker goes on, and at the end the books agree."""
    chance = random.Random(f"{SEED} {tier}")
    with ExitStack() as stack:
        others = [stack.enter_context(installation.worker(t)) for t in Tier if t is not tier]
        for point in selection(SEED)[tier]:
            await die_at(installation, tier, point, times=chance.randint(1, TIMES_MAX))
        last = stack.enter_context(installation.worker(tier))
        await installation.settled()
        codes = [worker.terminate() for worker in (*others, last)]

    assert [0, 0, 0] == codes
    proof = await proved(installation)
    assert proof.effects > 0


def test_selection_has_every_step_and_every_tier_has_some() -> None:
    """No step of a worker is left out of the short run."""
    chosen = selection(SEED)
    workers = {name for name, point in POINTS.items() if point.command == "worker"}
    assert workers == {point for points in chosen.values() for point in points}
    assert set(Tier) == set(chosen)


@pytest.mark.parametrize("name", POINTS)
def test_step_is_where_it_is_said_to_be(name: str) -> None:
    """A renamed function would make its step be passed by in silence."""
    module, _, path = POINTS[name].place.partition(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize(("point", "filed"), [("filing", 0), ("filed", 41)])
async def test_killed_injector_files_all_or_nothing_and_may_be_repeated(
    installation: Installation, point: str, filed: int
) -> None:
    """A death before the commit leaves nothing, after it everything; a repetition adds the rest."""
    count = "SELECT count(*) FROM filed_event"
    [[before]] = await installation.fetch(Tier.MUNICIPALITY, count)
    lines = inject_and_die(installation, point, number=910_000 + filed * 100)
    [[after]] = await installation.fetch(Tier.MUNICIPALITY, count)
    again = installation.jukinet("inject", "-", given=lines)
    [[finally_]] = await installation.fetch(Tier.MUNICIPALITY, count)

    assert filed == after - before
    assert 0 == again.returncode, again.stderr
    assert 41 == finally_ - before
    with installation.workers():
        await installation.settled()
    await proved(installation)
