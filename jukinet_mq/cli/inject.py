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

HELP = """
File business events at municipalities. The broker is not needed: they are safe in the outbox.

One event by options, from a JSON file or made up; or many from a file with one JSON object per
line (or - for standard input). Of many, the good ones go through; the refused ones are listed
by line number and reason in FILE.errors.ndjson.

    $ jukinet inject move --synthetic
    $ jukinet inject identity-update --reason birth --help
    $ jukinet inject events.ndjson
    $ generate-events | jukinet inject -
"""

BULK: Final = "bulk"
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
    if not args or args[0] in _HELP_FLAGS:
        return False
    first = args[0]
    return first.startswith("-") or "/" in first or "." in first or Path(first).is_file()


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
        typer.Option(metavar="PATH", help="Where refused lines are listed.", dir_okay=False),
    ] = None,
    chunk: Annotated[
        int, typer.Option(min=1, max=5_000, help="Events per transaction.", hidden=True)
    ] = 500,
    as_json: options.Json = False,
) -> None:
    """File the events of a file; `jukinet inject FILE` means this too.

    Exit code 65 when lines were refused. The error file holds line numbers, reasons and texts,
    never what the lines said. After an interruption, filing the same file again files nothing
    twice where its events have an event_id.
    """
    from jukinet_mq.cli import bulk as bulk_filing

    given = running.settings()
    listed = errors or Path(f"{'stdin' if file == '-' else file}.errors.ndjson")
    with bulk_filing.source(file) as lines, bulk_filing.Refusals(listed) as refusals:
        tally = running.run_fast(
            bulk_filing.file_lines(given, lines, refusals, chunk=chunk, quiet=as_json)
        )
    work_is_done(65 if tally.refused else 0)
    _report(tally, listed, as_json=as_json)
    if tally.refused:
        raise typer.Exit(65)


def _report(tally: Tally, listed: Path, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(
            {
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
