"""`jukinet status`: how far an event or an envelope has come, and why not further."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

import typer

from jukinet_mq.cli import amounts, options, running, terminal
from jukinet_mq.errors import DeadlineExceededError, JukinetError, UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.cli.journey import Journey, Step
    from jukinet_mq.config import Settings
    from jukinet_mq.store.timeline import Filed, Known

LOOK_EVERY_SECONDS: Final = 0.25
_MARKS: Final = {"done": "[green]✓[/]", "waiting": "[yellow]…[/]", "failed": "[red]✗[/]"}
_REFUSED: Final = 65


def status(
    wanted: Annotated[
        UUID, typer.Argument(metavar="ID", help="Of a business event, or of one envelope.")
    ],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait until every keeper has answered.")
    ] = False,
    deadline: Annotated[
        timedelta,
        typer.Option(
            metavar="TIME",
            help="How long --follow waits; exit 75 after that.",
            parser=amounts.read_wait,
            show_default="60s",
        ),
    ] = timedelta(seconds=60),
    as_json: options.Json = False,
) -> None:
    """Show an event's envelopes: published, relayed, kept, forwarded, processed, or why not.

    The municipality's database says what its keepers have answered; what the other tiers'
    databases know is added where they are configured. With --follow, exit 65 when a keeper has
    rejected an envelope.

        $ jukinet status 01997c3e-5f00-7000-8000-0000000000a1 --follow
    """
    given = running.settings()
    found = running.run(_look(given, wanted, deadline if follow else None))
    filed, ways, troubles = found
    if as_json:
        terminal.print_json(
            {
                "id": wanted,
                "filed": [asdict(one) for one in filed],
                "envelopes": [_facts(way) for way in ways],
                "complete": _is_complete(filed, ways),
                "not_asked": troubles,
            }
        )
    else:
        _print(filed, ways)
        for tier, text in troubles.items():
            terminal.say(f"[yellow]![/] {tier} database not asked: {terminal.escape(text)}")
    if follow and not _is_complete(filed, ways):
        raise DeadlineExceededError(
            f"not every keeper has answered within {amounts.span_text(deadline)}; `jukinet doctor` "
            "says what stands in the way"
        )
    if follow and any(way.refused for way in ways):
        raise typer.Exit(_REFUSED)


Found = tuple[list["Filed"], "list[Journey]", dict[str, str]]


async def _look(given: Settings, wanted: UUID, within: timedelta | None) -> Found:
    """Look once, or, with *within*, until everything is answered or that time is over."""
    import asyncio

    ends = time.monotonic() + (0 if within is None else within.total_seconds())
    while True:
        found = await _look_once(given, wanted)
        if _is_complete(*found[:2]) or time.monotonic() >= ends:
            return found
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _look_once(given: Settings, wanted: UUID) -> Found:
    from jukinet_mq.cli import journey
    from jukinet_mq.nodes import directory

    known, troubles = await _ask_all(given, wanted)
    filed = journey.filings(known.values())
    ways = journey.journeys(known, directory(), _handled)
    if not (filed or ways):
        raise UnknownEventError(
            f"no event and no envelope {wanted} is known in the databases of the tiers "
            f"{', '.join(known)}; compare the id with what `jukinet inject` printed"
        )
    return filed, ways, troubles


async def _ask_all(given: Settings, wanted: UUID) -> tuple[dict[Tier, Known], dict[str, str]]:
    """Ask each configured database; that one is away does not hide what the others know."""
    known: dict[Tier, Known] = {}
    troubles: dict[str, str] = {}
    failure: JukinetError | None = None
    for tier in running.tiers_of(given, None):
        try:
            known[tier] = await _ask(given, tier, wanted)
        except JukinetError as error:
            troubles[tier.value] = str(error)
            failure = error
    if not known and failure is not None:
        raise failure
    return known, troubles


async def _ask(given: Settings, tier: Tier, wanted: UUID) -> Known:
    from jukinet_mq.store import timeline

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await timeline.look_up(tx, wanted)


def _handled(kind: Any, tier: Tier) -> bool:
    from jukinet_mq.consumers.handlers.tables import HANDLERS

    return kind.name in HANDLERS[tier]


def _is_complete(filed: Sequence[Filed], ways: Sequence[Journey]) -> bool:
    waiting = any(one.state == "waiting" for one in filed)
    return not waiting and not any(way.unanswered for way in ways)


def _print(filed: Sequence[Filed], ways: Sequence[Journey]) -> None:
    for one in filed:
        terminal.say(
            f"[bold]{one.kind}[/] {one.event_id} filed at {terminal.node_label(one.node)}, "
            f"{terminal.moment(one.filed_at)}"
        )
        match one.state:
            case "waiting":
                terminal.say(
                    "[yellow]…[/] waits for its move-out certificate, asked for at "
                    f"{terminal.node_label(one.former or '')}"
                )
            case "refused":
                reason = terminal.escape(f"[{one.reason}]")
                terminal.say(f"[red]✗[/] refused {reason}; it needs the paper certificate")
            case "done":
                terminal.say("[green]✓[/] registered with its move-out certificate")
            case _:
                pass
    for way in ways:
        _print_way(way)


def _print_way(way: Journey) -> None:
    from rich.table import Table
    from rich.text import Text

    said = way.said
    terminal.say()
    terminal.say(
        f"[bold]{said.kind}[/] {said.message_id}  {terminal.node_label(said.sender)} → "
        f"{terminal.node_label(said.recipient)}  [dim]number {said.sequence}[/]"
    )
    table = Table.grid(padding=(0, 2))
    for step in way.steps:
        table.add_row(
            Text.from_markup(f"  {_MARKS[step.state]} {step.what}"),
            terminal.node_label(step.node),
            "" if step.at is None else terminal.moment(step.at),
            Text(later(way, step), style="dim"),
            Text(_why(step), style="red" if step.state == "failed" else "yellow"),
        )
    terminal.console().print(table)


def later(way: Journey, step: Step) -> str:
    """Say how long after the first step another one was; two nodes' clocks may disagree."""
    begun = next((one.at for one in way.steps if one.at is not None), None)
    if begun is None or step.at is None or step.at == begun:
        return ""
    return f"+{terminal.span(step.at - begun)}" if step.at > begun else "clocks differ"


def _why(step: Step) -> str:
    return ": ".join(part for part in (step.reason, step.detail) if part)


def _facts(way: Journey) -> Mapping[str, object]:
    return {
        **asdict(way.said),
        "steps": [asdict(step) for step in way.steps],
        "unanswered": list(way.unanswered),
        "refused": way.refused,
    }
