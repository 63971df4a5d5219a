"""Every kind there is, and what follows from a kind: readers, keepers, where it may travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, assert_never

from jukinet_mq.messages.body import Body, Keeper, Reader, Travel
from jukinet_mq.messages.certificate import MoveOutCertificate
from jukinet_mq.messages.holdings import HoldingsAnswer, HoldingsRequest
from jukinet_mq.messages.identity import IdentityForward, IdentityUpdate, MoveOutConfirmation
from jukinet_mq.messages.receipt import ReceiptLevel, ReceiptNotice
from jukinet_mq.messages.relocation import MoveInNotice, MoveOutCertificateRequest
from jukinet_mq.messages.resend import ResendRequest
from jukinet_mq.nodes import NATIONAL_NODE, Directory, Node, NodeCode, Tier
from jukinet_mq.routing import Plane

if TYPE_CHECKING:
    from jukinet_mq.retry import Patience, RetryPolicy


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version: what the program knows of its body class."""

    name: str
    version: int
    body: type[Body]
    plane: Plane
    sender_tiers: frozenset[Tier]
    recipient_tiers: frozenset[Tier]
    travel: Travel
    readers: tuple[Reader, ...]
    keepers: tuple[Keeper, ...]
    actors: tuple[Keeper, ...]
    retry: RetryPolicy
    patience: Patience

    @property
    def answered(self) -> bool:
        """Whether its keepers owe receipts; nothing on the receipt plane is answered."""
        return self.plane is not Plane.RECEIPT

    @property
    def sealed(self) -> bool:
        """Whether its body travels sealed."""
        return bool(self.readers)

    @classmethod
    def of(cls, body: type[Body]) -> Kind:
        """Return the kind that a body class declares."""
        return cls(
            name=body.kind,
            version=body.version,
            body=body,
            plane=body.plane,
            sender_tiers=body.sender_tiers,
            recipient_tiers=body.recipient_tiers,
            travel=body.travel,
            readers=body.readers,
            keepers=body.keepers,
            actors=body.actors,
            retry=body.retry,
            patience=body.patience,
        )


CATALOGUE: Final[tuple[Kind, ...]] = (
    Kind.of(IdentityUpdate),
    Kind.of(IdentityForward),
    Kind.of(MoveOutConfirmation),
    Kind.of(MoveInNotice),
    Kind.of(MoveOutCertificate),
    Kind.of(MoveOutCertificateRequest),
    Kind.of(ReceiptNotice),
    Kind.of(ResendRequest),
    Kind.of(HoldingsRequest),
    Kind.of(HoldingsAnswer),
)

_BY_NAME: Final = {(kind.name, kind.version): kind for kind in CATALOGUE}


def find_kind(name: str, version: int) -> Kind | None:
    """Return the kind of this name and version, or None."""
    return _BY_NAME.get((name, version))


def kind_of(body: Body) -> Kind:
    """Return the kind of a body."""
    return _BY_NAME[body.kind, body.version]


def readers_of(
    kind: Kind,
    recipient: Node,
    directory: Directory,  # noqa: ARG001
) -> tuple[NodeCode, ...]:
    """Return the nodes that may open a sealed envelope to *recipient*; none if not sealed."""
    return tuple(_reader(reader, recipient) for reader in kind.readers)


def keepers_of(
    kind: Kind, sender: Node, recipient: Node, directory: Directory
) -> tuple[NodeCode, ...]:
    """Return the nodes that archive an envelope and answer with receipts, each once."""
    codes = (_keeper(keeper, sender, recipient, directory) for keeper in kind.keepers)
    return tuple(dict.fromkeys(codes))


@dataclass(frozen=True, slots=True)
class Owed:
    """The receipt that one keeper owes in the end.

    Attributes:
        by_forward: It gets the envelope from another keeper, after that one has processed it.
    """

    keeper: NodeCode
    level: ReceiptLevel
    by_forward: bool


def owed_by(kind: Kind, sender: Node, recipient: Node, directory: Directory) -> tuple[Owed, ...]:
    """Return what the keepers of an envelope owe its sender, each keeper once."""
    if not kind.answered:
        return ()
    owed = {
        code: Owed(
            code,
            ReceiptLevel.PROCESSED if keeper in kind.actors else ReceiptLevel.KEPT,
            by_forward=keeper is Keeper.NATIONAL_BY_FORWARD,
        )
        for keeper in kind.keepers
        for code in [_keeper(keeper, sender, recipient, directory)]
    }
    return tuple(owed.values())


def may_travel(kind: Kind, sender: Node, recipient: Node, directory: Directory) -> bool:
    """Tell whether *sender* may say this kind to *recipient*."""
    if sender.tier not in kind.sender_tiers or recipient.tier not in kind.recipient_tiers:
        return False
    match kind.travel:
        case Travel.UPWARD:
            return directory.parent(sender.code) == recipient
        case Travel.ACROSS:
            return sender != recipient
        case Travel.BACK:
            return _may_keep(sender, of=recipient, directory=directory)
        case Travel.ASKING:
            return _may_keep(sender, of=recipient, directory=directory) or _may_keep(
                recipient, of=sender, directory=directory
            )
        case _:
            assert_never(kind.travel)


def _may_keep(keeper: Node, *, of: Node, directory: Directory) -> bool:
    """Tell whether any kind exists that *of* may say and *keeper* would keep."""
    if of.tier is Tier.MUNICIPALITY:
        return keeper != of
    return directory.parent(of.code) == keeper


def _reader(reader: Reader, recipient: Node) -> NodeCode:
    match reader:
        case Reader.RECIPIENT:
            return recipient.code
        case Reader.NATIONAL:
            return NATIONAL_NODE
        case _:
            assert_never(reader)


def _keeper(keeper: Keeper, sender: Node, recipient: Node, directory: Directory) -> NodeCode:
    match keeper:
        case Keeper.RECIPIENT:
            return recipient.code
        case Keeper.SENDER_PREFECTURE:
            return directory.prefecture_of(sender.code).code
        case Keeper.RECIPIENT_PREFECTURE:
            return directory.prefecture_of(recipient.code).code
        case Keeper.NATIONAL | Keeper.NATIONAL_BY_FORWARD:
            return NATIONAL_NODE
        case _:
            assert_never(keeper)
