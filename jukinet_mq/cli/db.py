"""`jukinet db`: the schema of each tier's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.errors import JukinetError

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Tier

HELP = """
The tables of each tier's database, brought up by numbered files that never change.

The owner's login (JUKINET_<TIER>_OWNER_DATABASE_URL) applies them; workers log in with less.
A database of a newer version, or with a file of other content, is left alone.

    $ jukinet db upgrade
    $ jukinet db check --tier prefecture
"""

app = typer.Typer(help=HELP, no_args_is_help=True)


@app.command()
def upgrade(tier: options.Tiers = None) -> None:
    """Bring the databases to this program's schema; does nothing where they have it."""
    given = running.settings()
    for one in running.tiers_of(given, tier):
        applied = running.run(_upgrade(given, one))
        said = f"applied {', '.join(applied)}" if applied else "was up to date"
        terminal.say(f"[green]✓[/] {one}: {said}")
    work_is_done()


@app.command()
def check(*, tier: options.Tiers = None, as_json: options.Json = False) -> None:
    """Say whether the databases hold exactly this program's schema; exit 78 if one does not."""
    given = running.settings()
    failures = {one: running.run(_check(given, one)) for one in running.tiers_of(given, tier)}
    if as_json:
        terminal.print_json(
            {
                one: {"ok": failure is None, "text": failure and str(failure)}
                for one, failure in failures.items()
            }
        )
    else:
        for one, failure in failures.items():
            said = "[red]✗[/]" if failure else "[green]✓[/]"
            terminal.say(f"{said} {one}{'' if failure else ': as this program needs it'}")
    for one, failure in failures.items():
        if failure is not None:
            raise type(failure)(f"{one}: {failure}")


async def _upgrade(given: Settings, tier: Tier) -> list[str]:
    from jukinet_mq.store import migrations

    return await migrations.upgrade(given.owner_database_url(tier))


async def _check(given: Settings, tier: Tier) -> JukinetError | None:
    from jukinet_mq.store import migrations

    try:
        await migrations.check(given.database_url(tier))
    except JukinetError as error:
        return error
    return None
