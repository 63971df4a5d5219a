"""`jukinet quarantine replay` and `discard`: what an operator decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from jukinet_mq.cli import deciding, options, quarantine_view, running, terminal
from jukinet_mq.cli.ending import FOUND_SOMETHING, work_is_done
from jukinet_mq.cli.quarantine import Choice, Ids, Kind, Reason, app, read
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.consumers.pacing import Pace
    from jukinet_mq.store.parked import Decision
    from jukinet_mq.store.quarantine import QuarantineFilter, Verdict

__all__ = ["app"]

Everything = Annotated[bool, typer.Option("--all", help="Everything that is held.")]


@app.command()
def replay(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: options.Login = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    everything: Everything = False,
    why: options.Why = "",
    operator: options.Operator = None,
    rate: options.Rate = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Make every check anew, and keep what is good now; what is still not trusted stays.

    No check is left out or overridden. Runs where the nodes' private keys are, since sealed bodies
    are opened. Without --apply it only says what would pass. What is not held whole, or will never
    pass, its sender must resend.
    """
    order = deciding.Order("replayed", why, operator, apply, as_json, rate)
    choice = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than)
    _decide(order, choice, everything=everything)


@app.command()
def discard(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: options.Login = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    everything: Everything = False,
    why: options.Why = "",
    operator: options.Operator = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Take them off the list for good; they stay in the database as evidence.

    Their senders, where they are known, were told when they were held. The same delivery coming
    again is listed again.
    """
    order = deciding.Order("discarded", why, operator, apply, as_json)
    choice = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than)
    _decide(order, choice, everything=everything)


def _decide(order: deciding.Order, choice: Choice, *, everything: bool) -> None:
    order.check(named=choice.names_something, everything=everything)
    pace = order.pace()
    given = running.settings()
    wanted = choice.filters(given)
    decision = order.decision() if order.apply else None
    work = partial(_carry_out, given, wanted, order.how, decision, pace)
    said = order.how if order.apply else "looked at"
    done = deciding.in_tiers(list(wanted), work, said=said)
    refused = any(v.outcome == "refused" for some in done.values() for v in some)
    if order.apply and any(done.values()):
        work_is_done(FOUND_SOMETHING if refused else 0)
    if order.as_json:
        terminal.print_json(
            {
                "applied": order.apply,
                "deliveries": {t: [_verdict(t, v) for v in some] for t, some in done.items()},
            }
        )
    if not any(done.values()):
        raise UnknownEventError("nothing like this is held; see `jukinet quarantine list`")
    if not order.as_json:
        for tier, verdicts in done.items():
            quarantine_view.print_verdicts(tier, verdicts, applied=order.apply)
        if not order.apply:
            terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")
    if order.apply and refused:
        raise typer.Exit(FOUND_SOMETHING)


def _verdict(tier: Tier, verdict: Verdict) -> dict[str, object]:
    return {"id": f"{tier}/{verdict.position}", **asdict(verdict)}


async def _carry_out(
    given: Settings,
    wanted: dict[Tier, QuarantineFilter],
    how: str,
    decision: Decision | None,
    pace: Pace,
    tier: Tier,
    tell: deciding.Tell[Verdict],
) -> None:
    from jukinet_mq.app import desk
    from jukinet_mq.consumers import replaying
    from jukinet_mq.room import open_room

    async with open_room(given, tier) as room:
        if how == "replayed":
            await replaying.release(desk(room), wanted[tier], decision, pace=pace, tell=tell)
        elif decision is not None:
            await replaying.discard_quarantined(
                room.database, wanted[tier], decision, pace=pace, tell=tell
            )
        else:
            tell(await _would_discard(given, tier, wanted[tier]))


async def _would_discard(
    given: Settings, tier: Tier, wanted: QuarantineFilter
) -> Sequence[Verdict]:
    from jukinet_mq.store.quarantine import Verdict

    _, held = await read(given, tier, wanted, limit=2**31)
    return [Verdict(one.position, "discarded") for one in held]
