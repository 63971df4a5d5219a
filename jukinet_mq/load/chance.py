"""Drawing from shares: one random number and one bisection per draw."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from jukinet_mq.errors import InvariantError

_Item = TypeVar("_Item")


class Urn(Generic[_Item]):
    """Items to draw with replacement, each as often as its weight says."""

    __slots__ = ("_items", "_limits", "_total")

    def __init__(self, weighted: Iterable[tuple[_Item, float]]) -> None:
        """Take items with their weights; what weighs nothing is never drawn."""
        kept = [(item, weight) for item, weight in weighted if weight > 0]
        if not kept:
            raise InvariantError("nothing to draw from: no item has a weight above 0")
        self._items = [item for item, _ in kept]
        self._limits = list(accumulate(weight for _, weight in kept))
        self._total = self._limits[-1]
        self._limits.pop()  # what rounding pushes to the very end is the last item's

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return self._total

    def draw(self, random: Random) -> _Item:
        """Return one item."""
        return self._items[bisect_right(self._limits, random.random() * self._total)]
