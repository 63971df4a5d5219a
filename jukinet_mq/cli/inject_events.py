"""`jukinet inject move|card-move|identity-update`: one business event, by options or a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jukinet_mq.cli import amounts, fields, names, options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.cli.event_content import content_of
from jukinet_mq.cli.prose import reflow
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    Filed,
    IdentityUpdateFiled,
    MoveFiled,
    read_event,
)

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.producers.events import Event
    from jukinet_mq.producers.filings import Outcome
    from jukinet_mq.store.database import Transaction
    from jukinet_mq.store.timeline import Published


class Filing(StrEnum):
    """Which half of a card-based move."""

    MOVE_OUT = "move-out"
    MOVE_IN = "move-in"


app = typer.Typer(no_args_is_help=True)
_File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="The event as JSON, or - for standard input; options add to it."
    ),
]
_Synthetic = Annotated[
    bool, typer.Option("--synthetic", help="Make somebody up: no number in it can be a person's.")
]
_Seed = Annotated[
    int | None,
    typer.Option(
        min=0, max=amounts.SEED_MAX, help="With --synthetic: the same seed gives the same people."
    ),
]
_FIXED: Final = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, annotation, default in (
        ("file", _File, None),
        ("synthetic", _Synthetic, False),
        ("seed", _Seed, None),
        ("as_json", options.Json, False),
    )
]


def identity_update(**given: Any) -> None:
    """File one update of a register entry: any of the 20 reasons.

    A birth, a death, a move within the municipality, from or to abroad, a correction, a number
    changed. The prefecture and J-LIS are told.

        $ jukinet inject identity-update --synthetic --reason death
        $ jukinet inject identity-update update.json
    """
    _file_event(IdentityUpdateFiled, given)


def move(**given: Any) -> None:
    """File a move-in with a paper certificate, at the new municipality.

    Leads to `identity-update` (国内転入) per person, upward, and a `move-in-notice` (転入通知) to
    the former municipality, whose arrival there makes a `move-out-confirmation`.

        $ jukinet inject move --synthetic
        $ jukinet inject move household.json --moved-in-on 2026-03-28
    """
    _file_event(MoveFiled, given)


def card_move(**given: Any) -> None:
    """File one half of a move with the card and without paper.

    --filing move-out, at the former municipality: `identity-update` (国内転出) per person, and the
    `move-out-certificate` (転出証明書情報) to the destination. --filing move-in, there: uses the
    certificate, or asks for it again when it never came or was erased.

        $ jukinet inject card-move --filing move-out --synthetic --seed 7
        $ jukinet inject card-move --filing move-in --synthetic --seed 7
    """
    filing = given.pop("filing")
    _file_event(CardMoveOutFiled if filing is Filing.MOVE_OUT else CardMoveInFiled, given)


def _register() -> None:
    app.command("identity-update")(_with_options(identity_update, {"Fields": IdentityUpdateFiled}))
    app.command("move")(_with_options(move, {"Fields": MoveFiled}))
    filing = inspect.Parameter(
        "filing",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[
            Filing, typer.Option(help="Which half is filed.", parser=names.member_of(Filing))
        ],
    )
    halves: dict[str, type[Filed]] = {
        "Fields of move-out": CardMoveOutFiled,
        "Fields of move-in": CardMoveInFiled,
    }
    app.command("card-move")(_with_options(card_move, halves, filing))


def _with_options(
    command: Callable[..., None],
    models: Mapping[str, type[Filed]],
    *more: inspect.Parameter,
) -> Callable[..., None]:
    """Give *command* the options of every field of *models*; shared ones stand once, first."""
    found = {panel: fields.options_of(model) for panel, model in models.items()}
    parameters: dict[str, inspect.Parameter] = {}
    for panel, here in found.items():
        others = [o for p, theirs in found.items() if p != panel for o in theirs]
        for option in here:
            twins = [other for other in others if other.name == option.name]
            where = "Fields of both" if twins else panel
            said = " Move-in: ".join(dict.fromkeys([option.help, *(t.help for t in twins)]))
            for parameter in fields.parameters([replace(option, help=said)], panel=where):
                parameters.setdefault(parameter.name, parameter)
    ordered = [*_FIXED, *more, *parameters.values()]
    command.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return command


def _file_event(model: type[Filed], given: dict[str, Any]) -> None:
    file, synthetic = given.pop("file"), given.pop("synthetic")
    seed, as_json = given.pop("seed"), given.pop("as_json")
    content = content_of(model, given, file=file, synthetic=synthetic, seed=seed, as_json=as_json)
    event = read_event(content)
    outcome, published = running.run(_publish(running.settings(), event))
    work_is_done()
    if as_json:
        terminal.print_json(
            {
                "event_id": outcome.event_id,
                "event": event.event,
                "municipality": event.node,
                "state": outcome.state,
                "envelopes": [_facts(one) for one in published],
            }
        )
    else:
        _print(event, outcome, published)


async def _publish(given: Settings, event: Event) -> tuple[Outcome, list[Published]]:
    from jukinet_mq.nodes import Tier
    from jukinet_mq.producers.filings import file_events
    from jukinet_mq.room import open_room
    from jukinet_mq.store import timeline

    async with open_room(given, Tier.MUNICIPALITY) as room:

        async def file(tx: Transaction) -> tuple[Outcome, list[Published]]:
            [outcome] = await file_events(tx, room.publisher, [event])
            known = await timeline.look_up(tx, event.event_id)
            return outcome, list(known.published)

        return await room.database.run(file, name="inject")


def _print(event: Event, outcome: Outcome, published: Sequence[Published]) -> None:
    from jukinet_mq.producers.filings import OutcomeState

    where = terminal.node_label(event.node)
    match outcome.state:
        case OutcomeState.PUBLISHED:
            terminal.say(f"[green]✓[/] {event.event} filed at {where}; safe in the outbox")
        case OutcomeState.WAITING:
            terminal.say(
                f"[yellow]…[/] {event.event} filed at {where}; its certificate is asked for, the "
                "rest goes out by itself when it comes"
            )
        case OutcomeState.ALREADY_FILED:
            terminal.say(f"[yellow]=[/] {event.event} was filed at {where} before; nothing is new")
    terminal.print_table(
        ["envelope", "kind", "from", "to", "number"],
        [
            (str(p.said.message_id), p.said.kind, terminal.node_label(p.said.sender),
             terminal.node_label(p.said.recipient), str(p.said.sequence))
            for p in published
        ],
        right=["number"],
    )  # fmt: skip
    terminal.say(f"Next: [cyan]jukinet status {outcome.event_id}[/]")


def _facts(one: Published) -> dict[str, object]:
    return {
        "id": one.said.message_id,
        "kind": one.said.kind,
        "sender": one.said.sender,
        "recipient": one.said.recipient,
        "sequence": one.said.sequence,
    }


_register()
reflow(app)
