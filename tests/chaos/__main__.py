"""Chaos for as long as one likes: `python -m tests.chaos --minutes 10 --seed 7`."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from tests.chaos.run import PER_SECOND, run
from tests.chaos.scenarios import SCENARIOS
from tests.fixtures.own_servers import own_world

SEEDS = 2**32


def main() -> int:
    """Return 0 when nothing was lost, doubled or left."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the chaos")
    parser.add_argument("--seed", type=int, help="repeat a run; without it a new one is made")
    parser.add_argument("--rate", type=int, default=PER_SECOND, help="events per second")
    parser.add_argument(
        "--scenario",
        choices=["random", *SCENARIOS],
        default="random",
        help="faults at random for the given time, or one long course at its full length",
    )
    given = parser.parse_args()
    seed = random.randrange(SEEDS) if given.seed is None else given.seed
    if given.scenario != "random":
        _say(f"scenario {given.scenario}, seed {seed}")
        return asyncio.run(_play(given.scenario, seed))
    _say(f"chaos for {given.minutes:g} minutes, seed {seed}")
    return asyncio.run(_run(seed, timedelta(minutes=given.minutes), given.rate))


async def _play(name: str, seed: int) -> int:
    home = Path(tempfile.mkdtemp(prefix="jukinet-chaos-"))
    async with own_world(home) as (servers, _, installation):
        try:
            figures = await SCENARIOS[name](servers, installation, random.Random(seed))
        except (AssertionError, TimeoutError) as error:
            _say(f"FAILED: {error}; repeat with --seed {seed}; the processes' logs are in {home}")
            return 1
    _say(", ".join(f"{what}: {figure}" for what, figure in figures.items()))
    _say("PASSED: nothing lost, doubled, unreceipted, unexpected or left")
    shutil.rmtree(home)
    return 0


async def _run(seed: int, chaos: timedelta, per_second: int) -> int:
    home = Path(tempfile.mkdtemp(prefix="jukinet-chaos-"))
    async with own_world(home) as (servers, _, installation):
        report = await run(
            servers,
            installation,
            seed=seed,
            chaos=chaos,
            settle_within=timedelta(minutes=5),
            per_second=per_second,
        )
    _say(str(report))
    if report.good:
        _say("PASSED: nothing lost, doubled, unreceipted, unexpected or left")
        shutil.rmtree(home)
        return 0
    _say(f"FAILED: repeat with --seed {seed}; the processes' logs are in {home}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
