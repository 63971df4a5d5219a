"""`jukinet quarantine`: what is not trusted, held for a person."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jukinet_mq.cli import choosing, names, options, quarantine_view, running, terminal
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.store.quarantine import (
        PastVerdict,
        QuarantineCause,
        Quarantined,
        QuarantineFilter,
    )

HELP = """
Deliveries that are not what they claim to be, or of which nobody can tell.

They are held with their reason and never acted upon. What is shown of them are claims of
whoever sent them. Their content is not shown; --save writes it to a file for an investigation.

Of one reason and sender at a node 100 are held with their bytes. What comes beyond is only counted:
its sender was not answered, and resends it.

When the cause has passed (a key is enrolled, a clock is right), `replay` makes every check anew:
what is good now is kept as if it came now, the rest stays.

    $ jukinet quarantine list --reason key_unknown
    $ jukinet quarantine show prefecture/12
    $ jukinet quarantine replay --reason key_unknown
    $ jukinet quarantine replay --reason key_unknown --why "key enrolled" --apply
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
_ID: Final = re.compile(r"(?P<tier>municipality|prefecture|national)/(?P<position>[0-9]{1,18})")

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="TIER/NUMBER", help="As `quarantine list` names them."),
]
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="REASON",
        help="Held for this reason.",
        parser=names.read_reason_of_quarantine,
        autocompletion=names.completing(names.reasons_of_quarantine),
    ),
]
Kind = Annotated[str | None, options.kind_option("That claim to be of this kind.")]


class Choice(choosing.Choice[str]):
    """Which deliveries an operator has named."""

    def filters(self, given: Settings) -> dict[Tier, QuarantineFilter]:
        """Return what is wanted of each tier's store; with ids, only of the tiers they name."""
        from jukinet_mq.store.quarantine import QuarantineFilter

        before, after = self.ages
        positions: defaultdict[Tier, list[int]] = defaultdict(list)
        for one in self.ids or ():
            tier, position = _read_id(one)
            positions[tier].append(position)
        if strange := [t for t in positions if self.tiers and t not in self.tiers]:
            raise typer.BadParameter(
                f"a delivery of the {strange[0]} tier is named, and --tier names another"
            )
        return {
            tier: QuarantineFilter(
                positions.get(tier), self.node, self.reason, self.kind, self.sender, before, after
            )
            for tier in positions or running.tiers_of(given, self.tiers)
        }


@app.command("list")
def list_(
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: options.Login = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    limit: Annotated[int, options.limit_option("Deliveries to show per tier.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List what is held, by cause and the latest of it one by one."""
    given = running.settings()
    choice = Choice(tier, None, node, reason, kind, sender, older_than, newer_than)
    found = {
        one: running.run(read(given, one, wanted, limit))
        for one, wanted in choice.filters(given).items()
    }
    if as_json:
        terminal.print_json(
            {
                one: {
                    "causes": [asdict(c) for c in causes],
                    "deliveries": [_facts(one, d) for d in held],
                }
                for one, (causes, held) in found.items()
            }
        )
        return
    for one, (causes, held) in found.items():
        quarantine_view.print_tier(one, causes, held)


@app.command()
def show(
    delivery: Annotated[
        str, typer.Argument(metavar="TIER/NUMBER", help="As `quarantine list` names it.")
    ],
    *,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write its bytes here, mode 0600; for forensics."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what is known of one delivery, and what was decided about it; never its content."""
    tier, position = _read_id(delivery)
    held, past, content = running.run(_read_one(running.settings(), tier, position))
    if as_json:
        terminal.print_json({**_facts(tier, held), "history": [asdict(p) for p in past]})
    else:
        quarantine_view.print_one(tier, held, past)
    if save is not None:
        _save(save, content)


@app.command()
def history(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: options.Login = None,
    operator: options.DecidedBy = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    limit: Annotated[int, options.limit_option("Decisions to show per tier.")] = 50,
    as_json: options.Json = False,
) -> None:
    """Show what was replayed or discarded: by whom, when, why, and with what outcome."""
    given = running.settings()
    choice = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than)
    found = {
        one: running.run(_past(given, one, wanted, operator, limit))
        for one, wanted in choice.filters(given).items()
    }
    if as_json:
        terminal.print_json({one: [asdict(p) for p in past] for one, past in found.items()})
        return
    for one, past in found.items():
        quarantine_view.print_history(one, past)


def _read_id(text: str) -> tuple[Tier, int]:
    match = _ID.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is none; write for example prefecture/12")
    return Tier(match["tier"]), int(match["position"])


def _save(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    terminal.console(stderr=True).print(f"wrote {len(content):,} bytes to {terminal.escape(path)}")


def _facts(tier: Tier, held: Quarantined) -> dict[str, object]:
    return {"id": f"{tier}/{held.position}", "tier": tier, **asdict(held)}


async def read(
    given: Settings, tier: Tier, wanted: QuarantineFilter, limit: int
) -> tuple[list[QuarantineCause], list[Quarantined]]:
    """Return what is held, by cause and the latest one by one."""
    from jukinet_mq.store import quarantine

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return (
            await quarantine.causes(tx, wanted),
            await quarantine.held(tx, wanted, limit=limit),
        )


async def _read_one(
    given: Settings, tier: Tier, position: int
) -> tuple[Quarantined, list[PastVerdict], bytes]:
    from jukinet_mq.store import quarantine

    wanted = quarantine.QuarantineFilter(positions=[position])
    async with running.open_database(given, tier) as db, db.transaction() as tx:
        found = await quarantine.held(tx, wanted, limit=1, ended_too=True)
        if not found:
            raise UnknownEventError(
                f"{tier}/{position} was never in quarantine; see `jukinet quarantine list`"
            )
        past = await quarantine.history(tx, wanted, limit=1_000)
        return found[0], past, await quarantine.content(tx, position)


async def _past(
    given: Settings, tier: Tier, wanted: QuarantineFilter, operator: str | None, limit: int
) -> list[PastVerdict]:
    from jukinet_mq.store import quarantine

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await quarantine.history(tx, wanted, operator=operator, limit=limit)
