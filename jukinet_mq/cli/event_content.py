"""What an event says: from a file, from options, or made up."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import typer

from jukinet_mq import strict_json
from jukinet_mq.cli import fields, terminal
from jukinet_mq.cli.event_files import event_file
from jukinet_mq.cli.event_forms import check_encoding
from jukinet_mq.errors import MalformedBodyError, UnknownNodeError
from jukinet_mq.messages import ChangeReason
from jukinet_mq.producers.events import (
    EVENT_SIZE_MAX,
    Filed,
    IdentityUpdateFiled,
    MoveFiled,
)

SYNTHETIC_TRIES: Final = 2_000
SYNTHETIC_ROOM: Final = 1_000
"""Synthetic numbers that one invocation may draw from; the seed says which of the million."""


def content_of(
    model: type[Filed],
    given: Mapping[str, Any],
    *,
    file: Path | None,
    synthetic: bool,
    seed: int | None,
    as_json: bool,
) -> dict[str, Any]:
    """Return the event's JSON: that of the file or made up, with the options laid over it.

    Raises:
        typer.BadParameter: What was given does not go together, or cannot be read.
        RejectedError: The file is in another form, or not JSON that has one meaning.
    """
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
    return _completed(_laid_over(content, fields.content_of(known, said)))


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
    with event_file(str(file)) as opened:
        text = opened.read_whole(EVENT_SIZE_MAX)
    check_encoding([text], name=opened.title)
    try:
        content = strict_json.read(text)
    except ValueError as error:
        raise MalformedBodyError(f"{file}: {error}") from None
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
