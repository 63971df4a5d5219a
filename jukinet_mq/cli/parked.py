"""`jukinet parked`: envelopes that are safe, but whose handling failed for good."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from jukinet_mq.cli import options, parked_view, running, terminal
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.store.desk import (
        Decision,
        ParkedCause,
        ParkedEnvelope,
        ParkedFilter,
        Parking,
    )

HELP = """
Envelopes that are kept and safe, but whose handling failed for good. A person decides.

Put the cause right, then `replay`: the worker handles them at once, with all its retries. What
will never work, `discard`: its sender gets a receipt that says so. Who did it and why is kept.

    $ jukinet parked list
    $ jukinet parked replay --reason handler_failed --why "fixed in 0.1.1" --apply
"""

app = typer.Typer(help=HELP, no_args_is_help=True)

Ids = Annotated[
    list[UUID] | None,
    typer.Argument(metavar="ID", help="Envelopes, or events with all their envelopes."),
]
Reason = Annotated[str | None, typer.Option(help="Parked for this reason.")]
Kind = Annotated[str | None, typer.Option(help="Of this kind.")]
Sender = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="From this node.", autocompletion=options.complete_node),
]
Operator = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who decides; default: the user of this session.")
]
Everything = Annotated[bool, typer.Option("--all", help="Everything that is parked.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parked envelopes an operator has named."""

    tiers: list[Tier] | None
    ids: list[UUID] | None
    node: str | None
    reason: str | None
    kind: str | None
    sender: str | None
    older_than: str | None

    @property
    def names_something(self) -> bool:
        """Whether anything but the tier was named."""
        return any((self.ids, self.node, self.reason, self.kind, self.sender, self.older_than))

    def filter(self) -> ParkedFilter:
        """Return it as the store has it."""
        from jukinet_mq.clock import utc_now
        from jukinet_mq.store.desk import ParkedFilter

        age = options.read_span(self.older_than)
        return ParkedFilter(
            ids=self.ids or None,
            node=self.node,
            reason=self.reason,
            kind=self.kind,
            sender=self.sender,
            before=None if age is None else utc_now() - age,
        )


@app.command("list")
def list_(
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: Sender = None,
    older_than: options.OlderThan = None,
    limit: Annotated[int, typer.Option(min=1, help="Envelopes to show per tier.")] = 20,
    as_json: options.Json = False,
) -> None:
    """List what is parked, by cause and the oldest of it one by one."""
    given = running.settings()
    wanted = Choice(tier, None, node, reason, kind, sender, older_than).filter()
    found = {
        one: running.run(_read(given, one, wanted, limit)) for one in running.tiers_of(given, tier)
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
    """Show one parked envelope: header, cause, and every parking there was; never its content."""
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
        raise _nothing_parked()
    for one, envelope, history in () if as_json else found:
        parked_view.print_one(one, envelope, history)


@app.command()
def replay(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: Sender = None,
    older_than: options.OlderThan = None,
    everything: Everything = False,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")] = "",
    operator: Operator = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Have them handled again, now, with all the retries of their kind."""
    choice = Choice(tier, ids, node, reason, kind, sender, older_than)
    _decide("replayed", choice, everything, why, operator, apply=apply, as_json=as_json)


@app.command()
def discard(
    ids: Ids = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    reason: Reason = None,
    kind: Kind = None,
    sender: Sender = None,
    older_than: options.OlderThan = None,
    everything: Everything = False,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; needed with --apply, and kept.")
    ] = "",
    operator: Operator = None,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Give them up for good: their senders get `rejected` with reason discarded_by_operator.

    The envelopes stay in the archive.
    """
    if apply and not why:
        raise typer.BadParameter("say --why: what is given up for good needs a reason")
    choice = Choice(tier, ids, node, reason, kind, sender, older_than)
    _decide("discarded", choice, everything, why, operator, apply=apply, as_json=as_json)


def _decide(
    how: Literal["replayed", "discarded"],
    choice: Choice,
    everything: bool,
    why: str,
    operator: str | None,
    *,
    apply: bool,
    as_json: bool,
) -> None:
    if not (choice.names_something or everything):
        raise typer.BadParameter("name envelopes by their ID, filter them, or say --all")
    import getpass

    from jukinet_mq.store.desk import Decision

    given = running.settings()
    decision = Decision(how, operator or getpass.getuser(), why)
    wanted = choice.filter()
    done = {
        tier: running.run(_carry_out(given, tier, wanted, decision, apply=apply))
        for tier in running.tiers_of(given, choice.tiers)
    }
    if as_json:
        terminal.print_json(
            {"applied": apply, how: {t: [asdict(e) for e in found] for t, found in done.items()}}
        )
    if not any(done.values()):
        raise _nothing_parked()
    if not as_json:
        for tier, envelopes in done.items():
            if envelopes:
                said = f"{how}" if apply else f"would be {how}"
                parked_view.print_envelopes(envelopes, title=f"{tier}: {len(envelopes):,} {said}")
        if not apply:
            terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")


def _nothing_parked() -> UnknownEventError:
    return UnknownEventError("nothing like this is parked; see `jukinet parked list`")


async def _read(
    given: Settings, tier: Tier, wanted: ParkedFilter, limit: int
) -> tuple[list[ParkedCause], list[ParkedEnvelope]]:
    from jukinet_mq.store import desk

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        return await desk.parked_causes(tx, wanted), await desk.parked(tx, wanted, limit=limit)


async def _histories(
    given: Settings, tier: Tier, wanted: UUID
) -> list[tuple[ParkedEnvelope, list[Parking]]]:
    from jukinet_mq.store import desk

    async with running.open_database(given, tier) as db, db.transaction() as tx:
        envelopes = await desk.parked(tx, desk.ParkedFilter(ids=[wanted]))
        return [(e, await desk.parkings(tx, [e.message_id])) for e in envelopes]


async def _carry_out(
    given: Settings, tier: Tier, wanted: ParkedFilter, decision: Decision, *, apply: bool
) -> list[ParkedEnvelope]:
    """Decide about all that is *wanted*, a bounded number in each transaction."""
    from jukinet_mq.store import desk

    async with running.open_database(given, tier) as db:
        if not apply:
            async with db.transaction() as tx:
                return await desk.parked(tx, wanted)
        done: list[ParkedEnvelope] = []
        while True:
            async with db.transaction() as tx:
                chosen = await desk.parked(tx, wanted)
                done += await desk.decide(tx, chosen, decision)
            if len(chosen) < desk.CHANGE_MAX:
                return done
