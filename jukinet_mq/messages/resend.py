"""The receipt plane: what a keeper asks for when numbers are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, StringConstraints

from jukinet_mq.errors import NotItsKeeperError
from jukinet_mq.messages.body import Body, Keeper, Reader, Travel, broken_rule
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import SEQUENCE_MAX, Plane, prefecture_word

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node

NUMBERS_MAX: Final = 1_000
"""Numbers in one request; a wider gap is asked for in several."""


def _distinct(numbers: list[int]) -> list[int]:
    if len(set(numbers)) < len(numbers):
        raise broken_rule("numbers names a number twice; name each once")
    return numbers


NodeText = Annotated[str, StringConstraints(pattern=r"^([0-9]{6}|jlis)$")]
Number = Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]


class ResendRequest(Body):
    """Let me have these numbers again: the same envelopes, byte for byte.

    A keeper says it to the sender of numbers that it has not got. It carries no personal data,
    and is answered by nothing but the envelopes themselves.
    """

    kind: ClassVar[str] = "resend-request"
    plane: ClassVar[Plane] = Plane.RECEIPT
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset(Tier)
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset(Tier)
    travel: ClassVar[Travel] = Travel.ASKING
    readers: ClassVar[tuple[Reader, ...]] = ()
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)

    about: Plane
    """Plane whose numbers are missing."""
    addressee: NodeText
    """Node to which the missing envelopes are addressed: the one who asks, or on the relocation
    plane another one, of whose envelopes the one who asks keeps the evidence."""
    numbers: Annotated[
        list[Number],
        AfterValidator(_distinct),
        Field(min_length=1, max_length=NUMBERS_MAX, json_schema_extra={"uniqueItems": True}),
    ]
    """Exactly the sequence numbers that are missing, in ascending order."""

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Hold the question against who asks: only a keeper may, and only for its own copy.

        Raises:
            NotItsKeeperError: The sender keeps nothing that the recipient says to the addressee.
        """
        if self.addressee == sender.code:
            return
        nearby = (recipient.prefecture, prefecture_word(self.addressee))
        evidence = self.about is Plane.RELOCATION and (
            sender.tier is Tier.NATIONAL
            or (sender.tier is Tier.PREFECTURE and sender.prefecture in nearby)
        )
        if not evidence:
            raise NotItsKeeperError(
                f"{sender.code} keeps nothing of the {self.about.value} plane that "
                f"{recipient.code} says to {self.addressee}"
            )

    @classmethod
    def example(cls) -> Self:
        """Return a valid request; Tokyo (130001) would say it to Chiyoda (131016)."""
        return cls(about=Plane.IDENTITY, addressee="130001", numbers=[4711, 4712])
