"""Regular expressions that the broker evaluates; valid in PCRE and in Python alike.

RabbitMQ compiles a topic permission anew at every publish whose key is not among the
channel's last 12, so a pattern's length is paid for by every envelope, and RabbitMQ 4.3 takes
none of more than 1,024 bytes (ADR 0004 has figures).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.nodes import NATIONAL_NODE, NATIONAL_PREFECTURE, Tier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LENGTH_MAX: Final = 1024
"""Bytes of a pattern that every supported RabbitMQ accepts."""

_TAILS: Final = {
    frozenset({Tier.MUNICIPALITY}): r"(?!000)\d{4}",
    frozenset({Tier.PREFECTURE}): r"000\d",
    frozenset({Tier.MUNICIPALITY, Tier.PREFECTURE}): r"\d{4}",
}
_NATIONAL: Final = re.escape(f"{NATIONAL_PREFECTURE}.{NATIONAL_NODE}")


def exactly(words: Iterable[str]) -> str:
    """Return a pattern, not anchored, that matches these words and no other, sharing prefixes."""
    tree: dict[str, object] = {}
    for word in words:
        branch = tree
        for letter in word:
            branch = branch.setdefault(letter, {})  # type: ignore[assignment]
        branch[""] = None
    return _alternatives(tree)


def _alternatives(tree: dict[str, object]) -> str:
    branches = [
        re.escape(letter) + _alternatives(below) if isinstance(below, dict) else ""
        for letter, below in sorted(tree.items(), reverse=True)
    ]
    return one_of(branches)


def addresses(tiers: Collection[Tier], *, group: str) -> str:
    """Return a pattern of the `<prefecture>.<code>` that nodes of *tiers* have.

    The two prefecture digits are captured as *group* and must stand at the code's head too,
    so nobody can address one prefecture's node through another prefecture's word.
    """
    choices: list[str] = []
    if digits := frozenset(tiers) - {Tier.NATIONAL}:
        choices.append(rf"(?P<{group}>\d\d)\.(?P={group}){_TAILS[digits]}")
    if Tier.NATIONAL in tiers:
        choices.append(_NATIONAL)
    return one_of(choices)


def municipalities_of(prefecture: str) -> str:
    """Return a pattern of the `<prefecture>.<code>` that a prefecture's municipalities have."""
    return rf"{prefecture}\.{prefecture}{_TAILS[frozenset({Tier.MUNICIPALITY})]}"


def queue_pattern(tier: Tier, *, prefecture: str = r"\d\d") -> str:
    """Return a pattern of the queue names that all nodes of *tier* have, anywhere or there."""
    match tier:
        case Tier.MUNICIPALITY:
            return rf"cs\.{prefecture}{_TAILS[frozenset({tier})]}"
        case Tier.PREFECTURE:
            return rf"pref\.{prefecture}"
        case Tier.NATIONAL:
            return NATIONAL_NODE
        case _:
            assert_never(tier)


def one_of(choices: Iterable[str]) -> str:
    """Return a pattern of any of these patterns."""
    first, *rest = choices
    return f"(?:{'|'.join((first, *rest))})" if rest else first
