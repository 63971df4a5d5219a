"""A short run of `make chaos`, and a short backlog; the long ones take as long as one likes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.chaos.run import run
from tests.chaos.scenarios import away
from tests.fixtures.installation import Installation
from tests.fixtures.own_servers import World

SEED = 8
CHAOS = timedelta(seconds=12)
SETTLE_WITHIN = timedelta(seconds=90)
NOTICES = 1_000
MEMORY_MORE_MAX = 48 * 1024 * 1024


@pytest.mark.timeout(240)
async def test_chaos_of_a_fixed_seed_loses_and_doubles_nothing(world: World) -> None:
    """Faults at random under fifty events a second: when it is quiet, the books agree."""
    servers, installation = world

    report = await run(servers, installation, seed=SEED, chaos=CHAOS, settle_within=SETTLE_WITHIN)

    assert report.good, str(report)
    assert report.deaths
    assert report.faults


@pytest.mark.timeout(240)
async def test_municipality_that_was_away_finds_everything_in_order(
    installation: Installation,
) -> None:
    """Its backlog is kept in the order of its numbers, in bounded memory; nobody else waits."""
    figures = await away(installation, NOTICES)

    assert NOTICES <= figures["waiting"]
    assert figures["peak bytes"] < figures["peak bytes of who stayed"] + MEMORY_MORE_MAX
