"""`jukinet doctor`: one line per layer, naming what is wrong and the fix."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.ending import FOUND_SOMETHING

if TYPE_CHECKING:
    from jukinet_mq.cli.finding import Finding


def doctor(*, as_json: options.Json = False) -> None:
    """Check broker, databases, schema, trust, topology, clocks and what is stuck; exit 1 if any.

    Each line names the layer; a failing one says what to do about it, and `?` marks what could not
    be found out. Works when everything is down, and changes nothing.

        $ jukinet doctor
    """
    from jukinet_mq.cli import checks

    given = running.settings()
    with terminal.console(stderr=True).status("looking ..."):
        findings = running.run(checks.examine(given))
    if as_json:
        terminal.print_json(
            {"healthy": all(f.ok for f in findings), "checks": [asdict(f) for f in findings]}
        )
    else:
        _print(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FOUND_SOMETHING)


def _mark(finding: Finding) -> str:
    if not finding.known:
        return "[yellow]?[/]"
    return "[green]✓[/]" if finding.ok else "[red]✗[/]"


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for finding in findings:
        mark = _mark(finding)
        said = Text(terminal.visible(finding.said), style="" if finding.ok else "red")
        if finding.fix:
            said.append(f"\n→ {finding.fix}", style="yellow")
        table.add_row(Text.from_markup(mark), Text(finding.layer, style="bold"), said)
    terminal.console().print(table)
    wrong = sum(not finding.ok for finding in findings)
    if wrong:
        terminal.say(f"\n[red]{wrong} of {len(findings)} checks failed.[/] The first one may be "
                     "why the others did.")  # fmt: skip
    else:
        terminal.say(f"\n[green]All {len(findings)} checks passed.[/]")
