"""`jukinet retries`: what is kept and waits for its next try."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from jukinet_mq.cli import options, running, terminal
from jukinet_mq.cli.reasons import meaning_of

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store.parked import EnvelopeFilter
    from jukinet_mq.store.retries import Pending, PendingCause

HELP = """
Envelopes that are kept, but whose handling did not work yet; the worker tries them by itself.

Some at once, then longer and longer apart, as their kind's policy says. When it is spent they are
parked, and a person decides.

    $ jukinet retries list
    $ jukinet retries list --node 131016 --reason handler_failed
"""

app = typer.Typer(help=HELP, no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_(
    ids: Annotated[
        list[UUID] | None,
        typer.Argument(metavar="ID", help="Envelopes, or events with all their envelopes."),
    ] = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Annotated[
        str | None, options.handling_reason_option("Whose last try failed for this reason.")
    ] = None,
    kind: options.Kind = None,
    sender: options.Sender = None,
    older_than: options.OlderThan = None,
    newer_than: options.NewerThan = None,
    limit: Annotated[int, options.limit_option("Envelopes to show per tier.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List what waits for its next try: by cause, and the next ones with their due times."""
    from jukinet_mq.store.parked import EnvelopeFilter

    given = running.settings()
    options.check_place(node, tier)
    before, after = options.ages(older_than, newer_than)
    wanted = EnvelopeFilter(ids, node, reason, kind, sender, before, after)
    found = {
        one: running.run(_read(given, one, wanted, limit)) for one in running.tiers_of(given, tier)
    }
    if as_json:
        terminal.print_json(
            {
                one: {
                    "causes": [asdict(c) for c in causes],
                    "envelopes": [{**asdict(e), "tries_max": _tries_max(e)} for e in pending],
                }
                for one, (causes, pending) in found.items()
            }
        )
        return
    for one, (causes, pending) in found.items():
        _print(one, causes, pending)


def _print(tier: Tier, causes: list[PendingCause], pending: list[Pending]) -> None:
    total = sum(cause.envelopes for cause in causes)
    if not total:
        terminal.say(f"[green]✓[/] {tier}: nothing waits for another try")
        return
    terminal.print_table(
        ["reason", "kind", "envelopes", "nodes", "tries", "next due", "last due", "meaning"],
        [
            (c.reason, c.kind, c.envelopes, c.nodes, c.tries, c.next_due, c.last_due,
             meaning_of(c.reason or ""))
            for c in causes
        ],
        title=f"{tier}: {total:,} wait for another try, by the cause of the last failure",
        right=["envelopes", "nodes", "tries"],
    )  # fmt: skip
    terminal.print_table(
        ["envelope", "kind", "from", "at node", "kept", "tries", "due at", "reason"],
        [
            (str(p.message_id), p.kind, terminal.node_label(p.sender), terminal.node_label(p.node),
             p.kept_at, f"{p.attempts} of {_tries_max(p) or '?'}", p.due_at, p.reason)
            for p in pending
        ],
        title=f"{tier}: the next {len(pending)}",
        right=["tries"],
    )  # fmt: skip


def _tries_max(one: Pending) -> int | None:
    """Return after how many tries it is parked; None of a kind of another version."""
    from jukinet_mq.messages import find_kind

    kind = find_kind(one.kind, one.version)
    return None if kind is None else kind.retry.attempts_max


async def _read(
    given: Settings, tier: Tier, wanted: EnvelopeFilter, limit: int
) -> tuple[list[PendingCause], list[Pending]]:
    from jukinet_mq.store import retries

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await retries.causes(tx, wanted), await retries.pending(tx, wanted, limit=limit)
