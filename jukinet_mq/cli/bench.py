"""`jukinet bench`: how fast, and where the time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jukinet_mq.cli import amounts, options, running, terminal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jukinet_mq.load.bench import Result
    from jukinet_mq.load.measure import Percentiles

HELP = """
How fast envelopes pass all three tiers with all guarantees on, and where the time goes.

    $ jukinet bench identity-update --count 10000
"""
MIB: Final = 2**20
GOAL_PER_SECOND: Final = 1_000
GOAL_PEAK_BYTES: Final = 200 * MIB
GOAL_IDLE_SECONDS: Final = 0.050

app = typer.Typer(help=HELP, no_args_is_help=True)

Seed = Annotated[int, typer.Option(min=0, max=amounts.SEED_MAX, help="Of everything random.")]


@app.command(name="identity-update")
def identity_update(
    *,
    count: Annotated[int, typer.Option(min=1, max=300_000, help="Updates that count.")] = 10_000,
    warm_up: Annotated[
        int, typer.Option(min=1, max=50_000, help="Updates before, that do not.")
    ] = 5_000,
    seed: Seed = 1,
    processes: Annotated[
        int, typer.Option(min=1, max=16, help="Workers of each tier, side by side.")
    ] = 1,
    singles: Annotated[
        int, typer.Option(min=1, max=1_000, help="Updates one after the other, afterwards.")
    ] = 50,
    as_json: options.Json = False,
) -> None:
    """Publish identity updates in bulk through the real processes, and time every stage.

    Private servers, a worker process per tier and one that publishes, all on this machine: their
    processor times are told apart. Then single updates, one after the other, on the idle system.
    Nothing is judged by counters of the program: the instants are those in the databases.
    """
    from jukinet_mq import logs
    from jukinet_mq.cli import demo_view
    from jukinet_mq.load import bench
    from jukinet_mq.load.interrupting import terminated_like_interrupted

    logs.configure(level="warning", as_json=False)
    given = running.settings(running=False)
    plan = bench.Plan(count, warm_up, seed, singles, processes)
    watching = demo_view.view_of(bench.Stage, count, silent=as_json)
    with terminated_like_interrupted(), watching as view:
        result = bench.run(plan, given, view)
    if as_json:
        terminal.print_json(facts(result))
    else:
        _show(result)


@app.command(hidden=True)
def inject(
    *,
    part: Annotated[
        list[int], typer.Option(min=1, max=300_000, help="How many updates; may be repeated.")
    ],
    seed: Seed = 1,
    offset: Annotated[
        int, typer.Option(min=0, max=amounts.SEED_MAX, help="First synthetic number.")
    ] = 0,
) -> None:
    """Publish parts of identity updates, each when a line comes in: the benchmark's own process."""
    import uvloop

    from jukinet_mq import logs
    from jukinet_mq.load import injector

    logs.configure(level="warning", as_json=False)
    uvloop.run(injector.inject(running.settings(), part, seed=seed, offset=offset))


def facts(result: Result) -> dict[str, Any]:
    """Return the result for a program."""
    count = result.plan.count
    return {
        "count": count,
        "warm_up": result.plan.warm_up,
        "seed": result.plan.seed,
        "processes": result.plan.processes,
        "complete": result.complete,
        "kept_per_second": round(count / result.kept_seconds, 1),
        "receipted_per_second": round(count / result.receipted_seconds, 1),
        "stages": [
            {
                "name": stage.name,
                "count": stage.count,
                "first_seconds": round(stage.first, 3),
                "last_seconds": round(stage.last, 3),
                "per_second": stage.per_second and round(stage.per_second, 1),
            }
            for stage in result.stages
        ],
        "publish_seconds": round(result.publish_seconds, 3),
        "cpu_microseconds_per_update": {
            name: round(seconds * 1e6 / count) for name, seconds in result.cpu_seconds.items()
        },
        "worker_peak_bytes": dict(result.worker_peaks),
        "idle_seconds": result.idle and _percentiles(result.idle),
        "load_average_before": round(result.load_before, 2),
    }


def _percentiles(found: Percentiles) -> dict[str, float]:
    return {"p50": found.p50, "p95": found.p95, "p99": found.p99}


def _show(result: Result) -> None:
    count = result.plan.count
    kept, receipted = count / result.kept_seconds, count / result.receipted_seconds
    terminal.say()
    terminal.print_table(
        ("stage", "count", "first at", "last at", "a second"),
        (
            (s.name, s.count, f"{s.first:.2f} s", f"{s.last:.2f} s",
             None if s.per_second is None else f"{s.per_second:,.0f}")
            for s in result.stages
        ),
        right=("count", "first at", "last at", "a second"),
    )  # fmt: skip
    total = sum(result.cpu_seconds.values())
    terminal.print_table(
        ("processor time of", "µs an update", "share"),
        [
            (name, round(used * 1e6 / count), f"{used / total:.0%}" if total else None)
            for name, used in [*result.cpu_seconds.items(), ("all together", total)]
        ],
        right=("µs an update", "share"),
    )
    _goals(
        [
            (kept >= GOAL_PER_SECOND, f"{kept:,.0f} updates a second, published to kept at J-LIS"),
            (result.complete, f"{receipted:,.0f} a second until the last receipt was in"),
            *(
                (peak < GOAL_PEAK_BYTES, f"{peak / MIB:,.0f} MiB at most: {name} worker")
                for name, peak in result.worker_peaks.items()
            ),
        ]
    )
    if result.idle is not None:
        p50, p95 = result.idle.p50 * 1000, result.idle.p95 * 1000
        text = f"{p50:.0f} ms from filing to kept at J-LIS when idle (median; p95 {p95:.0f} ms)"
        _goals([(result.idle.p50 < GOAL_IDLE_SECONDS, text)])
    terminal.say(
        f"  [dim]load average before: {result.load_before:.1f}; the machine's own work counts "
        "against these figures[/]"
    )


def _goals(reached: Iterable[tuple[bool, str]]) -> None:
    for good, text in reached:
        terminal.say(f"  {'[green]✓[/]' if good else '[yellow]![/]'} {text}")
