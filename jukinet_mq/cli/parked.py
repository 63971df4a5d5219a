"""`jukinet parked`: envelopes that are safe, but whose handling failed for good."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from jukinet_mq.cli import choosing, options, parked_view, running, terminal
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.store.database import Transaction
    from jukinet_mq.store.parked import (
        EnvelopeFilter,
        ParkedCause,
        ParkedEnvelope,
        Parking,
    )

HELP = """
Envelopes that are kept and safe, but whose handling failed for good. A person decides.

Put the cause right, then `replay`: the worker handles them at once, with all its retries. What
will never work, `discard`: its sender gets a receipt that says so. Who did it, why, and what came
of it is kept: `history`.

    $ jukinet parked list
    $ jukinet parked replay --reason handler_failed --why "fixed in 0.1.1"
    $ jukinet parked replay --reason handler_failed --why "fixed in 0.1.1" --rate 50/s --apply
    $ jukinet parked history --newer-than 1h
"""

app = typer.Typer(help=HELP, no_args_is_help=True)

Ids = Annotated[
    list[UUID] | None,
    typer.Argument(metavar="ID", help="Envelopes, or events with all their envelopes."),
]
Reason = Annotated[str | None, options.handling_reason_option("Parked for this reason.")]


class Choice(choosing.Choice[UUID]):
    """Which envelopes an operator has named."""

    def filter(self) -> EnvelopeFilter:
        """Return it as the store has it."""
        from jukinet_mq.store.parked import EnvelopeFilter

        before, after = self.ages
        return EnvelopeFilter(
            self.ids or None, self.node, self.reason, self.kind, self.sender, before, after
        )


@app.command("list")
def list_(
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: options.Kind = None,
    sender: options.Sender = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    limit: Annotated[int, options.limit_option("Envelopes to show per tier.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List what is parked, by cause and the oldest of it one by one."""
    given = running.settings()
    wanted = Choice(tier, None, node, reason, kind, sender, older_than, newer_than).filter()
    found = {
        one: running.run(read(given, one, wanted, limit)) for one in running.tiers_of(given, tier)
    }
    if as_json:
        terminal.print_json(
            {
                one: {
                    "causes": [asdict(c) for c in causes],
                    "envelopes": [asdict(e) for e in envelopes],
                }
                for one, (causes, envelopes) in found.items()
            }
        )
        return
    for one, (causes, envelopes) in found.items():
        parked_view.print_tier(one, causes, envelopes)


@app.command()
def show(
    message_id: Annotated[UUID, typer.Argument(metavar="ID", help="Of an envelope or an event.")],
    *,
    tier: options.Tiers = None,
    as_json: options.Json = False,
) -> None:
    """Show an envelope that is or was parked: header, cause, and all that was decided about it.

    Its content is never shown.
    """
    given = running.settings()
    found = [
        (one, envelope, history)
        for one in running.tiers_of(given, tier)
        for envelope, history in running.run(_histories(given, one, message_id))
    ]
    if as_json:
        terminal.print_json(
            [
                {"tier": one, **asdict(envelope), "history": [asdict(p) for p in history]}
                for one, envelope, history in found
            ]
        )
    if not found:
        raise UnknownEventError("nothing like this was ever parked; see `jukinet parked list`")
    for one, envelope, history in () if as_json else found:
        parked_view.print_one(one, envelope, history)


@app.command()
def history(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: options.Kind = None,
    sender: options.Sender = None,
    operator: options.DecidedBy = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    limit: Annotated[int, options.limit_option("Decisions to look at per tier.")] = 1_000,
    as_json: options.Json = False,
) -> None:
    """Show what was replayed or discarded: by whom, when, why, and what has come of it by now."""
    given = running.settings()
    wanted = Choice(tier, ids, node, reason, kind, sender, older_than, newer_than).filter()
    found = {
        one: running.run(_past(given, one, wanted, operator, limit))
        for one in running.tiers_of(given, tier)
    }
    if as_json:
        terminal.print_json({one: [asdict(p) for p in past] for one, past in found.items()})
        return
    for one, past in found.items():
        parked_view.print_history(one, past)


async def read(
    given: Settings, tier: Tier, wanted: EnvelopeFilter, limit: int
) -> tuple[list[ParkedCause], list[ParkedEnvelope]]:
    """Return what is parked, by cause and the oldest one by one."""
    from jukinet_mq.store import parked

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await parked.causes(tx, wanted), await parked.envelopes(tx, wanted, limit=limit)


async def _histories(
    given: Settings, tier: Tier, wanted: UUID
) -> list[tuple[ParkedEnvelope, list[Parking]]]:
    from jukinet_mq.store import parked

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        envelopes = await parked.ever(tx, [wanted])
        return [(one, await _history_of(tx, one)) for one in envelopes]


async def _history_of(tx: Transaction, one: ParkedEnvelope) -> list[Parking]:
    from jukinet_mq.store import parked

    key = parked.EnvelopeFilter(ids=[one.message_id], node=one.node, sender=one.sender)
    return (await parked.history(tx, key, limit=1_000, open_too=True))[::-1]


async def _past(
    given: Settings, tier: Tier, wanted: EnvelopeFilter, operator: str | None, limit: int
) -> list[Parking]:
    from jukinet_mq.store import parked

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await parked.history(tx, wanted, limit=limit, operator=operator)
