"""`jukinet schema`: the published contracts in `schemas/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jukinet_mq.cli import folders, options, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.errors import StaleFileError

HELP = """
JSON Schemas of every kind and the AsyncAPI document, generated from the code.

A stranger who has nothing but these files and the nodes' public keys can verify and read what
travels. They are never edited: change the code, then generate.

    $ jukinet schema generate
    $ jukinet schema check
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Where the files are.", file_okay=False)
]


@app.command()
def generate(folder: Folder = Path("schemas")) -> None:
    """Write the files that are not what the code gives; remove those that it gives no longer."""
    from jukinet_mq import contracts

    with folders.usable(folder):
        changed = contracts.write(folder)
    work_is_done()
    for path in changed:
        terminal.say(
            f"wrote {terminal.escape(path)}"
            if path.exists()
            else f"removed {terminal.escape(path)}"
        )
    terminal.say(f"{len(contracts.render())} files in {terminal.escape(folder)}, all fresh.")


@app.command()
def check(folder: Folder = Path("schemas"), *, as_json: options.Json = False) -> None:
    """Say whether the files are what the code gives now; exit 78 if not."""
    from jukinet_mq import contracts

    with folders.usable(folder):
        wrong = contracts.check(folder)
    if as_json:
        terminal.print_json({"fresh": not wrong, "differences": wrong})
    else:
        for line in wrong:
            terminal.say(f"[red]✗[/] {terminal.escape(line)}")
    if wrong:
        raise StaleFileError(
            f"{len(wrong)} files of {folder} are not what the code gives now; run "
            "`jukinet schema generate` and commit them"
        )
    if not as_json:
        terminal.say(f"[green]✓[/] {len(contracts.render())} files, all fresh")
