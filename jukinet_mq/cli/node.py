"""`jukinet node`: the directory, and how one node is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from jukinet_mq.cli import codes, options, running, terminal
from jukinet_mq.errors import JukinetError

if TYPE_CHECKING:
    from jukinet_mq.broker.management import QueueState
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Node
    from jukinet_mq.store.desk import NodeCounts

HELP = """
Who takes part: J-LIS, 47 prefectures and 1,741 municipalities, and how each of them is.

    $ jukinet node show 011011        (a ward: shows its city, which is the node)
    $ jukinet node list --prefecture 13
"""

app = typer.Typer(help=HELP, no_args_is_help=True)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a node is; what could not be asked is None, and `trouble` says why."""

    enrolled_keys: int | None
    counts: NodeCounts | None
    queue: QueueState | None
    trouble: tuple[str, ...]


@app.command()
def show(code: options.AreaArgument, *, as_json: options.Json = False) -> None:
    """Show a node: whom it answers to, its queue and keys, and what waits there.

    Works without broker and database too, and then says less.
    """
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.model import queue_name

    node = directory().route(code)
    parent = directory().parent(node.code)
    wards = directory().wards(node.code)
    condition = running.run(_condition(node))
    if as_json:
        terminal.print_json(
            {
                **asdict(node),
                "asked_for": code,
                "parent": parent and parent.code,
                "queue": queue_name(node),
                "wards": [{"code": w.code, "name": w.name} for w in wards],
                "condition": asdict(condition),
            }
        )
        return
    if code != node.code:
        area = directory().area(code)
        terminal.say(f"{area.code} {area.name} is a ward; its notices travel through its city:")
    _print(node, parent, queue_name(node), condition)
    if wards:
        terminal.say(f"[dim]wards[/]  {', '.join(f'{w.code} {w.short_name}' for w in wards)}")


@app.command("list")
def list_(
    *,
    prefecture: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Two digits, or the code of the prefecture.",
            parser=codes.read_prefecture,
        ),
    ] = None,
    tier: options.Tiers = None,
    as_json: options.Json = False,
) -> None:
    """List the nodes of the nation, of a tier or of a prefecture."""
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.model import queue_name

    found = directory().nodes(prefecture=prefecture)
    nodes = [node for node in found if not tier or node.tier in tier]
    if not nodes:
        raise typer.BadParameter("no node of this tier lies in a prefecture; leave one of them out")
    if as_json:
        terminal.print_json([asdict(node) for node in nodes])
        return
    terminal.print_table(
        ["code", "name", "kana", "tier", "queue"],
        [(n.code, n.name, n.kana, n.tier, queue_name(n)) for n in nodes],
    )
    terminal.say(f"[dim]{len(nodes):,} nodes[/]")


def _print(node: Node, parent: Node | None, queue: str, condition: Condition) -> None:
    counts, state = condition.counts, condition.queue
    facts: list[tuple[str, object]] = [
        ("node", terminal.styled(f"{node.code} {node.name}", "bold")),
        ("kana", node.kana),
        ("tier", node.tier.value),
        ("answers to", parent and terminal.node_label(parent.code)),
        ("queue", queue),
        ("keys enrolled", condition.enrolled_keys),
    ]
    if counts is not None:
        facts += [
            ("outbox waiting", _waiting(counts)),
            ("inbox pending", _pending(counts)),
            ("parked", counts.parked),
            ("in quarantine", counts.quarantined),
            ("numbers missing", counts.gaps),
        ]
    if state is not None:
        hands = f"{_count(state.unacknowledged)} in hand, {_count(state.consumers)} consumers"
        facts.append(("in its queue", f"{_count(state.ready)} ready, {hands}"))
    terminal.print_facts(facts)
    for line in condition.trouble:
        terminal.say(f"[yellow]![/] {terminal.escape(line)}")


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _waiting(counts: NodeCounts) -> str:
    if counts.outbox_oldest is None:
        return "0"
    oldest = terminal.moment(counts.outbox_oldest)
    return f"{counts.outbox_waiting:,}, the oldest since {oldest}"


def _pending(counts: NodeCounts) -> str:
    if counts.inbox_next_due is None:
        return "0"
    due = terminal.moment(counts.inbox_next_due)
    return f"{counts.inbox_pending:,}, the next try at {due}"


async def _condition(node: Node) -> Condition:
    """Ask the tier's database and the broker; one that is away does not hide the other."""
    given = running.settings()
    trouble: list[str] = []
    keys, counts, queue = None, None, None
    try:
        keys, counts = await _from_database(given, node)
    except JukinetError as error:
        trouble.append(f"{node.tier} database: {error}")
    try:
        queue = await _from_broker(given, node)
    except JukinetError as error:
        trouble.append(f"broker: {error}")
    return Condition(keys, counts, queue, tuple(trouble))


async def _from_database(given: Settings, node: Node) -> tuple[int, NodeCounts]:
    from jukinet_mq.store import desk, trust

    async with running.open_database(given, node.tier) as db, db.transaction() as tx:
        keys = [key for key in await trust.load(tx) if key.node == node.code]
        return sum(key.revoked_at is None for key in keys), await desk.counts(tx, node.code)


async def _from_broker(given: Settings, node: Node) -> QueueState:
    from jukinet_mq.topology.model import queue_name

    async with running.open_management(given) as client:
        return await client.queue(queue_name(node))
