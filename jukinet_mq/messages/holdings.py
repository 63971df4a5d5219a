"""The receipt plane: the consistency check (整合性確認) of what keepers hold of a municipality.

A digest over a span lets both sides agree on a thousand envelopes with 32 bytes; only a span
whose digests differ is spelt out. No message holds personal data: numbers, ids and digests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from jukinet_mq.errors import NotItsKeeperError
from jukinet_mq.messages.body import Body, Keeper, Reader, Record, Travel, broken_rule
from jukinet_mq.messages.fields import Id
from jukinet_mq.messages.resend import Number
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node

SPAN_NUMBERS_MAX: Final = 1_000
"""Numbers in one span; spelt out, they take at most some 230 of the 256 KiB once signed."""
SPANS_MAX: Final = 200
"""Spans in one request."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Span(Record):
    """Numbers from `first` to `last`, both included."""

    first: Number
    """Lowest number."""
    last: Number
    """Highest number; at most 999 above the lowest."""

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        if not self.first <= self.last < self.first + SPAN_NUMBERS_MAX:
            raise broken_rule(f"last must lie 0 to {SPAN_NUMBERS_MAX - 1} above first")
        return self


class Holding(Record):
    """What a keeper holds under one number."""

    sequence: Number
    """The number."""
    message_id: Id
    """Id of the envelope."""
    digest: Digest
    """SHA-256 over the signed bytes as they lie in the archive, lower-case hexadecimal."""
    in_effect: bool
    """Whether the register's history has it, and the register itself shows it or a later one."""


class SpanHoldings(Span):
    """What a keeper holds of one span."""

    count: Annotated[int, Field(ge=0, le=SPAN_NUMBERS_MAX)]
    """How many identity updates it holds."""
    digest: Digest
    """SHA-256 over them in ascending order of their numbers, for each: the number (8 bytes, big
    endian), the id (16 bytes), the SHA-256 of the signed bytes (32 bytes), and one byte, 01 if
    in effect and else 00."""
    holdings: Annotated[list[Holding], Field(max_length=SPAN_NUMBERS_MAX)] | None = None
    """Each of them, ascending; only where that was asked for."""


class HoldingsRequest(Body):
    """What do you hold of my identity updates? A municipality asks its prefecture and J-LIS."""

    kind: ClassVar[str] = "holdings-request"
    plane: ClassVar[Plane] = Plane.RECEIPT
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.PREFECTURE, Tier.NATIONAL})
    travel: ClassVar[Travel] = Travel.ASKING
    readers: ClassVar[tuple[Reader, ...]] = ()
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)

    spans: Annotated[list[Span], Field(min_length=1, max_length=SPANS_MAX)]
    """Which numbers of the sender to its prefecture, on the identity plane."""
    spelt_out: bool
    """Whether each envelope is to be named; then there is one span."""

    @model_validator(mode="after")
    def _spells_out_one_span(self) -> Self:
        if self.spelt_out and len(self.spans) > 1:
            raise broken_rule("spelt_out is for one span; ask for each by itself")
        return self

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Let a municipality ask only who holds its updates.

        Raises:
            NotItsKeeperError: The recipient is another prefecture.
        """
        if recipient.tier is Tier.PREFECTURE and recipient.prefecture != sender.prefecture:
            raise NotItsKeeperError(f"{recipient.code} holds no updates of {sender.code}")

    @classmethod
    def example(cls) -> Self:
        """Return a valid request; Chiyoda (131016) would say it to Tokyo (130001)."""
        return cls(spans=[Span(first=1, last=1000), Span(first=1001, last=1204)], spelt_out=False)


class HoldingsAnswer(Body):
    """What a keeper holds of a municipality's identity updates, signed by the keeper."""

    kind: ClassVar[str] = "holdings-answer"
    plane: ClassVar[Plane] = Plane.RECEIPT
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.PREFECTURE, Tier.NATIONAL})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    travel: ClassVar[Travel] = Travel.BACK
    readers: ClassVar[tuple[Reader, ...]] = ()
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)

    request_id: Id
    """Id of the `holdings-request` that this answers."""
    spans: Annotated[list[SpanHoldings], Field(min_length=1, max_length=SPANS_MAX)]
    """The spans asked for, in that order."""

    @model_validator(mode="after")
    def _spells_out_one_span(self) -> Self:
        if len(self.spans) > 1 and any(span.holdings is not None for span in self.spans):
            raise broken_rule("holdings stand in an answer about one span only")
        return self

    @classmethod
    def example(cls) -> Self:
        """Return a valid answer; Tokyo (130001) would say it to Chiyoda (131016)."""
        return cls(
            request_id=UUID("019d3a10-6c00-7000-8000-000000000001"),
            spans=[
                SpanHoldings(
                    first=1001,
                    last=1204,
                    count=1,
                    digest="0" * 64,
                    holdings=[
                        Holding(
                            sequence=1001,
                            message_id=UUID("019d3a10-6c00-7000-8000-000000000002"),
                            digest="1" * 64,
                            in_effect=True,
                        )
                    ],
                )
            ],
        )
