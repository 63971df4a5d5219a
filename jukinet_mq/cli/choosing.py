"""What an operator names on a desk's command line: by id, or by what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from jukinet_mq.cli import options

if TYPE_CHECKING:
    from datetime import datetime

    from jukinet_mq.nodes import Tier

IdT = TypeVar("IdT")


@dataclass(frozen=True, slots=True)
class Choice(Generic[IdT]):
    """Which envelopes or deliveries an operator has named."""

    tiers: list[Tier] | None
    ids: list[IdT] | None
    node: str | None
    reason: str | None
    kind: str | None
    sender: str | None
    older_than: str | None
    newer_than: str | None

    @property
    def names_something(self) -> bool:
        """Whether anything but the tier was named."""
        return any(
            (self.ids, self.node, self.reason, self.kind, self.sender, self.older_than,
             self.newer_than)
        )  # fmt: skip

    @property
    def ages(self) -> tuple[datetime | None, datetime | None]:
        """Before and after which instant; raises as `options.read_ages`."""
        return options.read_ages(self.older_than, self.newer_than)
