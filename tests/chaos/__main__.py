"""Chaos for as long as one likes: `python -m tests.chaos --minutes 10 --seed 7`."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from tests.chaos import cluster
from tests.chaos.run import PER_SECOND, Report, run
from tests.chaos.scenarios import SCENARIOS
from tests.fixtures.broker_cluster import clustered, installed_on
from tests.fixtures.databases import making_databases
from tests.fixtures.own_servers import own_servers_up, own_world
from tests.fixtures.servers import ROOT_VARIABLE

SEEDS = 2**32
SETTLE_WITHIN = timedelta(minutes=5)


def main() -> int:
    """Return 0 when nothing was lost, doubled or left."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the chaos")
    parser.add_argument("--seed", type=int, help="repeat a run; without it a new one is made")
    parser.add_argument("--rate", type=int, help="events per second")
    parser.add_argument(
        "--scenario",
        choices=["random", "cluster", *SCENARIOS],
        default="random",
        help="faults at random for the given time (cluster: those of a broker of three nodes), "
        "or one long course at its full length",
    )
    given = parser.parse_args()
    seed = random.randrange(SEEDS) if given.seed is None else given.seed
    if given.scenario in SCENARIOS:
        _say(f"scenario {given.scenario}, seed {seed}")
        return asyncio.run(_play(given.scenario, seed))
    _say(f"chaos ({given.scenario}) for {given.minutes:g} minutes, seed {seed}")
    chaos = {"random": _run, "cluster": _run_cluster}[given.scenario]
    return asyncio.run(chaos(seed, timedelta(minutes=given.minutes), given.rate))


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


async def _run(seed: int, chaos: timedelta, per_second: int | None) -> int:
    home = Path(tempfile.mkdtemp(prefix="jukinet-chaos-"))
    async with own_world(home) as (servers, _, installation):
        report = await run(
            servers,
            installation,
            seed=seed,
            chaos=chaos,
            settle_within=SETTLE_WITHIN,
            per_second=per_second or PER_SECOND,
        )
    return _judge(report, home)


async def _run_cluster(seed: int, chaos: timedelta, per_second: int | None) -> int:
    home = Path(tempfile.mkdtemp(prefix="jukinet-chaos-"))
    root = os.environ.get(ROOT_VARIABLE)
    with own_servers_up() as servers, clustered(Path(root) if root else None) as brokers:
        await servers.stop_broker()
        await brokers.whole()
        async with (
            making_databases(servers.endpoints) as maker,
            installed_on(brokers, servers.endpoints, maker, home) as installation,
        ):
            report = await cluster.run(
                brokers,
                installation,
                seed=seed,
                chaos=chaos,
                settle_within=SETTLE_WITHIN,
                per_second=per_second or cluster.PER_SECOND,
            )
        _say(f"brokers that had to be restarted to come back: {len(brokers.restarted)}")
    return _judge(report, home)


def _judge(report: Report, home: Path) -> int:
    _say(str(report))
    if report.good:
        _say("PASSED: nothing lost, doubled, unreceipted, unexpected or left")
        shutil.rmtree(home)
        return 0
    _say(f"FAILED: repeat with --seed {report.seed}; the processes' logs are in {home}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
