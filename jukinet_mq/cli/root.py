"""The program's one tree of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from jukinet_mq.cli import (
    bench,
    check,
    db,
    demo,
    doctor,
    inject,
    node,
    parked_decisions,
    quarantine_decisions,
    reference,
    resend,
    retries,
    schema,
    services,
    status,
    topology,
    trust_rotation,
    worker,
)
from jukinet_mq.cli.prose import reflow

HELP = """
Signed, sealed and receipted notices between Japan's resident registers, over RabbitMQ.

See the whole of it at work:

    $ jukinet demo

Or step by step, on private servers that leave this machine as it was:

    $ jukinet services up
    $ jukinet db upgrade
    $ jukinet topology apply
    $ jukinet trust init
    $ jukinet worker prefecture --all        (and the other two tiers)
    $ jukinet inject move --synthetic
    $ jukinet status ID
"""

EPILOG = """
Exit codes: 0 done · 1 something was found, or did not go well · 2 command line not understood
· 65 input refused · 70 unexpected · 75 not now, try again · 76 not trusted
· 78 installation wrong · 130 interrupted

Settings: JUKINET_HOME (default .jukinet), JUKINET_AMQP_URL, JUKINET_MANAGEMENT_URL,
JUKINET_<TIER>_DATABASE_URL, JUKINET_LOG_LEVEL. What is not set, private services fill in.
"""

app = typer.Typer(
    name="jukinet",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SHOW = "See it work"
INSTALL = "Install and check"
OPERATE = "Operate"


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"jukinet-mq {version('jukinet-mq')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


app.command("demo", rich_help_panel=SHOW)(demo.demo)
app.add_typer(bench.app, name="bench", rich_help_panel=SHOW)
app.add_typer(services.app, name="services", rich_help_panel=INSTALL)
app.add_typer(db.app, name="db", rich_help_panel=INSTALL)
app.add_typer(topology.app, name="topology", rich_help_panel=INSTALL)
app.add_typer(trust_rotation.app, name="trust", rich_help_panel=INSTALL)
app.add_typer(schema.app, name="schema", rich_help_panel=INSTALL)
app.command("doctor", rich_help_panel=INSTALL)(doctor.doctor)
app.command("worker", rich_help_panel=OPERATE)(worker.worker)
app.add_typer(inject.app, name="inject", rich_help_panel=OPERATE)
app.command("status", rich_help_panel=OPERATE)(status.status)
app.command("resend", rich_help_panel=OPERATE)(resend.resend)
app.add_typer(node.app, name="node", rich_help_panel=OPERATE)
app.add_typer(retries.app, name="retries", rich_help_panel=OPERATE)
app.add_typer(parked_decisions.app, name="parked", rich_help_panel=OPERATE)
app.add_typer(check.app, name="check", rich_help_panel=OPERATE)
app.add_typer(quarantine_decisions.app, name="quarantine", rich_help_panel=OPERATE)
app.add_typer(reference.app, name="reference", hidden=True)
reflow(app)
