"""How parked envelopes are shown to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jukinet_mq.cli import terminal
from jukinet_mq.cli.reasons import meaning_of

if TYPE_CHECKING:
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store.desk import ParkedCause, ParkedEnvelope, Parking


def print_tier(
    tier: Tier, causes: Sequence[ParkedCause], envelopes: Sequence[ParkedEnvelope]
) -> None:
    """Print what is parked at a tier: by cause, and the oldest one by one."""
    total = sum(cause.envelopes for cause in causes)
    if not total:
        terminal.say(f"[green]✓[/] {tier}: nothing is parked")
        return
    terminal.print_table(
        ["reason", "kind", "envelopes", "nodes", "oldest", "newest", "meaning"],
        [
            (c.reason, c.kind, c.envelopes, c.nodes, c.oldest, c.newest, meaning_of(c.reason))
            for c in causes
        ],
        title=f"{tier}: {total:,} parked, by cause",
        right=["envelopes", "nodes"],
    )
    print_envelopes(envelopes, title=f"{tier}: the oldest {len(envelopes)}")


def print_envelopes(envelopes: Sequence[ParkedEnvelope], *, title: str) -> None:
    """Print parked envelopes, one per row."""
    terminal.print_table(
        ["envelope", "kind", "from", "at node", "parked at", "reason", "tries"],
        [
            (str(e.message_id), e.kind, terminal.node_label(e.sender), terminal.node_label(e.node),
             e.parked_at, e.reason, e.attempts)
            for e in envelopes
        ],
        title=title,
        right=["tries"],
    )  # fmt: skip


def print_one(tier: Tier, envelope: ParkedEnvelope, history: Sequence[Parking]) -> None:
    """Print all that is known of a parked envelope but its content, and what to do next."""
    terminal.print_facts(
        [
            ("envelope", str(envelope.message_id)),
            ("event", str(envelope.event_id)),
            ("kind", f"{envelope.kind} v{envelope.version}"),
            ("from", terminal.node_label(envelope.sender)),
            ("to", f"{terminal.node_label(envelope.recipient)}, number {envelope.sequence}"),
            ("parked at", f"{terminal.node_label(envelope.node)} ({tier})"),
            ("carried by", envelope.carried_by and str(envelope.carried_by)),
            ("event time", envelope.event_time),
            ("kept", envelope.kept_at),
            ("reason", terminal.styled(envelope.reason, "red")),
            ("meaning", meaning_of(envelope.reason)),
        ]
    )
    terminal.print_table(
        ["parked at", "reason", "tries", "ended", "how", "by", "why"],
        [
            (p.parked_at, p.reason, p.attempts, p.ended_at, p.ended_how, p.operator, p.explanation)
            for p in history
            if p.node == envelope.node
        ],
        right=["tries"],
    )
    terminal.say(
        f"Next: [cyan]jukinet parked replay {envelope.message_id} --apply[/] when its cause is put "
        "right, or [cyan]parked discard[/]"
    )
