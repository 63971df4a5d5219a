"""`jukinet trust rotate`: new keys beside the old ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jukinet_mq.cli import amounts, codes, options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.cli.trust import app, certified, end_with, enrol_all
from jukinet_mq.errors import JukinetError, NodeKeyError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Node

__all__ = ["app"]

LEARNT_WITHIN: Final = timedelta(seconds=30)
"""Workers read their trust stores every 20 seconds; a key that begins earlier is not believed."""


@app.command()
def rotate(
    node: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE",
            help="Whose keys.",
            parser=codes.read_node,
            autocompletion=codes.complete_node,
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Every node whose keys are here.")
    ] = False,
    begin_in: Annotated[
        timedelta,
        typer.Option(
            metavar="TIME",
            help="When the new keys begin: everybody must have enrolled them by then.",
            parser=amounts.read_wait,
            show_default="5m",
        ),
    ] = timedelta(minutes=5),
    tier: options.Tiers = None,
    apply: options.Apply = False,
) -> None:
    """Give nodes new keys beside their old ones, and enrol them in the trust stores.

    Uses the authority under JUKINET_HOME/trust. Until the new keys begin, the old ones sign and are
    sealed to; afterwards what is under way under them is still good. A node whose new keys have
    not begun yet keeps those, so after an interruption the same command goes on. A node whose key
    files cannot be used is left as it is, and named at the end.
    """
    from jukinet_mq.clock import utc_now

    if bool(node) is everything:
        raise typer.BadParameter("name nodes by their CODE, or say --all")
    if begin_in < LEARNT_WITHIN:
        raise typer.BadParameter("workers learn of new keys within 20 seconds: say 30s or more")
    given = running.settings()
    now = utc_now()
    wanted = _with_keys(given) if everything else running.nodes_of(node or [])
    rolled, due, faults = _sorted(given, wanted, now)
    if not apply:
        for one in due:
            terminal.say(f"would give new keys to {terminal.node_label(one.code)}")
        for one in rolled:
            terminal.say(f"{terminal.node_label(one.code)} has new keys that have not begun yet")
        terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")
    elif rolled or due:
        _rotate(given, [*rolled, *due], due, now, delay=begin_in, tiers=tier)
    end_with(faults)


def _rotate(
    given: Settings,
    wanted: Sequence[Node],
    due: Sequence[Node],
    now: datetime,
    *,
    delay: timedelta,
    tiers: Sequence[Tier] | None,
) -> None:
    from jukinet_mq.trust import pki

    with terminal.console(stderr=True).status(f"making keys of {len(due):,} nodes ..."):
        pki.rotate(given.trust, due, now=now, activation_delay=delay)
        keys, faults = certified(given, wanted, now)
    terminal.say(
        f"[green]✓[/] new keys of {len(due):,} nodes made, of {len(wanted) - len(due):,} kept; the "
        f"last begin at {terminal.moment(max((key.valid_from for key in keys), default=now))}"
    )
    enrolling = [t for t in Tier if running.has_database(given, t) and (not tiers or t in tiers)]
    running.run(enrol_all(given, enrolling, keys))
    work_is_done()
    if elsewhere := [t for t in Tier if t not in enrolling]:
        terminal.say(
            f"[yellow]![/] not enrolled in the {', '.join(elsewhere)} tier, whose database is not "
            "configured here: give its operators the new .cert.pem files, for `jukinet trust "
            "enrol`, before then"
        )
    end_with(faults)


def _sorted(
    given: Settings, wanted: Sequence[Node], now: datetime
) -> tuple[list[Node], list[Node], list[JukinetError]]:
    """Return who has new keys that have not begun, who is due, and what is wrong at the others."""
    from jukinet_mq.trust.key_files import read_node

    rolled: list[Node] = []
    due: list[Node] = []
    faults: list[JukinetError] = []
    for one in wanted:
        try:
            keys = read_node(given.trust, one.code).signing
        except NodeKeyError as error:
            faults.append(error)
        else:
            (rolled if any(key.valid_from > now for key in keys) else due).append(one)
    return rolled, due, faults


def _with_keys(given: Settings) -> list[Node]:
    from jukinet_mq.nodes import directory
    from jukinet_mq.trust import pki

    return [n for n in directory().nodes() if pki.key_path(given.trust, n.code).exists()]
