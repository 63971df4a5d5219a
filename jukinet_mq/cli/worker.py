"""`jukinet worker`: what keeps, handles, relays and answers, until it is told to stop."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jukinet_mq.cli import names, options, running
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from jukinet_mq.config import Settings
    from jukinet_mq.consumers.worker import Worker
    from jukinet_mq.nodes import NodeCode
    from jukinet_mq.room import Room

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_LAST_LINES_WITHIN: Final = timedelta(milliseconds=500)


def worker(
    tier: Annotated[
        Tier,
        typer.Argument(
            help="Which floor of the network.", show_default=False, parser=names.member_of(Tier)
        ),
    ],
    *,
    node: options.NodesOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every node of the tier, in this one process.")
    ] = False,
) -> None:
    """Run a tier's nodes: keep what arrives, handle it, relay what waits, issue receipts.

    Logs go to standard error, one JSON object per line. A log that is full, closed or slow stops
    nothing: lines are dropped, and counted in `log.lines_dropped` when it can be written again.
    SIGTERM and Ctrl-C let the worker finish what is under way and exit 0; a second one ends it at
    once, which loses nothing either. Several workers of a tier share its work. When the broker or
    the database goes away it waits and resumes by itself.

        $ jukinet worker national --all
        $ jukinet worker municipality --node 131016 --node 131024
    """
    if everything and node:
        raise typer.BadParameter("name nodes with --node, or say --all, not both")
    if tier is Tier.NATIONAL and not node:
        everything = True
    if not (everything or node):
        raise typer.BadParameter(
            f"which nodes of the {tier.value} tier? Name them with --node CODE (repeatable), or "
            "say --all for all of them in this process"
        )
    import uvloop

    from jukinet_mq import logs

    codes = None if everything else _codes(tier, node or [])
    given = running.settings()
    as_json = given.log_format == "json"
    logs.configure(level=given.log_level, as_json=as_json, background=True)
    running.quiet_libraries()

    uvloop.run(_serve(given, tier, codes))


def _codes(tier: Tier, named: Sequence[str]) -> list[NodeCode]:
    nodes = running.nodes_of(named)
    for node in nodes:
        if node.tier is not tier:
            raise typer.BadParameter(f"{node.code} {node.name} is a node of the {node.tier} tier")
    return [node.code for node in nodes]


async def _serve(given: Settings, tier: Tier, codes: Sequence[NodeCode] | None) -> None:
    """Open the room, be it only when its database is back, and work until told to stop."""
    import asyncio
    from contextlib import AsyncExitStack

    from jukinet_mq import app, telemetry
    from jukinet_mq.room import open_room

    started = time.monotonic()
    stop = _set_by_signals()
    async with AsyncExitStack() as stack:
        opening = asyncio.create_task(
            stack.enter_async_context(open_room(given, tier, patient=True))
        )
        if not await _before(stop, opening):
            seconds = round(time.monotonic() - started, 1)
            telemetry.emit(telemetry.WORKER_STOPPED, tier=tier.value, seconds=seconds)
            return
        workers = app.workers(given, opening.result(), codes)
        running.collect_garbage_rarely()
        await _until_stopped(workers, stop)


async def _before(stop: asyncio.Event, task: asyncio.Task[Room]) -> bool:
    """Wait for *task*; once *stop* is set it is given up instead, and False is returned."""
    import asyncio

    told = asyncio.create_task(stop.wait())
    await asyncio.wait({told, task}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        return True
    task.cancel()
    await asyncio.wait({task})
    return False


async def _until_stopped(workers: Sequence[Worker], stop: asyncio.Event) -> None:
    """Run the workers; when one fails for good, let the others finish before it is told."""
    import asyncio

    told = asyncio.create_task(stop.wait())
    tasks = [asyncio.create_task(one.run()) for one in workers]
    await asyncio.wait({told, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    for one in workers:
        one.stop()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    if failures := [end for end in ended if isinstance(end, Exception)]:
        raise ExceptionGroup("workers failed", failures)


def _set_by_signals() -> asyncio.Event:
    """Return what the first signal sets; the second one ends the process at once."""
    import asyncio

    from jukinet_mq import logs

    stop = asyncio.Event()

    def tell(number: int) -> None:
        if stop.is_set():
            logs.flush(_LAST_LINES_WITHIN)
            os._exit(128 + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, tell, number)
    return stop
