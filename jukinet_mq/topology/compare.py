"""What a broker holds against what it must hold: pure, one line per difference."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final, TypeVar

from jukinet_mq.topology import influences
from jukinet_mq.topology.difference import Difference, Problem
from jukinet_mq.topology.influences import Ours
from jukinet_mq.topology.model import (
    Binding,
    Exchange,
    Permission,
    Queue,
    TopicPermission,
    Topology,
    User,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Difference", "Problem", "compare", "lacking"]

ADMINISTRATOR: Final = "administrator"
POLICYMAKER: Final = "policymaker"
"""Who has any permission in a virtual host and this tag can give policies to all of its queues."""
DEFAULT_EXCHANGE: Final = "amq.default"
"""The default exchange in permissions; it leads to every queue by its name."""
_OUR_NAMES: Final = re.compile(r"juki\..+|cs\.\d{6}|pref\.\d\d|jlis")
"""Names of exchanges and queues that nobody else may take."""

Item = TypeVar("Item")


def compare(expected: Topology, found: Topology) -> list[Difference]:
    """Return every difference that concerns our objects, sorted; none if the broker is right.

    *found* holds everything of the virtual host, and the users of the whole broker. Others'
    objects are ignored unless they reach ours: a binding from or to one of ours, a permission on
    one of ours for a user who is no administrator, a policy or another influence on one of ours.
    What the broker does not tell is a difference too.
    """
    untold = {one.part for one in found.unknown}
    users = {user.name for user in expected.users}
    parts: dict[str, Iterable[Difference]] = {
        "exchanges": _compared(
            "exchange", expected.exchanges, filter(_is_ours, found.exchanges), key=_name
        ),
        "queues": _compared("queue", expected.queues, filter(_is_ours, found.queues), key=_name),
        "bindings": _compared("binding", expected.bindings, _bindings(found), key=_route),
        "users": _compared(
            "user", expected.users, (u for u in found.users if u.name in users), key=_name
        ),
        "permissions": _compared(
            "permission", expected.permissions, _permissions(expected, found), key=_user
        ),
        "topic permissions": _compared(
            "topic permission",
            expected.topic_permissions,
            (given for given in found.topic_permissions if given.user in users),
            key=_user_and_exchange,
        ),
        "influences": influences.differences(
            found.influences,
            Ours(
                _ours(expected.exchanges, found.exchanges),
                _ours(expected.queues, found.queues),
                users,
            ),
        ),
    }
    if "users" in untold:  # Whose permission it is, is not known either.
        untold.add("permissions")
    told = (one for part, found_in in parts.items() if part not in untold for one in found_in)
    return sorted(
        [*told, *(Difference(Problem.UNKNOWN, one.part, "", one.why) for one in found.unknown)]
    )


def lacking(expected: Topology, found: Topology) -> Topology:
    """Return what must be imported to mend *found*, as far as an import can.

    An exchange or queue that is there but wrong cannot be changed, so it is left out.
    """
    exchanges = {exchange.name for exchange in found.exchanges}
    queues = {queue.name for queue in found.queues}
    return Topology(
        exchanges=tuple(item for item in expected.exchanges if item.name not in exchanges),
        queues=tuple(item for item in expected.queues if item.name not in queues),
        bindings=_without(expected.bindings, found.bindings),
        users=_without(expected.users, found.users),
        permissions=_without(expected.permissions, found.permissions),
        topic_permissions=_without(expected.topic_permissions, found.topic_permissions),
    )


def _without(expected: tuple[Item, ...], found: tuple[Item, ...]) -> tuple[Item, ...]:
    there = frozenset(found)
    return tuple(item for item in expected if item not in there)


def _compared(
    what: str, expected: Iterable[Item], found: Iterable[Item], *, key: Callable[[Item], str]
) -> Iterator[Difference]:
    wanted = {key(item): item for item in expected}
    there = {key(item): item for item in found}
    for name in wanted.keys() - there.keys():
        yield Difference(Problem.MISSING, what, name)
    for name in there.keys() - wanted.keys():
        yield Difference(Problem.UNEXPECTED, what, name)
    for name in wanted.keys() & there.keys():
        if wanted[name] != there[name]:
            yield Difference(Problem.WRONG, what, name, _explain(wanted[name], there[name]))


def _explain(expected: object, found: object) -> str:
    """Say attribute by attribute, and argument by argument, what is and what should be."""
    wanted, there = _attributes(expected), _attributes(found)
    return "; ".join(
        f"{name} is {there.get(name, 'absent')}, expected {wanted.get(name, 'absent')}"
        for name in sorted(wanted.keys() | there.keys())
        if wanted.get(name) != there.get(name)
    )


def _attributes(item: object) -> dict[str, object]:
    names = (field.name for field in fields(item))  # type: ignore[arg-type]
    found = {name: getattr(item, name) for name in names}
    return found | dict(found.pop("arguments", ()))


def _is_ours(item: Exchange | Queue) -> bool:
    return _OUR_NAMES.fullmatch(item.name) is not None


def _ours(expected: Iterable[Exchange | Queue], found: Iterable[Exchange | Queue]) -> list[str]:
    """Return the names of what is or should be ours."""
    return sorted({*map(_name, expected), *map(_name, filter(_is_ours, found))})


def _bindings(found: Topology) -> Iterator[Binding]:
    """Yield what leads from or to one of ours; the default exchange's routes are no bindings."""
    for binding in found.bindings:
        ends = (binding.exchange, binding.destination)
        if binding.exchange and any(map(_OUR_NAMES.fullmatch, ends)):
            yield binding


def _permissions(expected: Topology, found: Topology) -> Iterator[Permission]:
    """Yield our users' permissions, and those of others that reach one of our objects."""
    users = {user.name for user in expected.users}
    administrators = {user.name for user in found.users if ADMINISTRATOR in user.tags}
    policymakers = {user.name for user in found.users if POLICYMAKER in user.tags}
    names = [
        DEFAULT_EXCHANGE,
        *_ours(expected.exchanges, found.exchanges),
        *_ours(expected.queues, found.queues),
    ]
    for given in found.permissions:
        anothers = given.user not in {*users, *administrators}
        if given.user in users or (
            anothers and (given.user in policymakers or _reaches(given, names))
        ):
            yield given


def _reaches(given: Permission, names: list[str]) -> bool:
    for text in filter(None, (given.configure, given.write, given.read)):
        try:
            pattern = re.compile(text)
        except re.error:
            return True  # What cannot be judged is shown.
        if any(map(pattern.search, names)):
            return True
    return False


def _name(item: Exchange | Queue | User) -> str:
    return item.name


def _user(item: Permission) -> str:
    return item.user


def _user_and_exchange(item: TopicPermission) -> str:
    return f"{item.user} on {item.exchange}"


def _route(item: Binding) -> str:
    kind = "" if item.destination_type == "queue" else f"{item.destination_type} "
    return f"{item.exchange} -> {kind}{item.destination} by {item.key or 'no key'}"
