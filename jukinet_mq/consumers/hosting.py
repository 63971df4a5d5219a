"""Which nodes of a process can work: whose keys can be read and are valid now.

A node whose keys fail waits: its queue is not consumed and nothing is signed for it. What others
do goes on, and the node is taken up again when its keys are mended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from jukinet_mq import telemetry
from jukinet_mq.errors import NodeKeyError
from jukinet_mq.nodes import NodeCode

T = TypeVar("T")
LOOKED_AT_ONCE: Final = 50
"""Nodes whose files are read in one go, which takes some 50 ms where all have changed."""


class Hosting:
    """The nodes of one tier that wait for their keys.

    Args:
        check: Raises NodeKeyError when a node can neither sign nor open now; reads its files
            again when they have changed.
        everybody: All nodes of the tier.
    """

    def __init__(self, check: Callable[[NodeCode], None], everybody: Sequence[NodeCode]) -> None:
        self._check = check
        self._everybody = everybody
        self._waiting: dict[NodeCode, NodeKeyError] = {}
        self._listeners: list[Callable[[], None]] = []

    @property
    def waiting(self) -> Mapping[NodeCode, NodeKeyError]:
        """The nodes that wait, and why."""
        return MappingProxyType(self._waiting)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call *listener* whenever a node begins or ends to wait."""
        self._listeners.append(listener)

    async def look(self, nodes: Iterable[NodeCode]) -> None:
        """Check *nodes* and all that wait, letting other work in between."""
        wanted = [*{*nodes, *self._waiting}]
        for start in range(0, len(wanted), LOOKED_AT_ONCE):
            self.check(wanted[start : start + LOOKED_AT_ONCE])
            await asyncio.sleep(0)

    def check(self, nodes: Iterable[NodeCode]) -> None:
        """Find out which of *nodes* must wait, and which need not any more."""
        for node in nodes:
            try:
                self._check(node)
            except NodeKeyError as error:
                self._suspend(node, error)
            else:
                self._resume(node)

    def suspend(self, error: NodeKeyError) -> None:
        """Let the node wait whose key has failed while it was used.

        Raises:
            NodeKeyError: The very *error*, if it names no node of this tier.
        """
        node = NodeCode(error.node or "")
        if node not in self._everybody:
            raise error
        self._suspend(node, error)

    def able(self, nodes: Sequence[NodeCode] | None) -> Sequence[NodeCode] | None:
        """Return those of *nodes* (all of the tier: None) that do not wait; None for all."""
        if not self._waiting:
            return nodes
        return [n for n in (self._everybody if nodes is None else nodes) if n not in self._waiting]

    async def work(
        self,
        nodes: Sequence[NodeCode] | None,
        work: Callable[[Sequence[NodeCode] | None], Awaitable[T]],
    ) -> T:
        """Do *work*, which signs or opens, for those of *nodes* (all: None) that can.

        When it meets a node whose key fails all the same, it is done again without that node.

        Raises:
            NodeKeyError: It was done for a node that it was not given.
        """
        while True:
            left_out = set(self._waiting)
            try:
                return await work(self.able(nodes))
            except NodeKeyError as error:
                if error.node in left_out:
                    raise
                self.suspend(error)

    def _suspend(self, node: NodeCode, error: NodeKeyError) -> None:
        known = self._waiting.get(node)
        self._waiting[node] = error
        if known is None or known.reason != error.reason:
            telemetry.emit(
                telemetry.NODE_SUSPENDED, node=node, reason=error.reason, error=str(error)
            )
        if known is None:
            self._tell()

    def _resume(self, node: NodeCode) -> None:
        if self._waiting.pop(node, None) is not None:
            telemetry.emit(telemetry.NODE_RESUMED, node=node)
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
