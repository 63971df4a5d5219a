"""What changes how a broker treats our objects without being one of them: pure.

A policy can give a queue a time to live or a lesser length, a limit can refuse a login, a shovel
can carry messages away, tracing copies all of them. None of it is ours, so any that reaches one
of our objects is a difference; the line says how to remove it.
"""

from __future__ import annotations

import re
import shlex
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.topology.difference import Difference, Problem
from jukinet_mq.topology.model import DisabledFeature, Limit, Policy, Shovel, Tracing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from jukinet_mq.topology.model import Influence

NEEDED_FEATURES: Final = frozenset({"quorum_queue", "stream_queue"})
"""Without `stream_queue`, RabbitMQ 3.10 dead-letters at most once, and says so nowhere. Features
that a version no longer lists are always enabled in it."""

_OF_EXCHANGES: Final = frozenset({"all", "exchanges"})
_OF_QUEUES: Final = frozenset({"all", "queues", "quorum_queues"})


@dataclass(frozen=True, slots=True)
class Ours:
    """The names of what is or should be ours."""

    exchanges: Sequence[str]
    queues: Sequence[str]
    users: Collection[str]


def differences(influences: Iterable[Influence], ours: Ours) -> Iterator[Difference]:
    """Yield a difference for each of *influences* that reaches one of *ours*."""
    for one in influences:
        difference = _difference(one, ours)
        if difference is not None:
            yield difference


def _difference(one: Influence, ours: Ours) -> Difference | None:
    match one:
        case Policy():
            return _policy(one, ours)
        case Limit():
            return _limit(one, ours)
        case Shovel():
            return _shovel(one, ours)
        case Tracing():
            said = "every message is copied to amq.rabbitmq.trace"
            return _unexpected("tracing", one.vhost, said, ["trace_off", "-p", one.vhost])
        case DisabledFeature():
            return _feature(one)
        case _:
            assert_never(one)


def _policy(policy: Policy, ours: Ours) -> Difference | None:
    reached = [
        *_reached(policy, ours.queues, kinds=_OF_QUEUES),
        *_reached(policy, ours.exchanges, kinds=_OF_EXCHANGES),
    ]
    if not reached:
        return None
    sets = ", ".join(f"{name} {value}" for name, value in policy.definition) or "nothing"
    kind = "operator policy" if policy.operator else "policy"
    return _unexpected(
        kind,
        policy.name,
        f"sets {sets} on {len(reached):,} of our queues and exchanges, the first {reached[0]}",
        [f"clear_{kind.replace(' ', '_')}", "-p", policy.vhost, policy.name],
    )


def _reached(policy: Policy, names: Sequence[str], *, kinds: Collection[str]) -> list[str]:
    """Return those of *names* that the policy is meant for or, as the broker says, works on."""
    if policy.apply_to not in kinds:
        return []
    meant = _pattern(policy.pattern)
    return [
        name for name in names if name in policy.works_on or meant is None or meant.search(name)
    ]


def _pattern(text: str) -> re.Pattern[str] | None:
    """Read RabbitMQ's pattern (PCRE); None for one that means something else here, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(text)
    except (re.error, FutureWarning, DeprecationWarning, RecursionError, OverflowError):
        return None


def _limit(limit: Limit, ours: Ours) -> Difference | None:
    said = f"{limit.name} is {limit.value}, expected none"
    if limit.user is None:
        clear = ["clear_vhost_limits", "-p", limit.vhost]
        return _unexpected("virtual host limit", limit.vhost, said, clear)
    if limit.user not in ours.users:
        return None
    clear = ["clear_user_limits", limit.user, limit.name]
    return _unexpected("user limit", limit.user, said, clear)


def _shovel(shovel: Shovel, ours: Ours) -> Difference | None:
    ends = sorted({*shovel.ends} & {*ours.exchanges, *ours.queues})
    if not ends:
        return None
    said = f"carries messages from or to {', '.join(ends)}"
    clear = ["clear_parameter", "-p", shovel.vhost, "shovel", shovel.name]
    return _unexpected("shovel", shovel.name, said, clear)


def _feature(feature: DisabledFeature) -> Difference | None:
    if feature.name not in NEEDED_FEATURES:
        return None
    remedy = f"enable it: `rabbitmqctl enable_feature_flag {feature.name}`"
    return Difference(Problem.MISSING, "feature flag", feature.name, remedy)


def _unexpected(what: str, name: str, said: str, remedy: Sequence[str]) -> Difference:
    command = shlex.join(["rabbitmqctl", *remedy])
    return Difference(Problem.UNEXPECTED, what, name, f"{said}; remove it: `{command}`")
