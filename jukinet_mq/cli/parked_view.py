"""How parked envelopes are shown to a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli import terminal
from jukinet_mq.cli.reasons import meaning_of

if TYPE_CHECKING:
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store.parked import Outcome, ParkedCause, ParkedEnvelope, Parking

SHOWN: Final = 20
OUTCOMES: Final[dict[Outcome, tuple[str, str]]] = {
    "parked": ("is parked", "red"),
    "discarded": ("discarded", ""),
    "parked_again": ("parked again", "red"),
    "done": ("done", "green"),
    "pending": ("still tried", "yellow"),
}


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
    """Print all that is known of an envelope but its content, and what to do next."""
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
        ["parked at", "reason", "tries", "ended", "how", "by", "why", "came of it"],
        [
            (p.parked_at, p.reason, p.attempts, p.ended_at, p.ended_how, p.operator,
             p.explanation, _outcome(p))
            for p in history
        ],
        right=["tries"],
    )  # fmt: skip
    if history[-1].outcome == "parked":
        terminal.say(
            f"Next: [cyan]jukinet parked replay {envelope.message_id} --why TEXT --apply[/] when "
            "its cause is put right, or [cyan]parked discard[/]"
        )


def print_history(tier: Tier, past: Sequence[Parking]) -> None:
    """Print decisions: each one's envelopes by outcome, and the latest envelopes one by one."""
    if not past:
        terminal.say(f"{tier}: nothing was decided")
        return
    by = attrgetter("operator", "explanation", "ended_how")
    rows: list[tuple[object, ...]] = []
    for (operator, why, how), group in groupby(sorted(past, key=by), key=by):
        members = list(group)
        ends = sorted(p.ended_at for p in members if p.ended_at is not None)
        rows.append((operator, why, how, ends[0], ends[-1], len(members), _counts(members)))
    rows.sort(key=lambda row: str(row[4]), reverse=True)
    terminal.print_table(
        ["by", "why", "how", "first", "last", "envelopes", "came of them"],
        rows,
        title=f"{tier}: {len(past):,} decided about",
        right=["envelopes"],
    )
    _print_parkings(past[:SHOWN], title=f"{tier}: the latest {min(len(past), SHOWN)}")


def print_outcomes(tier: Tier, past: Sequence[Parking]) -> None:
    """Print what came of a replay: how many, and one by one what did not go well."""
    if not past:
        return
    terminal.say(f"{tier}: {_counts(past)}")
    bad = [one for one in past if one.outcome != "done"]
    if bad:
        _print_parkings(bad[:SHOWN], title=f"{tier}: {len(bad):,} not done")


def _print_parkings(past: Sequence[Parking], *, title: str) -> None:
    terminal.print_table(
        ["envelope", "kind", "at node", "was parked for", "ended", "how", "by", "came of it"],
        [
            (str(p.message_id), p.kind, terminal.node_label(p.node), p.reason, p.ended_at,
             p.ended_how, p.operator, _outcome(p))
            for p in past
        ],
        title=title,
    )  # fmt: skip


def _counts(past: Sequence[Parking]) -> str:
    counted = Counter(one.outcome for one in past)
    return ", ".join(f"{counted[o]:,} {said}" for o, (said, _) in OUTCOMES.items() if counted[o])


def _outcome(one: Parking) -> object:
    said, style = OUTCOMES[one.outcome]
    if one.outcome == "pending" and one.due_at is not None:
        said = f"{said}, next at {terminal.moment(one.due_at)}"
    if one.outcome_reason is not None:
        said = f"{said}: {one.outcome_reason}"
    if one.tries:
        said = f"{said} ({one.tries} tries)"
    return terminal.styled(said, style)
