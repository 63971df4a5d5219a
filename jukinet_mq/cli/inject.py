"""`jukinet inject`: business events, one by options or many from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.ending import work_is_done

if TYPE_CHECKING:
    from jukinet_mq.cli.bulk import Tally
    from jukinet_mq.cli.interruption import Interruption

HELP = """
File business events at municipalities. The broker is not needed: they are safe in the outbox.

One event by options, from a JSON file or made up; or many from a file with one JSON object per
line (or - for standard input), also compressed with gzip. Of many, the good ones go through;
the refused ones are listed by line number and reason in FILE.errors.ndjson.

    $ jukinet inject move --synthetic
    $ jukinet inject identity-update --reason birth --help
    $ jukinet inject events.ndjson
    $ generate-events | jukinet inject -
"""

BULK: Final = "bulk"
EVENTS: Final = frozenset({"identity-update", "move", "card-move"})
"""Names that a file may have too; `./move` is the file."""
_HELP_FLAGS: Final = frozenset({"-h", "--help"})


class _InjectGroup(TyperGroup):
    """Events by name, made when first needed; what looks like a file goes to `bulk`."""

    def _load(self) -> None:
        if len(self.commands) > 1:
            return
        from jukinet_mq.cli.inject_events import app as events

        loaded = typer.main.get_group(events).commands
        bulk = self.commands.pop(BULK)
        self.commands.update(loaded)
        self.commands[BULK] = bulk

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name != BULK:
            self._load()
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [BULK, *args] if _is_bulk(args) else args)


def _is_bulk(args: list[str]) -> bool:
    """Say whether the first word is no event's name but a file, - or an option of `bulk`."""
    if not args or args[0] in _HELP_FLAGS | EVENTS:
        return False
    first = args[0]
    return first.startswith("-") or "/" in first or "." in first or Path(first).exists()


app = typer.Typer(
    cls=_InjectGroup,
    help=HELP,
    no_args_is_help=True,
    subcommand_metavar="EVENT [OPTIONS]... | FILE.ndjson | -",
)


@app.callback()
def _inject() -> None:
    pass


@app.command(BULK)
def bulk(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="One JSON object per line; - is standard input.")
    ],
    *,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Where refused lines are listed; a list that is there is replaced at the end. "
            "Default: FILE.errors.ndjson, or in the working directory if it cannot be there.",
            dir_okay=False,
        ),
    ] = None,
    chunk: Annotated[
        int, typer.Option(min=1, max=5_000, help="Events per transaction.", hidden=True)
    ] = 500,
    as_json: options.Json = False,
) -> None:
    """File the events of a file; `jukinet inject FILE` means this too.

    The file may be compressed with gzip. Exit code 65 when lines were refused; 78 or 76 when only
    keys were missing for them. Their list holds line numbers, reasons and texts, never what the
    lines said. SIGINT, SIGTERM and SIGHUP end it after the transaction in hand, and it says which
    lines are dealt with. Filing the same file again files nothing twice where its events have an
    event_id.
    """
    from jukinet_mq.cli.bulk import file_lines
    from jukinet_mq.cli.event_files import event_file
    from jukinet_mq.cli.interruption import Interruption
    from jukinet_mq.cli.refused_lines import refused_lines

    given = running.settings()
    with (
        event_file(file) as events,
        Interruption() as interruption,
        refused_lines(errors, events) as refusals,
    ):
        tally = running.run_fast(
            file_lines(
                given, events, refusals, chunk=chunk, quiet=as_json, interruption=interruption
            )
        )
    code = interruption.exit_code or tally.exit_code
    work_is_done(code)
    _report(tally, refusals.path, interruption, as_json=as_json)
    raise typer.Exit(code)


def _report(tally: Tally, listed: Path, interruption: Interruption, *, as_json: bool) -> None:
    signal = interruption.signal
    if as_json:
        terminal.print_json(
            {
                "interrupted": None if signal is None else signal.name,
                "last_line": tally.last,
                "lines": tally.lines,
                "filed": tally.filed,
                "waiting": tally.waiting,
                "already_filed": tally.repeated,
                "refused": tally.refused,
                "envelopes": tally.envelopes,
                "seconds": round(tally.seconds, 3),
                "errors": terminal.path_label(listed) if tally.refused else None,
            }
        )
        return
    rate = tally.filed / tally.seconds if tally.seconds else 0
    terminal.say(
        f"[green]✓[/] {tally.filed:,} of {tally.lines:,} lines filed as {tally.envelopes:,} "
        f"envelopes in {tally.seconds:.1f} s ({rate:,.0f} events/s)"
    )
    if tally.repeated:
        terminal.say(f"[yellow]=[/] {tally.repeated:,} were filed before; nothing was published")
    if tally.waiting:
        terminal.say(f"[yellow]…[/] {tally.waiting:,} wait for a certificate that is asked for")
    if tally.refused:
        terminal.say(f"[red]✗[/] {tally.refused:,} refused: see {terminal.escape(listed)}")
    if signal is not None:
        typer.echo(f"jukinet: ended by {signal.name}: {tally.progress()}", err=True)
