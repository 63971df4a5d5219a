"""How quarantined deliveries are shown to a person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli import terminal
from jukinet_mq.cli.reasons import meaning_of

if TYPE_CHECKING:
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store.quarantine import PastVerdict, QuarantineCause, Quarantined, Verdict

SHOWN: Final = 20
SAID: Final = {
    "accepted": "accepted",
    "kept_before": "kept before",
    "discarded": "discarded",
    "refused": "still not trusted",
}
STYLES: Final = {"accepted": "green", "kept_before": "green", "refused": "red", "discarded": ""}


def print_tier(tier: Tier, causes: Sequence[QuarantineCause], held: Sequence[Quarantined]) -> None:
    """Print what is held at a tier: by cause, and the latest one by one."""
    total = sum(cause.deliveries for cause in causes)
    if not total:
        terminal.say(f"[green]✓[/] {tier}: nothing is in quarantine")
        return
    terminal.print_table(
        ["reason", "from", "held", "arrivals", "only counted", "nodes", "oldest", "newest"],
        [
            (c.reason, c.sender and terminal.node_label(c.sender), c.deliveries, c.arrivals,
             c.counted, c.nodes, c.oldest, c.newest)
            for c in causes
        ],
        title=f"{tier}: {total:,} in quarantine, by cause",
        right=["held", "arrivals", "only counted", "nodes"],
    )  # fmt: skip
    terminal.print_table(
        ["delivery", "held at", "at node", "from", "claims kind", "reason", "size"],
        [
            (f"{tier}/{d.position}", d.held_at, terminal.node_label(d.node),
             d.login and terminal.node_label(d.login), d.kind, d.reason, d.size)
            for d in held
        ],
        title=f"{tier}: the latest {len(held)}",
        right=["size"],
    )  # fmt: skip


def print_one(tier: Tier, held: Quarantined, past: Sequence[PastVerdict]) -> None:
    """Print all that is known of one delivery but its content, and what to do next."""
    carried = held.carried_by is not None
    terminal.print_facts(
        [
            ("delivery", f"{tier}/{held.position}"),
            ("at node", terminal.node_label(held.node)),
            ("held at", held.held_at),
            ("reason", terminal.styled(held.reason, "red")),
            ("meaning", meaning_of(held.reason)),
            ("explanation", held.explanation),
            ("login", held.login and terminal.node_label(held.login)),
            ("exchange", held.exchange),
            ("routing key", held.routing_key),
            ("original in forward" if carried else "claims id", held.message_id),
            ("forward's kind" if carried else "claims kind", held.kind),
            ("size", f"{held.size:,} bytes"),
            ("SHA-256", held.digest.hex()),
            ("arrivals", held.arrivals),
            ("ended", held.ended_at),
            ("how", held.ended_how),
        ]
    )
    if past:
        _print_past(past, title="what was decided")
    if held.ended_at is None:
        terminal.say(_advice(tier, held))


def _advice(tier: Tier, held: Quarantined) -> str:
    if not held.whole:
        return "Next: it is not held whole; its sender must resend it"
    return (
        f"Next: [cyan]jukinet quarantine replay {tier}/{held.position} --why TEXT --apply[/] when "
        "its cause has passed, or [cyan]quarantine discard[/]"
    )


def print_history(tier: Tier, past: Sequence[PastVerdict]) -> None:
    """Print decisions of the past, the latest first."""
    if not past:
        terminal.say(f"{tier}: nothing was decided")
        return
    _print_past(past, title=f"{tier}: the latest {len(past)}", tier=tier)


def _print_past(past: Sequence[PastVerdict], *, title: str, tier: Tier | None = None) -> None:
    terminal.print_table(
        ["delivery", "held for", "decided at", "by", "why", "outcome"],
        [
            (f"{tier}/{p.position}" if tier else p.position, p.held_for, p.decided_at,
             p.operator, p.explanation, _outcome(p.outcome, p.reason))
            for p in past
        ],
        title=title,
    )  # fmt: skip


def print_verdicts(tier: Tier, verdicts: Sequence[Verdict], *, applied: bool) -> None:
    """Print what came of a replay or discarding: counts, and why the rest stays."""
    if not verdicts:
        return
    counts = Counter[str](verdict.outcome for verdict in verdicts)
    would = "" if applied else "would be "
    parts = [
        f"{counts[outcome]:,} {would if outcome != 'refused' else ''}{said}"
        for outcome, said in SAID.items()
        if counts[outcome]
    ]
    mark = "[yellow]![/]" if counts["refused"] else "[green]✓[/]"
    terminal.say(f"{mark} {tier}: {', '.join(parts)}")
    refused: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.outcome == "refused":
            refused[verdict.reason or ""].append(verdict)
    if refused:
        terminal.print_table(
            ["still not trusted", "deliveries", "the first", "what was found there"],
            [
                (reason, len(some), f"{tier}/{some[0].position}", some[0].text)
                for reason, some in list(refused.items())[:SHOWN]
            ],
            right=["deliveries"],
        )


def _outcome(outcome: str, reason: str | None) -> object:
    words = outcome.replace("_", " ")
    return terminal.styled(f"{words}: {reason}" if reason else words, STYLES.get(outcome, ""))
