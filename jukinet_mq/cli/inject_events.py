"""`jukinet inject move|card-move|identity-update`: one business event, by options or a file."""

from __future__ import annotations

import inspect
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from jukinet_mq.cli import fields, options, running, terminal
from jukinet_mq.cli.prose import reflow
from jukinet_mq.errors import UnknownNodeError
from jukinet_mq.messages import ChangeReason
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
    from jukinet_mq.store.timeline import Published

SYNTHETIC_TRIES: Final = 2_000
SYNTHETIC_ROOM: Final = 1_000
"""Synthetic numbers that one invocation may draw from; the seed says which of the million."""


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
    typer.Option(min=0, help="With --synthetic: the same seed gives the same people."),
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
        annotation=Annotated[Filing, typer.Option(help="Which half is filed.")],
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
    content = _content(model, given, file=file, synthetic=synthetic, seed=seed, as_json=as_json)
    event = read_event(_completed(content))
    outcome, published = running.run(_publish(running.settings(), event))
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


def _content(
    model: type[Filed],
    given: Mapping[str, Any],
    *,
    file: Path | None,
    synthetic: bool,
    seed: int | None,
    as_json: bool,
) -> dict[str, Any]:
    """Return the event's JSON: that of the file or made up, with the options laid over it."""
    known = fields.options_of(model)
    said = {name: value for name, value in given.items() if value is not None}
    names = {option.parameter for option in known}
    if strange := sorted(said.keys() - names):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in strange)
        raise typer.BadParameter(f"{flags}: not for this filing")
    if synthetic and file is not None:
        raise typer.BadParameter("give a FILE or --synthetic, not both")
    one_person = {o.parameter for o in known if "*" in o.path} & said.keys()
    if "persons" in said and one_person:
        raise typer.BadParameter("give --persons, or the options of one person, not both")
    if not (said or synthetic or file):
        raise typer.BadParameter("give the fields as options, a JSON FILE, or say --synthetic")
    content: dict[str, Any] = {"event": model.model_fields["event"].default}
    if synthetic:
        content = _made_up(model, seed, said, as_json=as_json)
    elif file is not None:
        content |= _read(file)
    return _laid_over(content, fields.content_of(known, said))


def _made_up(
    model: type[Filed], seed: int | None, said: dict[str, Any], *, as_json: bool
) -> dict[str, Any]:
    from jukinet_mq.identifiers import SYNTHETIC_COUNT
    from jukinet_mq.load.sampler import Sampler

    if seed is None:
        seed = secrets.randbelow(2**31)
    if not as_json:
        terminal.say(f"[dim]made up with --seed {seed}[/]")
    offset = seed * 7_919 % (SYNTHETIC_COUNT // SYNTHETIC_ROOM) * SYNTHETIC_ROOM
    if model is IdentityUpdateFiled:
        sampler = Sampler(seed, offset=offset, capacity=SYNTHETIC_ROOM)
        reason = said.pop("reason", None)
        reasons = tuple(ChangeReason) if reason is None else (reason,)
        return next(iter(sampler.identity_updates(1, reasons=reasons)))
    share = 0.0 if model is MoveFiled else 1.0
    sampler = Sampler(
        seed, offset=offset, capacity=SYNTHETIC_ROOM, card_share=share, follow_after=0
    )
    wanted = model.model_fields["event"].default
    return next(e for e in sampler.sample(SYNTHETIC_TRIES) if e["event"] == wanted)


def _read(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        content = orjson.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(
            f"{file}: no JSON in UTF-8 ({error.msg}, line {error.lineno})"
        ) from None
    if not isinstance(content, dict):
        raise typer.BadParameter(
            f"{file}: expected one JSON object; many events go to `inject FILE`"
        )
    return content


def _laid_over(content: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return *content* with what was *said* in its place, part by part; a list of one too."""
    merged = dict(content)
    for name, value in said.items():
        there = merged.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            merged[name] = _laid_over(there, value)
        elif name == "persons" and isinstance(there, list) and len(there) == len(value) == 1:
            merged[name] = [_laid_over(there[0], value[0])]
        else:
            merged[name] = value
    return merged


def _completed(content: dict[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the rest: the class of a reason, the municipality of an area."""
    from jukinet_mq.nodes import directory

    update = content.get("update")
    if isinstance(update, dict) and "event_class" not in update:
        reasons = {reason.value: reason for reason in ChangeReason}
        if reason := reasons.get(update.get("reason", "")):
            content["update"] = update | {"event_class": reason.event_class.value}
    if "municipality" not in content:
        areas = {
            "identity-update": update.get("area_code") if isinstance(update, dict) else None,
            "card-move-out": content.get("former_area_code"),
        }
        area = areas.get(content["event"], content.get("new_area_code"))
        if isinstance(area, str):
            try:
                return content | {"municipality": directory().route(area).code}
            except UnknownNodeError:
                return content
    return content


async def _publish(given: Settings, event: Event) -> tuple[Outcome, list[Published]]:
    from jukinet_mq import app as composition
    from jukinet_mq.nodes import Tier
    from jukinet_mq.producers.filings import file_events
    from jukinet_mq.store import timeline

    async with (
        composition.open_room(given, Tier.MUNICIPALITY) as room,
        room.database.transaction() as tx,
    ):
        [outcome] = await file_events(tx, room.publisher, [event])
        known = await timeline.look_up(tx, event.event_id)
    return outcome, list(known.published)


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
