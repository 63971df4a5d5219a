"""`jukinet check`: what was promised and has not come, and whether keepers hold what was said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jukinet_mq.cli import amounts, check_view, codes, options, running, terminal
from jukinet_mq.cli.ending import FOUND_SOMETHING

if TYPE_CHECKING:
    from uuid import UUID

    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import NodeCode
    from jukinet_mq.store.consistency import Check, NotedDifference
    from jukinet_mq.store.database import Database
    from jukinet_mq.store.relocation import MissingNotice

HELP = """
Look for what was promised and has not come. Looking changes nothing; exit code 1 if there is any.

    $ jukinet check overdue                                  (receipts)
    $ jukinet check gaps                                     (numbers)
    $ jukinet check notices                                  (転入通知未着)
    $ jukinet check consistency --municipality 131016        (整合性確認)
"""

LIMIT: Final = 1_000
LOOK_EVERY: Final = timedelta(seconds=0.5)

app = typer.Typer(help=HELP, no_args_is_help=True)
Since = Annotated[
    timedelta,
    typer.Option(
        metavar="AGE",
        help="How far to look back, for example 24h or 30d.",
        parser=amounts.read_age,
        show_default="30d",
    ),
]
MONTH: Final = timedelta(days=30)


@app.command()
def overdue(
    *,
    node: options.NodeOption = None,
    tier: options.Tiers = None,
    since: Since = MONTH,
    as_json: options.Json = False,
) -> None:
    """List envelopes whose receipts have not come in time, and those that keepers have refused.

    What can be resent is resent by itself; what says `told` was resent in vain, and a person
    must look. A refused one is not resent: correct it and file it anew.
    """
    options.check_place(node, tier)
    found = running.run(check_view.overdue(running.settings(), tier, node, since, limit=LIMIT))
    check_view.show_overdue(found, as_json=as_json)
    _end(found=any(one.outstanding or one.rejected for one in found.values()))


@app.command()
def gaps(
    *, node: options.NodeOption = None, tier: options.Tiers = None, as_json: options.Json = False
) -> None:
    """List the numbers that keepers lack, by sender and recipient.

    Missing ones are asked for by themselves; what says `told` was asked for in vain.
    """
    options.check_place(node, tier)
    found = running.run(check_view.gaps(running.settings(), tier, node, limit=LIMIT))
    check_view.show_gaps(found, as_json=as_json)
    _end(found=any(found.values()))


@app.command()
def notices(
    *,
    node: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="This municipality.",
            parser=codes.read_municipality,
            autocompletion=codes.complete_node,
        ),
    ] = None,
    after: Annotated[
        timedelta,
        typer.Option(
            metavar="AGE",
            help="How long after the planned day a notice is late.",
            parser=amounts.read_age,
            show_default="21d",
        ),
    ] = timedelta(days=21),
    as_json: options.Json = False,
) -> None:
    """List planned move-outs for which no move-in notice has come (転入通知未着).

    One line per filing; the municipality's own system knows by its id whom it concerns.
    """
    missing = running.run(_notices(running.settings(), node, after))
    if as_json:
        terminal.print_json([asdict(one) for one in missing])
    else:
        check_view.show_notices(missing)
    _end(found=bool(missing))


@app.command()
def consistency(
    *,
    municipality: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Check this one now.",
            parser=codes.read_municipality,
            autocompletion=codes.complete_node,
        ),
    ] = None,
    since: Since = MONTH,
    within: Annotated[
        timedelta,
        typer.Option(
            metavar="TIME",
            help="How long to wait for the keepers' answers.",
            parser=amounts.read_wait,
            show_default="60s",
        ),
    ] = timedelta(seconds=60),
    as_json: options.Json = False,
) -> None:
    """Ask prefecture and J-LIS what they hold of a municipality's updates, and list differences.

    Works by message, so the workers of all three tiers must run. Without --municipality: the
    latest check of each, as they come by themselves every day.
    """
    given = running.settings()
    if municipality is None:
        results = running.run(_latest(given))
    else:
        results = [running.run(_check_now(given, municipality, since, within))]
    if as_json:
        terminal.print_json([{**asdict(r.check), "found": r.found} for r in results])
    else:
        check_view.show_checks([(r.check, r.found) for r in results])
    _end(found=any(r.check.differences or r.check.ended_how == "unanswered" for r in results))


@dataclass(frozen=True, slots=True)
class Result:
    """A check and what it has found."""

    check: Check
    found: list[NotedDifference]


def _end(*, found: bool) -> None:
    if found:
        raise typer.Exit(FOUND_SOMETHING)


async def _notices(given: Settings, node: str | None, after: timedelta) -> list[MissingNotice]:
    from jukinet_mq.clock import today_in_japan
    from jukinet_mq.consumers.notices import planned_before
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store import relocation

    codes = [one.code for one in running.nodes_of([node])] if node else [None]
    async with running.open_database(given, Tier.MUNICIPALITY) as db, db.transaction() as tx:
        before = planned_before(today_in_japan(tx.at), after)
        return await relocation.missing_notices(tx, codes[0], planned_before=before, limit=LIMIT)


async def _latest(given: Settings) -> list[Result]:
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store import consistency as store

    async with running.open_database(given, Tier.MUNICIPALITY) as db, db.transaction() as tx:
        return [
            Result(check, await store.differences(tx, check.check_id, limit=LIMIT))
            for check in await store.checks(tx)
        ]


async def _check_now(given: Settings, code: str, back: timedelta, within: timedelta) -> Result:
    """Begin a check and wait for its end.

    Raises:
        DeadlineExceededError: The keepers have not all answered.
    """
    from jukinet_mq.consumers import consistency as checking
    from jukinet_mq.nodes import Tier
    from jukinet_mq.room import open_room

    [node] = running.nodes_of([code])
    async with open_room(given, Tier.MUNICIPALITY) as room:
        check_id = await room.database.run(
            lambda tx: checking.start(tx, room.publisher, node.code, since=tx.at - back),
            name="check",
        )
        return await _ended(room.database, node.code, check_id, within)


async def _ended(database: Database, node: NodeCode, check_id: UUID, within: timedelta) -> Result:
    import asyncio

    from jukinet_mq.errors import DeadlineExceededError
    from jukinet_mq.store import consistency as store

    try:
        async with asyncio.timeout(within.total_seconds()):
            while True:
                async with database.transaction() as tx:
                    [check] = await store.checks(tx, check_id=check_id)
                    if check.ended_at is not None:
                        found = await store.differences(tx, check_id, limit=LIMIT)
                        return Result(check, found)
                await asyncio.sleep(LOOK_EVERY.total_seconds())
    except TimeoutError:
        raise DeadlineExceededError(
            f"the keepers of {node} have not all answered within {within.total_seconds():.0f} s; "
            "do the workers of all three tiers run? The check goes on by itself: see it later "
            "with `jukinet check consistency`"
        ) from None
