"""What `jukinet check` reads from the tiers' databases, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from jukinet_mq.cli import running, terminal
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import NodeCode
    from jukinet_mq.store.consistency import Check, NotedDifference
    from jukinet_mq.store.overdue import Listed, Rejected
    from jukinet_mq.store.relocation import MissingNotice
    from jukinet_mq.store.sequences import OpenGaps


@dataclass(frozen=True, slots=True)
class Overdue:
    """What one tier's senders wait for, and what was refused to them."""

    outstanding: list[tuple[Listed, list[NodeCode]]]
    rejected: list[Rejected]


async def overdue(
    given: Settings,
    tiers: Sequence[Tier] | None,
    node: str | None,
    back: timedelta,
    *,
    limit: int,
) -> dict[Tier, Overdue]:
    """Ask each tier's database which receipts are missing."""
    from jukinet_mq.consumers.owing import outstanding
    from jukinet_mq.store import overdue as store

    found = {}
    for tier, code in _places(given, tiers, node):
        async with running.open_database(given, tier) as db, db.transaction() as tx:
            found[tier] = Overdue(
                await outstanding(tx, code, limit=limit),
                await store.rejected(tx, code, since=tx.at - back, limit=limit),
            )
    return found


async def gaps(
    given: Settings, tiers: Sequence[Tier] | None, node: str | None, *, limit: int
) -> dict[Tier, list[OpenGaps]]:
    """Ask each tier's database which numbers are missing."""
    from jukinet_mq.store import sequences

    found = {}
    for tier, code in _places(given, tiers, node):
        async with running.open_database(given, tier) as db, db.transaction() as tx:
            found[tier] = await sequences.open_gaps(tx, code, limit=limit)
    return found


def _places(
    given: Settings, tiers: Sequence[Tier] | None, node: str | None
) -> list[tuple[Tier, str | None]]:
    """Return which databases to ask, and for which node; a node's own tier only."""
    if node is not None:
        [one] = running.nodes_of([node])
        return [(one.tier, one.code)]
    return [(tier, None) for tier in running.tiers_of(given, tiers)]


def show_overdue(found: Mapping[Tier, Overdue], *, as_json: bool) -> None:
    """Print what lacks receipts and what was refused."""
    if as_json:
        terminal.print_json({tier: _as_data(one) for tier, one in found.items()})
        return
    outstanding = [pair for one in found.values() for pair in one.outstanding]
    refused = [each for one in found.values() for each in one.rejected]
    if outstanding:
        terminal.print_table(
            ["envelope", "kind", "from", "lacks the receipt of", "since", "resent", "state"],
            [_outstanding_row(listed, keepers) for listed, keepers in outstanding],
            title="Without all their receipts",
            right=["resent"],
        )
    if refused:
        terminal.print_table(
            ["envelope", "kind", "from", "refused by", "reason", "at"],
            [
                (r.message_id, r.kind, terminal.node_label(r.node), terminal.node_label(r.keeper),
                 r.reason, r.received_at)
                for r in refused
            ],
            title="Refused as they were said",
        )  # fmt: skip
    if not outstanding and not refused:
        terminal.say("[green]✓[/] no receipt is overdue, and nothing was refused")


def _outstanding_row(listed: Listed, keepers: Sequence[NodeCode]) -> tuple[object, ...]:
    one = listed.awaited
    return (
        one.message_id,
        one.kind,
        terminal.node_label(one.node),
        ", ".join(map(terminal.node_label, keepers)),
        one.relayed_at or "in line for the relay",
        one.resends,
        "resent by itself" if one.alarmed_at is None else "told: a person must look",
    )


def _as_data(one: Overdue) -> dict[str, object]:
    return {
        "outstanding": [
            {**asdict(listed), "lacks": keepers} for listed, keepers in one.outstanding
        ],
        "rejected": [asdict(each) for each in one.rejected],
    }


def show_gaps(found: Mapping[Tier, Sequence[OpenGaps]], *, as_json: bool) -> None:
    """Print which numbers are missing."""
    if as_json:
        terminal.print_json({tier: [asdict(g) for g in gaps] for tier, gaps in found.items()})
        return
    rows = [gap for gaps in found.values() for gap in gaps]
    if not rows:
        terminal.say("[green]✓[/] no number is missing")
        return
    terminal.print_table(
        ["at", "from", "to", "plane", "missing", "between", "since", "asked", "state"],
        [
            (
                terminal.node_label(g.node),
                terminal.node_label(g.sender),
                terminal.node_label(g.recipient),
                g.plane,
                g.missing,
                f"{g.first:,} and {g.last:,}",
                g.since,
                g.asks,
                "asked for by itself" if g.alarmed_at is None else "told: a person must look",
            )
            for g in rows
        ],
        right=["missing", "asked"],
    )


def show_notices(missing: Sequence[MissingNotice]) -> None:
    """Print the filings whose notice has not come."""
    if not missing:
        terminal.say("[green]✓[/] every planned move-out has its notice, or still has time")
        return
    terminal.print_table(
        ["municipality", "filing", "planned day", "planned destination", "persons"],
        [
            (terminal.node_label(m.node), m.event_id, m.planned_on, m.planned_area, m.persons)
            for m in missing
        ],
        right=["persons"],
    )


def show_checks(results: Sequence[tuple[Check, Sequence[NotedDifference]]]) -> None:
    """Print how checks ended, and every difference."""
    if not results:
        terminal.say("No municipality has been checked yet; name one with --municipality.")
    terminal.print_table(
        ["municipality", "checked at", "numbers", "ended", "differences"],
        [
            (
                terminal.node_label(check.node),
                check.started_at,
                "none" if check.first is None else f"{check.first:,} to {check.last:,}",
                check.ended_how or "still open",
                check.differences,
            )
            for check, _ in results
        ],
        right=["differences"],
    )
    rows = [
        (terminal.node_label(check.node), terminal.node_label(one.keeper), one.sequence,
         one.message_id, _MEANING.get(one.difference, one.difference))
        for check, found in results
        for one in found
    ]  # fmt: skip
    if rows:
        terminal.print_table(
            ["municipality", "keeper", "number", "envelope", "difference"], rows, right=["number"]
        )


_MEANING = {
    "missing": "missing at the keeper",
    "unknown": "held, but never published",
    "other_bytes": "held with other bytes",
    "not_in_effect": "held, but not what the register shows",
}
