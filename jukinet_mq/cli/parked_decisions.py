"""`jukinet parked replay` and `discard`: what an operator decides."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from jukinet_mq.cli import amounts, deciding, options, parked_view, running, terminal
from jukinet_mq.cli.ending import FOUND_SOMETHING, work_is_done
from jukinet_mq.cli.parked import Choice, Ids, Reason, app, read
from jukinet_mq.errors import JukinetError, UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.consumers.pacing import Pace
    from jukinet_mq.store.parked import (
        Decision,
        EnvelopeFilter,
        ParkedCause,
        ParkedEnvelope,
        Parking,
    )

__all__ = ["app"]

SHOWN = 20
Everything = Annotated[bool, typer.Option("--all", help="Everything that is parked.")]
Follow = Annotated[
    timedelta | None,
    typer.Option(
        metavar="TIME",
        help="Wait so long for what comes of them, and show it.",
        parser=amounts.read_wait,
    ),
]


@app.command()
def replay(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: options.Kind = None,
    sender: options.Sender = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    everything: Everything = False,
    why: options.Why = "",
    operator: options.Operator = None,
    rate: options.Rate = None,
    batch: deciding.Batch = 500,
    follow: Follow = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Have them handled again, now, with all the retries of their kind.

    Each batch is a transaction: if this ends early, the same command goes on with the rest. Two
    operators at once double nothing. What comes of each, --follow shows now, and `history` later.
    """
    order = deciding.Order("replayed", why, operator, apply, as_json, rate, batch)
    choice = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than)
    _decide(order, choice, everything=everything, follow=follow)


@app.command()
def discard(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: options.Kind = None,
    sender: options.Sender = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    everything: Everything = False,
    why: options.Why = "",
    operator: options.Operator = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Give them up for good: their senders get `rejected` with reason discarded_by_operator.

    The envelopes stay in the archive.
    """
    order = deciding.Order("discarded", why, operator, apply, as_json)
    choice = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than)
    _decide(order, choice, everything=everything, follow=None)


def _decide(
    order: deciding.Order, choice: Choice, *, everything: bool, follow: timedelta | None
) -> None:
    order.check(named=choice.names_something, everything=everything)
    pace = order.pace()
    given = running.settings()
    wanted = choice.filter()
    tiers = running.tiers_of(given, choice.tiers)
    if not order.apply:
        _tell_dry(order, {one: running.run(read(given, one, wanted, SHOWN)) for one in tiers})
        return
    work = partial(_carry_out, given, wanted, order.decision(), pace)
    done = deciding.in_tiers(tiers, work, said=order.how)
    if not any(done.values()):
        raise _nothing_parked()
    work_is_done()
    past: dict[Tier, list[Parking]] = {}
    unknown: JukinetError | None = None
    if follow is not None:
        try:
            past = _follow(given, done, follow)
        except JukinetError as error:
            unknown = error
    _tell_done(order, done, past)
    if unknown is not None:
        terminal.console(stderr=True).print(
            f"They are {order.how}, but not followed: {terminal.escape(unknown)}"
        )
        raise typer.Exit(FOUND_SOMETHING)


def _follow(
    given: Settings, done: dict[Tier, list[ParkedEnvelope]], within: timedelta
) -> dict[Tier, list[Parking]]:
    from jukinet_mq.cli import following

    return {
        one: running.run(following.until_decided(given, one, envelopes, within=within))
        for one, envelopes in done.items()
    }


def _tell_dry(
    order: deciding.Order, found: dict[Tier, tuple[list[ParkedCause], list[ParkedEnvelope]]]
) -> None:
    totals = {one: sum(c.envelopes for c in causes) for one, (causes, _) in found.items()}
    if order.as_json:
        terminal.print_json(
            {
                "applied": False,
                "total": totals,
                order.how: {t: [asdict(e) for e in shown] for t, (_, shown) in found.items()},
            }
        )
    if not any(totals.values()):
        raise _nothing_parked()
    if order.as_json:
        return
    for one, (causes, envelopes) in found.items():
        if totals[one]:
            terminal.say(f"{one}: {totals[one]:,} would be {order.how}")
            parked_view.print_tier(one, causes, envelopes)
    terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")


def _tell_done(
    order: deciding.Order,
    done: dict[Tier, list[ParkedEnvelope]],
    past: dict[Tier, list[Parking]],
) -> None:
    if order.as_json:
        terminal.print_json(
            {
                "applied": True,
                "total": {one: len(envelopes) for one, envelopes in done.items()},
                order.how: {t: [asdict(e) for e in envelopes] for t, envelopes in done.items()},
                **({"outcomes": past} if past else {}),
            }
        )
    for one, envelopes in () if order.as_json else done.items():
        if envelopes:
            terminal.say(f"[green]✓[/] {one}: {len(envelopes):,} {order.how}")
            parked_view.print_envelopes(
                envelopes[:SHOWN],
                title=f"{one}: the first {min(len(envelopes), SHOWN)} of them",
            )
    if not past:
        if order.how == "replayed" and not order.as_json:
            terminal.say("What comes of them: [cyan]jukinet parked history --newer-than 1h[/]")
        return
    if not order.as_json:
        for one, parkings in past.items():
            parked_view.print_outcomes(one, parkings)
    if any(p.outcome != "done" for parkings in past.values() for p in parkings):
        raise typer.Exit(FOUND_SOMETHING)


def _nothing_parked() -> UnknownEventError:
    return UnknownEventError("nothing like this is parked; see `jukinet parked list`")


async def _carry_out(
    given: Settings,
    wanted: EnvelopeFilter,
    decision: Decision,
    pace: Pace,
    tier: Tier,
    tell: deciding.Tell[ParkedEnvelope],
) -> None:
    from jukinet_mq.consumers.replaying import decide_parked

    async with running.open_database(given, tier) as db:
        await decide_parked(db, wanted, decision, pace=pace, tell=tell)
