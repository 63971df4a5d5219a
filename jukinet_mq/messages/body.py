"""What every body is: a strict, frozen record that knows who may say it to whom.

A new kind is one subclass with its class variables, one line in `catalogue.py` and
`make generate`; schemas, bindings, permissions and the shared tests follow from these.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from jukinet_mq.retry import Patience, RetryPolicy

if TYPE_CHECKING:
    from datetime import date

    from jukinet_mq.errors import RejectedError
    from jukinet_mq.nodes import Node, Tier
    from jukinet_mq.routing import Plane


class Reader(StrEnum):
    """Who may open a sealed body."""

    RECIPIENT = "recipient"
    NATIONAL = "national"


class Keeper(StrEnum):
    """Who archives an envelope and answers with receipts."""

    RECIPIENT = "recipient"
    SENDER_PREFECTURE = "sender_prefecture"
    RECIPIENT_PREFECTURE = "recipient_prefecture"
    NATIONAL = "national"
    NATIONAL_BY_FORWARD = "national_by_forward"
    """J-LIS, which gets the envelope inside the prefecture's forward and binds nothing."""


class Travel(StrEnum):
    """Between which nodes of the sender's and the recipient's tiers a kind may travel."""

    UPWARD = "upward"
    """Only to the node that the sender answers to."""
    ACROSS = "across"
    """To any other node of the recipient's tier."""
    BACK = "back"
    """From a node that may keep something of the recipient's, to that recipient."""
    ASKING = "asking"
    """Between two nodes of which one may keep something of the other's."""


class Record(BaseModel):
    """A frozen, strict part of a body; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class Body(Record):
    """What happened: the content of an envelope.

    Subclasses set the class variables; those without a default must be set.

    Attributes:
        kind: Stable public name, lower case with hyphens.
        version: Grows with every change that an older reader would refuse or misread.
        readers: Who may open it; empty where it is not sealed.
        keepers: Who archives it and answers with receipts.
        actors: Which of the keepers answer `processed` in the end; the others say `kept`.
        retry: When a keeper whose handling failed tries again.
        patience: When a sender without receipts resends. Nothing on the receipt plane is
            answered, so there nobody waits.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    plane: ClassVar[Plane]
    sender_tiers: ClassVar[frozenset[Tier]]
    recipient_tiers: ClassVar[frozenset[Tier]]
    travel: ClassVar[Travel]
    readers: ClassVar[tuple[Reader, ...]]
    keepers: ClassVar[tuple[Keeper, ...]]
    actors: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    patience: ClassVar[Patience] = Patience()

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Hold the body against its header: does it speak of these two nodes?

        Raises:
            RejectedError: The subclass that names what disagrees.
        """

    def check_dates(self, *, today: date) -> None:
        """Hold the body's dates against the publisher's day in Japan.

        Not part of the schema: what was in the future when it was published is not
        malformed when it is read back from an archive.

        Raises:
            ImpossibleDateError: A date lies in the future where its meaning forbids that.
        """

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """Return a valid body about nobody: numbers of the documented test ranges only."""

    def dump_json(self) -> bytes:
        """Return the body as compact UTF-8 JSON; a field that has no value is left out."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


def broken_rule(text: str) -> PydanticCustomError:
    """Return the error of a rule between fields; *text* names fields, never values."""
    return PydanticCustomError("rule_broken", "{text}", {"text": text})


def refused_by(cause: RejectedError) -> PydanticCustomError:
    """Return *cause* in pydantic's form, so that it arrives with the path of its field."""
    return PydanticCustomError("refused", "{text}", {"text": str(cause), "cause": cause})
