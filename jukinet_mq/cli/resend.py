"""`jukinet resend`: published envelopes go out again, the same bytes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from jukinet_mq.cli import amounts, deciding, options, running, terminal
from jukinet_mq.cli.ending import work_is_done
from jukinet_mq.clock import utc_now
from jukinet_mq.errors import UnknownEventError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.store.resend import Relayed

SHOWN = 20


def resend(
    ids: Annotated[
        list[UUID] | None,
        typer.Argument(metavar="ID", help="Envelopes, or events with all their envelopes."),
    ] = None,
    *,
    tier: options.Tiers = None,
    node: options.NodeOption = None,
    to: Annotated[str | None, options.node_option("--to", help="To this node.")] = None,
    kind: options.Kind = None,
    relayed_within: Annotated[
        timedelta | None,
        typer.Option(
            metavar="AGE", help="Relayed since, for example, 2h ago.", parser=amounts.read_age
        ),
    ] = None,
    rate: options.Rate = None,
    batch: deciding.Batch = 500,
    apply: options.Apply = False,
    as_json: options.Json = False,
) -> None:
    """Relay envelopes again from the sender's archive, byte for byte.

    Where they were kept, nothing changes, and the receipt already given comes again; where they
    were lost or held, they are looked at as if they came for the first time. What lacks its
    receipts is resent without this. Runs at the sender's tier.

        $ jukinet resend 01a20007-ede1-7207-82b1-385d0bf61ecb --apply
        $ jukinet resend --relayed-within 2h --rate 200/s --apply
    """
    if not (ids or node or to or kind or relayed_within):
        raise typer.BadParameter("name them by their ID, filter them, or say --relayed-within")
    from jukinet_mq.consumers.pacing import Pace
    from jukinet_mq.consumers.resending import relay_again
    from jukinet_mq.store.resend import RelayedFilter

    options.check_place(node, tier)
    after = None if relayed_within is None else utc_now() - relayed_within
    wanted = RelayedFilter(ids or None, node, to, kind, after)
    pace = Pace(rate, batch)
    given = running.settings()

    async def work(tier: Tier, tell: deciding.Tell[Relayed]) -> None:
        async with running.open_database(given, tier) as db:
            await relay_again(db, wanted, pace=pace, apply=apply, tell=tell)

    said = "relayed again" if apply else "looked at"
    done = deciding.in_tiers(running.tiers_of(given, tier), work, said=said)
    if apply and any(done.values()):
        work_is_done()
    _tell(done, applied=apply, as_json=as_json)


def _tell(done: dict[Tier, list[Relayed]], *, applied: bool, as_json: bool) -> None:
    if as_json:
        terminal.print_json(
            {"applied": applied, "envelopes": {t: [asdict(e) for e in s] for t, s in done.items()}}
        )
    if not any(done.values()):
        raise UnknownEventError(
            "nothing like this was relayed; `jukinet status ID` shows what is known of an event"
        )
    for tier, envelopes in () if as_json else done.items():
        if envelopes:
            _print(tier, envelopes, applied=applied)
    if not (as_json or applied):
        terminal.say("[yellow]Nothing was changed.[/] Add --apply to do it.")


def _print(tier: Tier, envelopes: list[Relayed], *, applied: bool) -> None:
    would = "relayed" if applied else "would be relayed"
    terminal.print_table(
        ["envelope", "kind", "from", "to", "number", "relayed", "times"],
        [
            (str(e.message_id), e.kind, terminal.node_label(e.node),
             terminal.node_label(e.recipient), e.sequence, e.relayed_at, e.relays)
            for e in envelopes[:SHOWN]
        ],
        title=f"{tier}: {len(envelopes):,} {would} again, the first {min(len(envelopes), SHOWN)}",
        right=["number", "times"],
    )  # fmt: skip
