"""`jukinet quarantine`: what is not trusted, held for a person."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.reasons import meaning_of
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.store.desk import QuarantineCause, Quarantined, QuarantineFilter

HELP = """
Deliveries that are not what they claim to be, or of which nobody can tell.

They are held with their reason and never acted upon. What is shown of them are claims of
whoever sent them. Their content is not shown; --save writes it to a file for an investigation.

    $ jukinet quarantine list --reason signature_mismatch
    $ jukinet quarantine show prefecture/12
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
_ID: Final = re.compile(r"(?P<tier>municipality|prefecture|national)/(?P<position>[0-9]{1,18})")


@app.command("list")
def list_(
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Annotated[str | None, typer.Option(help="Held for this reason.")] = None,
    sender: Annotated[
        str | None, typer.Option(metavar="LOGIN", help="Brought by this login of the broker.")
    ] = None,
    older_than: options.OlderThan = None,
    limit: Annotated[int, typer.Option(min=1, help="Deliveries to show per tier.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List what is held, by cause and the latest of it one by one."""
    from jukinet_mq.clock import utc_now
    from jukinet_mq.store.desk import QuarantineFilter

    given = running.settings()
    age = options.read_span(older_than)
    wanted = QuarantineFilter(node, reason, sender, None if age is None else utc_now() - age)
    found = {
        one: running.run(_read(given, one, wanted, limit)) for one in running.tiers_of(given, tier)
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
        _print(one, causes, held)


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
    """Show what is known of one delivery, and what to do about it; never its content."""
    match = _ID.fullmatch(delivery)
    if match is None:
        raise typer.BadParameter(f"{delivery!r} is none; write for example prefecture/12")
    tier, position = Tier(match["tier"]), int(match["position"])
    held, content = running.run(_read_one(running.settings(), tier, position))
    if as_json:
        terminal.print_json(_facts(tier, held))
    else:
        terminal.print_facts(
            [
                ("delivery", f"{tier}/{held.position}"),
                ("at node", terminal.node_label(held.node)),
                ("held at", held.held_at),
                ("reason", terminal.styled(held.reason, "red")),
                ("meaning", meaning_of(held.reason)),
                ("explanation", held.explanation),
                ("login", held.login and terminal.node_label(held.login)),
                ("exchange", held.exchange),
                ("routing key", held.routing_key),
                ("claims id", held.message_id),
                ("claims kind", held.kind),
                ("size", f"{held.size:,} bytes"),
                ("SHA-256", held.digest.hex()),
                ("arrivals", held.arrivals),
            ]
        )
    if save is not None:
        _save(save, content)


def _save(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    terminal.console(stderr=True).print(f"wrote {len(content):,} bytes to {path}")


def _print(tier: Tier, causes: list[QuarantineCause], held: list[Quarantined]) -> None:
    total = sum(cause.deliveries for cause in causes)
    if not total:
        terminal.say(f"[green]✓[/] {tier}: nothing is in quarantine")
        return
    terminal.print_table(
        ["reason", "from", "deliveries", "arrivals", "nodes", "oldest", "newest"],
        [
            (c.reason, c.sender and terminal.node_label(c.sender), c.deliveries, c.arrivals,
             c.nodes, c.oldest, c.newest)
            for c in causes
        ],
        title=f"{tier}: {total:,} in quarantine, by cause",
        right=["deliveries", "arrivals", "nodes"],
    )  # fmt: skip
    terminal.print_table(
        ["delivery", "held at", "at node", "from", "claims kind", "reason", "size"],
        [
            (f"{tier}/{d.position}", d.held_at, terminal.node_label(d.node),
             d.login and terminal.node_label(d.login), d.kind, d.reason, d.size)
            for d in held
        ],
        title=f"{tier}: the latest {len(held)}",
        right=["size"],
    )  # fmt: skip


def _facts(tier: Tier, held: Quarantined) -> dict[str, object]:
    return {"id": f"{tier}/{held.position}", "tier": tier, **asdict(held)}


async def _read(
    given: Settings, tier: Tier, wanted: QuarantineFilter, limit: int
) -> tuple[list[QuarantineCause], list[Quarantined]]:
    from jukinet_mq.store import desk

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await desk.quarantine_causes(tx, wanted), await desk.quarantined(
            tx, wanted, limit=limit
        )


async def _read_one(given: Settings, tier: Tier, position: int) -> tuple[Quarantined, bytes]:
    from jukinet_mq.store import desk

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        found = await desk.quarantined(tx, desk.QuarantineFilter(), position=position)
        if not found:
            raise UnknownEventError(
                f"{tier}/{position} is not in quarantine; see `jukinet quarantine list`"
            )
        return found[0], await desk.quarantined_bytes(tx, position)
