"""`jukinet services`: the private RabbitMQ and PostgreSQL."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.ending import work_is_done

if TYPE_CHECKING:
    from jukinet_mq.services import ServerStatus, Services

HELP = """
A private RabbitMQ and a private PostgreSQL under .jukinet/, for trying things out.

They listen on loopback only, on free ports, with random passwords in files of mode 0600, and
leave the servers of this machine alone. To use existing servers instead, set JUKINET_AMQP_URL,
JUKINET_MANAGEMENT_URL and JUKINET_<TIER>_DATABASE_URL.

    $ jukinet services up
    $ jukinet services down --purge
"""

NEXT = """
Next:
  [cyan]jukinet db upgrade[/]        tables for the three tiers
  [cyan]jukinet topology apply[/]    exchanges, queues and logins of all nodes
  [cyan]jukinet trust init[/]        keys for all nodes
  [cyan]jukinet doctor[/]            is everything as it should be?
They keep running until [cyan]jukinet services down[/]."""

app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command()
def up() -> None:
    """Start both servers and leave them running; repairs what was killed.

    Does nothing, quickly, when they run already.
    """
    services = _services()
    started = time.monotonic()
    with terminal.console(stderr=True).status("starting RabbitMQ and PostgreSQL ..."):
        services.up()
    work_is_done()
    terminal.say(f"RabbitMQ and PostgreSQL are up after {time.monotonic() - started:.1f} s.")
    _print(services)
    terminal.say(NEXT.strip("\n"))


@app.command()
def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove their data and passwords too, for good.")
    ] = False,
) -> None:
    """Stop both servers; their data stays, unless told otherwise."""
    services = _services()
    with terminal.console(stderr=True).status("stopping ..."):
        services.down(purge=purge)
    work_is_done()
    gone = "stopped and removed with all data" if purge else "stopped; their data stays"
    terminal.say(f"RabbitMQ and PostgreSQL are {gone}.")


@app.command()
def status(*, as_json: options.Json = False) -> None:
    """Show what runs, where, since when and how large."""
    services = _services()
    if as_json:
        found = services.status()
        terminal.print_json(
            {
                "home": str(found.home),
                "up": found.up,
                "rabbitmq": _facts(found.rabbitmq),
                "postgresql": _facts(found.postgresql),
            }
        )
    else:
        _print(services)


@app.command()
def env() -> None:
    r"""Print the settings of the running servers as lines for a shell.

    They hold passwords; keep them out of logs.

        $ eval "$(jukinet services env)"
    """
    import shlex

    for name, value in _services().endpoints().environment().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _services() -> Services:
    from jukinet_mq.services import Services

    return Services(running.settings(running=False).home)


def _print(services: Services) -> None:
    found = services.status()
    servers = {"RabbitMQ": found.rabbitmq, "PostgreSQL": found.postgresql}
    terminal.print_table(
        ["server", "state", "version", "pid", "memory", "ports on loopback", "since"],
        [
            (
                name,
                _state(server),
                server.version,
                None if server.pid is None else str(server.pid),
                f"{server.memory_bytes / 2**20:.0f} MiB" if server.running else None,
                ", ".join(f"{what} {port}" for what, port in server.ports.items()) or None,
                server.since,
            )
            for name, server in servers.items()
        ],
        right=["memory"],
    )
    terminal.say(f"[dim]data, logs and passwords: {terminal.escape(found.home)}/services[/]")


def _state(server: ServerStatus) -> object:
    if server.answering:
        return terminal.styled("up", "green")
    if server.running:
        return terminal.styled("does not answer", "red")
    return terminal.styled("down", "yellow")


def _facts(server: ServerStatus) -> dict[str, object]:
    return {
        "running": server.running,
        "answering": server.answering,
        "version": server.version,
        "pid": server.pid,
        "since": server.since,
        "memory_bytes": server.memory_bytes,
        "ports": dict(server.ports),
        "directory": None if server.directory is None else str(server.directory),
    }
