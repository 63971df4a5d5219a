"""Run the program and kill it at a named step.

    python -m tests.chaos.crashing POINT N -- worker national

The program knows nothing of this: the function at the step is wrapped from outside, in this
process alone, and the N-th time that it has something to do the process gets SIGKILL. Nothing in
the package imports, names or allows it.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import asyncpg.transaction

from jukinet_mq.nodes import Tier

Passage = Callable[[tuple[Any, ...], Any], object]
"""Whether a call, by its arguments and result (None before it), had anything to do."""


def always(_arguments: tuple[Any, ...], _result: Any) -> bool:
    """Count every call."""
    return True


def has_result(_arguments: tuple[Any, ...], result: Any) -> object:
    """Count calls that return something."""
    return result


def has_second(arguments: tuple[Any, ...], _result: Any) -> object:
    """Count calls that are given something."""
    return arguments[1]


@dataclass(frozen=True, slots=True)
class Point:
    """A step at which the process dies.

    Attributes:
        step: What has been done, and what has not.
        place: `module:name` or `module:class.name` of the function, as its caller finds it.
        before: Die before the call instead of after it.
        counts: Which calls count; one that has nothing to do is no step.
        command: Which command of the program takes the step.
    """

    step: str
    place: str
    before: bool = False
    counts: Passage = always
    command: str = "worker"
    tiers: frozenset[Tier] = field(default_factory=lambda: frozenset(Tier))


_ABOVE = frozenset({Tier.PREFECTURE, Tier.NATIONAL})
_BELOW = frozenset({Tier.MUNICIPALITY})
_KEEP = "jukinet_mq.consumers.pipeline"
_WORKER = "jukinet_mq.consumers.worker"

POINTS: dict[str, Point] = {
    # Broker to database: `keep` and its acknowledgement.
    "received": Point(
        "a batch is in hand, nothing is verified",
        "jukinet_mq.broker.consuming:BatchConsumer.next_batch",
        counts=has_result,
    ),
    "verified": Point("signatures are checked, no transaction is open", f"{_KEEP}:judge"),
    "admitted": Point("the inbox has its rows, uncommitted", f"{_KEEP}:admit"),
    "archived": Point(
        "the bytes are archived, uncommitted", "jukinet_mq.store.inbox:archive", counts=has_second
    ),
    "handled": Point("the effects are written, uncommitted", f"{_KEEP}:handle", counts=has_second),
    "answered": Point(
        "receipts are written, uncommitted",
        "jukinet_mq.store.receipts:give",
        counts=has_second,
        tiers=_ABOVE,
    ),
    "numbered": Point("all is written, before COMMIT", "jukinet_mq.store.sequences:note"),
    "committing": Point("COMMIT is sent, its answer is not read", f"{_KEEP}:keep"),
    "committed": Point("committed, not acknowledged", f"{_WORKER}:keep"),
    "acknowledged": Point(
        "acknowledged, the next batch not begun", "jukinet_mq.broker.consuming:Batch.ack"
    ),
    # Database to broker: the relay.
    "claimed": Point(
        "outbox rows are locked, nothing is out", "jukinet_mq.store.outbox:claim", counts=has_result
    ),
    "publishing": Point(
        "some of a window are with the broker, others are not",
        "jukinet_mq.broker.publishing:ConfirmingPublisher._send",
    ),
    "confirmed": Point(
        "the broker has confirmed, nothing is marked",
        "jukinet_mq.store.outbox:mark_relayed",
        before=True,
        counts=has_second,
    ),
    "marked": Point(
        "marked as relayed, before COMMIT",
        "jukinet_mq.store.outbox:mark_relayed",
        counts=has_second,
    ),
    "relayed": Point(
        "marked and committed",
        "jukinet_mq.producers.relay:relay_window",
        counts=lambda _, result: result[0],
    ),
    # Receipts: the issuer.
    "due": Point(
        "due receipts are locked, not in any envelope",
        "jukinet_mq.store.receipts:due",
        counts=has_result,
        tiers=_ABOVE,
    ),
    "carried": Point(
        "receipts are in envelopes in the outbox, not marked, uncommitted",
        "jukinet_mq.store.receipts:carry",
        before=True,
        tiers=_ABOVE,
    ),
    "issuing": Point(
        "all is written, before COMMIT", "jukinet_mq.store.receipts:carry", tiers=_ABOVE
    ),
    "issued": Point(
        "the receipts' envelopes are committed",
        f"{_WORKER}:issue",
        counts=lambda _, result: result.receipts,
        tiers=_ABOVE,
    ),
    # Filing.
    "filing": Point(
        "an event's envelopes are in the outbox, before COMMIT",
        "jukinet_mq.store.outbox:add",
        command="inject",
        tiers=_BELOW,
    ),
    "filed": Point(
        "an event is committed, nobody has been told",
        "jukinet_mq.cli.bulk:_file",
        command="inject",
        tiers=_BELOW,
    ),
}


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def wrap(place: str, wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put *wrapper* around the function at *place*."""
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *classes, name = path.split(".")
    for cls in classes:
        owner = getattr(owner, cls)
    setattr(owner, name, wrapper(getattr(owner, name)))


def deadly(function: Callable[..., Any], point: Point, times: int) -> Callable[..., Any]:
    """Return *function* with its death at the *times*-th call that counts."""
    left = times

    def strike(arguments: tuple[Any, ...], result: Any) -> None:
        nonlocal left
        if point.counts(arguments, result):
            left -= 1
            if left == 0:
                die()

    @functools.wraps(function)
    async def awaited(*arguments: Any, **named: Any) -> Any:
        if point.before:
            strike(arguments, None)
        result = await function(*arguments, **named)
        if not point.before:
            strike(arguments, result)
        return result

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        strike(arguments, result)
        return result

    return awaited if inspect.iscoroutinefunction(function) else called


_keeping: ContextVar[bool] = ContextVar("keeping", default=False)


def deadly_commit(times: int) -> None:
    """Die when the COMMIT of the *times*-th batch has been sent and not been answered."""
    left = times
    commit = asyncpg.transaction.Transaction.commit

    def keeping(keep: Callable[..., Any]) -> Callable[..., Any]:
        async def kept(*arguments: Any) -> Any:
            _keeping.set(True)
            try:
                return await keep(*arguments)
            finally:
                _keeping.set(False)

        return kept

    async def commit_and_die(transaction: asyncpg.transaction.Transaction) -> None:
        nonlocal left
        outermost = not transaction._nested  # type: ignore[attr-defined]
        if outermost and _keeping.get():
            left -= 1
            if left == 0:
                sending = asyncio.ensure_future(commit(transaction))
                await asyncio.sleep(0)
                die()
                await sending
        await commit(transaction)

    wrap(f"{_WORKER}:keep", keeping)
    asyncpg.transaction.Transaction.commit = commit_and_die  # type: ignore[assignment]


def main() -> None:
    """Wrap the step, then be the program."""
    name, times, separator, *arguments = sys.argv[1:]
    assert separator == "--"
    from jukinet_mq import app, cli  # noqa: PLC0415  # all that a wrapper must find

    assert app is not None
    if name == "committing":
        deadly_commit(int(times))
    else:
        point = POINTS[name]
        wrap(point.place, lambda function: deadly(function, point, int(times)))
    sys.argv = ["jukinet", *arguments]
    cli.main()


if __name__ == "__main__":
    main()
