"""`jukinet demo`: the main job on the whole nation, from one command."""

from __future__ import annotations

from typing import Annotated

import typer

from jukinet_mq.cli import amounts, options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.errors import InvariantError


def demo(
    *,
    events: Annotated[
        int, typer.Option(min=1, max=200_000, help="How many events are filed.")
    ] = 2_000,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=amounts.SEED_MAX, help="Of everything random: equal seed, equal events."
        ),
    ] = 1,
    keep: Annotated[
        bool, typer.Option("--keep", help="Let the servers go on running, to look around.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Move people through all 47 prefectures and 1,741 municipalities; prove that nothing is lost.

    Starts private servers, gives them the nation's queues, keys and tables, runs a worker process
    per tier, and files moves and other events drawn from the migration matrix of 2025. Then it
    counts in the three databases and the broker that every envelope is where it must be, exactly
    once, and answered; exit 70 if not. All people are made up.

    A second run on the same databases adds its events, and the proof is about all of them.

        $ jukinet demo
        $ jukinet demo --events 20000 --keep
    """
    from jukinet_mq import logs
    from jukinet_mq.cli import demo_report, demo_view
    from jukinet_mq.load import demo as stages
    from jukinet_mq.load.interrupting import terminated_like_interrupted

    logs.configure(level="warning", as_json=False)
    given = running.settings(running=False)
    plan = stages.Plan(events, seed, keep)
    watching = demo_view.view_of(stages.Stage, events, silent=as_json)
    with terminated_like_interrupted(), watching as view:
        report = stages.run(plan, given, view)
    work_is_done(0 if report.holds else InvariantError.exit_code)
    if as_json:
        terminal.print_json(demo_report.facts(report))
    else:
        demo_report.show(report)
    if not report.holds:
        raise InvariantError(
            "the proof does not hold; what is listed says where to look, and so do the workers' "
            f"logs in {given.home / 'logs'}"
        )
