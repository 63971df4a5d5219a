"""What `doctor` looks at in keys: those enrolled in each tier, and the files that are here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli.finding import Finding
from jukinet_mq.cli.terminal import node_label
from jukinet_mq.clock import utc_now
from jukinet_mq.errors import JukinetError, NodeKeyError
from jukinet_mq.nodes import NodeCode, Tier, directory

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.trust.keys import EnrolledKey, Use

ENDS_WITHIN: Final = timedelta(days=30)
NAMED_MAX: Final = 5
"""Nodes that are named one by one; a year after `trust init` all may be concerned at once."""

Last = dict[tuple[NodeCode, "Use"], datetime]
"""When the last valid key of a node for one use ends."""


async def enrolled(given: Settings, tier: Tier) -> Finding:
    """Look for nodes whose keys a tier does not have, or has for less than a month."""
    from jukinet_mq.trust.keys import Use

    now = utc_now()
    last: Last = {}
    for key in await _load(given, tier):
        if key.is_valid_at(now) and key.revoked_at is None:
            whose = (key.node, key.use)
            # What was rolled may end: its successor is there.
            last[whose] = max(key.valid_until, last.get(whose, now))
    layer = f"trust {tier}"
    wanted = [(node.code, use) for node in directory().nodes() for use in Use]
    if missing := [node for node, use in wanted if (node, use) not in last]:
        return Finding(
            layer,
            ok=False,
            said=f"{len(last):,} of {len(wanted):,} keys are enrolled and valid; some are missing "
            f"of {_named(missing)}",
            fix="run `jukinet trust init`, `jukinet trust enrol NODE CERT`, or, where a key has "
            "ended, `jukinet trust rotate NODE --apply`",
        )
    first = min(last.values())
    if first - now < ENDS_WITHIN:
        ending = sorted(last, key=lambda whose: last[whose])
        soon = [node for node, use in ending if last[node, use] - now < ENDS_WITHIN]
        return Finding(
            layer,
            ok=False,
            said=f"the first key ends in {_days(first - now)}; within {ENDS_WITHIN.days} days "
            f"those of {_named(soon)}",
            fix="run `jukinet trust rotate NODE --apply`, or have the node make a new one and "
            "enrol it",
        )
    return Finding(
        layer,
        ok=True,
        said=f"{len(last):,} keys enrolled and valid, the first ends in {_days(first - now)}",
    )


async def files(given: Settings, tier: Tier) -> list[Finding]:
    """Look for nodes of *tier* that are hosted here and could not work with their key files."""
    from jukinet_mq.room import Trusting
    from jukinet_mq.trust.keyring import KeyRing
    from jukinet_mq.trust.store import TrustStore

    layer = f"keys {tier}"
    nodes = _hosted(given, tier)
    if not nodes:
        return []
    try:
        store = TrustStore.from_keys(await _load(given, tier))
    except JukinetError as error:
        said = f"not known: whether they are enrolled cannot be asked [{error.reason}]"
        return [Finding(layer, ok=False, said=said, fix=f"see database {tier}", known=False)]
    trusting = Trusting(KeyRing(given.trust), snapshot=store)
    waiting: list[tuple[NodeCode, NodeKeyError]] = []
    for node in nodes:
        try:
            trusting.check_keys(node)
        except NodeKeyError as error:
            waiting.append((node, error))
    if not waiting:
        said = f"{len(nodes):,} nodes can sign and open with the keys under {given.trust}"
        return [Finding(layer, ok=True, said=said)]
    found = [_waits(layer, node, error) for node, error in waiting[:NAMED_MAX]]
    if others := [node for node, _ in waiting[NAMED_MAX:]]:
        said = (
            f"{len(waiting):,} of {len(nodes):,} nodes wait; besides those above {_named(others)}"
        )
        found.append(Finding(layer, ok=False, said=said, fix="run `jukinet trust show NODE`"))
    return found


def _waits(layer: str, node: NodeCode, error: NodeKeyError) -> Finding:
    return Finding(
        layer,
        ok=False,
        said=f"{node_label(node)} waits: {error} [{error.reason}]",
        fix=f"docs/runbooks/{error.reason}.md says more; see also `jukinet trust show {node}`",
    )


async def _load(given: Settings, tier: Tier) -> list[EnrolledKey]:
    from jukinet_mq.cli.running import open_database
    from jukinet_mq.store import trust

    async with open_database(given, tier) as db, db.transaction() as tx:
        return await trust.load(tx)


def _hosted(given: Settings, tier: Tier) -> list[NodeCode]:
    """Return the nodes that this machine seems to host: a file or a login of theirs is here."""
    from jukinet_mq.topology.credentials import load
    from jukinet_mq.trust.key_files import certificate_path, key_path

    logins = set(load(given.credentials))
    return [
        node.code
        for node in directory().nodes(tier)
        if node.code in logins
        or key_path(given.trust, node.code).exists()
        or certificate_path(given.trust, node.code).exists()
    ]


def _named(nodes: Sequence[NodeCode]) -> str:
    """Name nodes, each once, the first few of many."""
    once = list(dict.fromkeys(nodes))
    named = ", ".join(map(node_label, once[:NAMED_MAX]))
    more = len(once) - NAMED_MAX
    return f"{named} and {more:,} more" if more > 0 else named


def _days(left: timedelta) -> str:
    return f"{left.days} days" if left.days != 1 else "1 day"
