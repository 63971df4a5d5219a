"""Policies, limits, shovels, tracing and feature flags as the management API tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from jukinet_mq.topology.model import (
    Argument,
    DisabledFeature,
    Influence,
    Limit,
    Policy,
    Shovel,
    Tracing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SHOVEL_ENDS: Final = ("src-queue", "src-exchange", "dest-queue", "dest-exchange")


def influences(found: Mapping[str, Any]) -> Iterator[Influence]:
    """Yield what *found* holds of them: the API's answers by part; one that is missing has none."""
    objects = [*found.get("queues", ()), *found.get("exchanges", ())]
    for one in found.get("policies", ()):
        yield _policy(one, objects, "policy")
    for one in found.get("operator policies", ()):
        yield _policy(one, objects, "operator_policy")
    for one in (*found.get("user limits", ()), *found.get("virtual host limits", ())):
        yield from _limits(one)
    for one in found.get("shovels", ()):
        if one["component"] == "shovel":
            ends = [one["value"][end] for end in _SHOVEL_ENDS if end in one["value"]]
            yield Shovel(one["name"], one["vhost"], tuple(map(str, ends)))
    if found.get("tracing", {}).get("tracing"):
        yield Tracing(found["tracing"]["name"])
    for one in found.get("feature flags", ()):
        if one["state"] != "enabled":
            yield DisabledFeature(one["name"])


def _limits(found: Mapping[str, Any]) -> Iterator[Limit]:
    for name, value in sorted(found["value"].items()):
        if value >= 0:  # A negative one is none.
            yield Limit(found.get("user"), found.get("vhost", ""), name, value)


def _policy(found: Mapping[str, Any], objects: Iterable[Mapping[str, Any]], member: str) -> Policy:
    return Policy(
        found["name"],
        found["vhost"],
        found["pattern"],
        found["apply-to"],
        arguments(found["definition"]),
        operator=member == "operator_policy",
        works_on=frozenset(one["name"] for one in objects if one.get(member) == found["name"]),
    )


def arguments(found: Mapping[str, Any]) -> tuple[tuple[str, Argument], ...]:
    """Return *found* sorted; what we never set (a list, a fraction) as its JSON text."""
    return tuple(
        (name, value if isinstance(value, str | int) else orjson.dumps(value).decode())
        for name, value in sorted(found.items())
    )
