"""`jukinet topology`: exchanges, queues, bindings, logins and permissions of the broker."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jukinet_mq.cli import folders, options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.errors import TopologyDriftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jukinet_mq.config import Settings
    from jukinet_mq.topology.compare import Difference
    from jukinet_mq.topology.model import Topology

HELP = """
What the broker must hold for the nation: computed from the node directory and the kinds.

Three topic exchanges, one quorum queue per node, and for every node a login that can publish
under its own name and read its own queue, and nothing else. Nodes declare nothing themselves.

    $ jukinet topology apply
    $ jukinet topology check
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
Only = Annotated[
    list[str] | None,
    options.node_option(
        "--node", help="Only this node, as for a trial; may be repeated. Default: the whole nation."
    ),
]


@app.command()
def render(
    root: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The repository's root.", file_okay=False)
    ] = Path(),
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 78 if the file is not fresh.")
    ] = False,
) -> None:
    """Write the definitions that a broker can import into deploy/rabbitmq/."""
    from jukinet_mq.topology import render as rendering

    if check:
        with folders.usable(root):
            rendering.check(root)
        terminal.say(f"[green]✓[/] {rendering.FILE} is fresh")
    else:
        with folders.usable(root):
            file = rendering.write(root)
        work_is_done()
        terminal.say(f"wrote {terminal.escape(file)}")


@app.command()
def apply(node: Only = None) -> None:
    """Give the broker what it lacks; deletes nothing, and is safe while nodes work.

    Passwords of the logins are made once and kept in credentials.json under JUKINET_HOME. The
    nation takes about 15 s on an empty broker.
    """
    given = running.settings()
    wanted = _topology(node)
    started = time.monotonic()
    size = f"{len(wanted.queues):,} queues, {len(wanted.users):,} logins"
    with terminal.console(stderr=True).status(f"applying {size} ..."):
        left = running.run(_apply(given, wanted))
    if not left:
        work_is_done()
    _report(left)
    terminal.say(
        f"[green]✓[/] the broker holds {size}, {len(wanted.bindings):,} bindings "
        f"({time.monotonic() - started:.1f} s)"
    )


@app.command()
def check(*, node: Only = None, as_json: options.Json = False) -> None:
    """Compare the broker with what it must hold; print each difference, exit 78 if there is one.

    Also looks for what others have set and what would change how the broker treats our queues:
    policies, limits, shovels, tracing. `?` marks what the broker does not tell this login.
    """
    given = running.settings()
    differences = running.run(_check(given, _topology(node)))
    if as_json:
        terminal.print_json(
            [
                {"problem": d.problem, "what": d.what, "name": d.name, "detail": d.detail}
                for d in differences
            ]
        )
    _report(differences, silent=as_json)
    if not as_json:
        terminal.say("[green]✓[/] the broker holds exactly what it must")


def _report(differences: Sequence[Difference], *, silent: bool = False) -> None:
    if not differences:
        return
    from jukinet_mq.topology.difference import Problem

    for difference in () if silent else differences:
        known = difference.problem is not Problem.UNKNOWN
        mark = "[red]✗[/]" if known else "[yellow]?[/]"
        terminal.say(f"{mark} {terminal.escape(difference)}")
    unknown = sum(difference.problem is Problem.UNKNOWN for difference in differences)
    told = f", and does not tell {unknown:,} parts of it" if unknown else ""
    raise TopologyDriftError(
        f"the broker differs in {len(differences) - unknown:,} places from what it must hold"
        f"{told}. `jukinet topology apply` adds what is missing; what is wrong or unexpected, a "
        "person removes; to see all, let JUKINET_MANAGEMENT_URL name an administrator"
    )


def _topology(codes: Sequence[str] | None) -> Topology:
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.build import build

    return build(directory(), nodes=running.nodes_of(codes) if codes else None)


async def _apply(given: Settings, wanted: Topology) -> list[Difference]:
    from jukinet_mq.broker import topology
    from jukinet_mq.topology import credentials

    logins = [user.name for user in wanted.users]
    passwords = credentials.load_or_make(given.credentials, logins)
    async with running.open_management(given) as client:
        return await topology.apply(client, wanted, passwords)


async def _check(given: Settings, wanted: Topology) -> list[Difference]:
    from jukinet_mq.broker import topology

    async with running.open_management(given) as client:
        return await topology.check(client, wanted)
