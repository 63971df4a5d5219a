"""What a demonstration has shown: the table, the proof, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jukinet_mq.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jukinet_mq.load.demo import Report
    from jukinet_mq.load.measure import Percentiles
    from jukinet_mq.load.proof import Proof
    from jukinet_mq.load.tally import KindTally

FINDINGS_SHOWN: Final = 5
MIB: Final = 2**20
WIDE: Final = 100
TITLE: Final = "What this run has said, and how long it took from the publisher to the recipient"
COUNTS: Final = 5
COLUMNS: Final = ("kind", "published", "kept", "processed", "receipted", "p50", "p95", "p99")


def show(report: Report) -> None:
    """Print the whole report for a person."""
    _show_kinds(report.kinds)
    _show_proof(report.proof)
    _show_costs(report)
    _show_next(report)


def facts(report: Report) -> dict[str, Any]:
    """Return the whole report for a program."""
    proof = report.proof
    return {
        "holds": report.holds,
        "events": {"planned": report.plan.events, "filed": report.filed.filed},
        "seed": report.plan.seed,
        "diverted_card_move_ins": report.filed.diverted,
        "kinds": [_kind_facts(kind) for kind in report.kinds],
        "proof": {
            "holds": proof.holds,
            "envelopes": proof.envelopes,
            "copies": proof.copies,
            "effects": proof.effects,
            "receipts": proof.receipts,
            **{
                name.replace(" ", "_"): [finding._asdict() for finding in findings]
                for name, findings in proof.findings.items()
            },
            "left_in_queues": proof.left_in_queues,
            "left": proof.left,
            "of_strangers": proof.of_strangers,
        },
        "seconds": {stage.name.lower(): round(took, 3) for stage, took in report.seconds.items()},
        "memory_bytes": report.memory,
        "examples": {
            name: {"event_id": event_id, "municipality": node}
            for name, (event_id, node) in report.filed.examples.items()
        },
    }


def _kind_facts(kind: KindTally) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "published": kind.published,
        "kept": [kind.kept, kind.to_keep],
        "processed": [kind.processed, kind.to_process],
        "receipted": [kind.receipted, kind.to_receipt],
        "delay_seconds": _seconds(kind.delay),
        "national_delay_seconds": _seconds(kind.national_delay),
    }


def _seconds(delay: Percentiles | None) -> dict[str, float] | None:
    return None if delay is None else {"p50": delay.p50, "p95": delay.p95, "p99": delay.p99}


def _show_kinds(kinds: Sequence[KindTally]) -> None:
    terminal.say()
    rows = [row for kind in kinds for row in _kind_rows(kind)]
    if terminal.console().width >= WIDE:
        terminal.print_table(COLUMNS, rows, title=TITLE, right=COLUMNS[1:])
        return
    # Two narrow tables read better than one whose words are broken.
    counts = [row[:COUNTS] for row in rows if row[1] != ""]
    delays = [(row[0], *row[COUNTS:]) for row in rows]
    terminal.print_table(
        COLUMNS[:COUNTS], counts, title="What this run has said", right=COLUMNS[1:]
    )
    terminal.print_table(
        (COLUMNS[0], *COLUMNS[COUNTS:]),
        delays,
        title="How long it took from the publisher to the recipient",
        right=COLUMNS[COUNTS:],
    )


def _kind_rows(kind: KindTally) -> Iterator[Sequence[object]]:
    yield (
        kind.kind,
        kind.published,
        _share(kind.kept, kind.to_keep),
        _share(kind.processed, kind.to_process),
        _share(kind.receipted, kind.to_receipt),
        *_delays(kind.delay),
    )
    if kind.national_delays:
        label = terminal.styled("  … as far as J-LIS", "dim")
        yield (label, "", "", "", "", *_delays(kind.national_delay))


def _share(have: int, must: int) -> object:
    if must == 0:
        return None
    return have if have == must else terminal.styled(f"{have:,} of {must:,}", "red")


def _delays(delay: Percentiles | None) -> Sequence[object]:
    if delay is None:
        return (None, None, None)
    return tuple(
        f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
        for seconds in (delay.p50, delay.p95, delay.p99)
    )


def _show_proof(proof: Proof) -> None:
    mark = "[green]✓[/]" if proof.holds else "[red]✗[/]"
    terminal.say("[bold]Proof[/], counted in the three databases and the broker, over all runs:")
    terminal.say(
        f"  {mark} {proof.envelopes:,} envelopes · {proof.copies:,} copies in archives, each once, "
        "byte for byte"
    )
    terminal.say(
        f"  {mark} {proof.effects:,} register entries, each once · {proof.receipts:,} receipts of "
        "this run"
    )
    for name, findings in proof.findings.items():
        if not findings:
            continue
        terminal.say(f"  [red]✗ {name}: {len(findings):,}[/]")
        for finding in findings[:FINDINGS_SHOWN]:
            where = terminal.node_label(finding.node)
            terminal.say(f"      {finding.kind} {finding.message_id} at {where}: {finding.what}")
    for place, left in (("queue", proof.left_in_queues), ("database", proof.left)):
        for name, count in left.items():
            terminal.say(f"  [red]✗ left in the {place}: {name} {count:,}[/]")
    if proof.holds:
        terminal.say("  [green]✓[/] nothing lost, doubled, altered, unexpected or unanswered")
        terminal.say(
            "  [green]✓[/] nothing parked or quarantined, no gap, no queue or outbox with anything"
        )
    if proof.of_strangers:
        terminal.say(
            f"  [yellow]![/] {proof.of_strangers:,} deliveries or refusals of what nobody here has "
            "published; see `jukinet quarantine list`"
        )


def _show_costs(report: Report) -> None:
    whose = "all processes together" if report.servers.private else "our processes together"
    terminal.say(
        f"  [dim]{sum(report.seconds.values()):.0f} s of work · at most "
        f"{report.memory / MIB:,.0f} MiB of memory, {whose}[/]"
    )


def _show_next(report: Report) -> None:
    terminal.say()
    terminal.say("[bold]Try next[/]")
    for command, meaning in _commands(report):
        terminal.say(f"  [cyan]{command:<51}[/] [dim]{meaning}[/]")


def _commands(report: Report) -> Iterator[tuple[str, str]]:
    if not report.servers.stays:
        yield "jukinet services up", "their data is still there"
    examples = report.filed.examples
    for name in ("card-move-in", "move", "identity-update"):
        if name in examples:
            event_id, node = examples[name]
            yield f"jukinet status {event_id}", f"one {name}"
            yield f"jukinet node show {node}", terminal.node_label(node)
            break
    yield "jukinet parked list", "what needs a person"
    yield "jukinet doctor", "is all as it should be?"
    if report.servers.private:
        yield "jukinet services down", "stop the servers"
