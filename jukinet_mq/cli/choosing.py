"""What an operator names on a desk's command line: by id, or by what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from jukinet_mq.cli import options

if TYPE_CHECKING:
    from datetime import datetime, timedelta

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
    older_than: timedelta | None
    newer_than: timedelta | None

    def __post_init__(self) -> None:
        """Refuse what cannot be: a node of another tier."""
        options.check_place(self.node, self.tiers)

    @property
    def names_something(self) -> bool:
        """Whether anything but the tier was named."""
        return any(
            (self.ids, self.node, self.reason, self.kind, self.sender, self.older_than,
             self.newer_than)
        )  # fmt: skip

    @property
    def ages(self) -> tuple[datetime | None, datetime | None]:
        """Before and after which instant; raises as `options.ages`."""
        return options.ages(self.older_than, self.newer_than)
