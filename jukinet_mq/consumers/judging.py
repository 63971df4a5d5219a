"""Steps 1 and 2 of a delivery's way: what may be believed, what is held. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from jukinet_mq.envelope import Delivery, Header, VerifiedEnvelope, digest_of
from jukinet_mq.errors import (
    ConfigurationError,
    RejectedError,
    SenderMismatchError,
    UnprocessableDeliveryError,
    UntrustedError,
    summary,
)
from jukinet_mq.messages import IdentityForward
from jukinet_mq.nodes import NATIONAL_NODE, Directory, Node, NodeCode
from jukinet_mq.routing import Plane
from jukinet_mq.store.inbox import Arrival, Key
from jukinet_mq.store.quarantine_intake import Held
from jukinet_mq.trust.verification import Verifier


@dataclass(slots=True)
class Judgement:
    """What a batch holds: arrivals to admit, and deliveries to quarantine."""

    arrivals: list[Arrival] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


def judge(
    deliveries: Sequence[Delivery], verifier: Verifier, directory: Directory, *, at: datetime
) -> Judgement:
    """Verify each delivery by itself; a bad one does not touch its neighbours.

    Raises:
        ConfigurationError: A hosted node's private key cannot be used.
    """
    judgement = Judgement()
    for delivery in deliveries:
        try:
            envelope = verifier.verify(delivery, at=at)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this delivery's alone
            judgement.held.append(Held(delivery, untrusted(error)))
            continue
        judgement.arrivals.append(Arrival(delivery.node, envelope, brought_by=delivery))
        if isinstance(envelope.body, IdentityForward):
            _unwrap(delivery, envelope, envelope.body, verifier, directory, judgement, at=at)
    return judgement


def untrusted(error: Exception) -> UntrustedError | RejectedError:
    """Return *error* if it is a verdict about a delivery, else one that says where it came up."""
    if isinstance(error, UntrustedError | RejectedError):
        return error
    return UnprocessableDeliveryError(
        f"{summary(error)}: this program has failed on this delivery alone, and would again. "
        "Report it with its bytes (`jukinet quarantine show` with --save); after an upgrade run "
        "`jukinet quarantine replay --reason delivery_unprocessable`."
    )


def _unwrap(
    delivery: Delivery,
    forward: VerifiedEnvelope,
    body: IdentityForward,
    verifier: Verifier,
    directory: Directory,
    judgement: Judgement,
    *,
    at: datetime,
) -> None:
    """Let each original of a forward arrive by itself, proved by its own signature."""
    prefecture = directory.node(forward.header.sender)
    for original in body.originals:
        _judge_original(
            delivery, original.encode(), forward.header.id, prefecture, verifier, judgement, at=at
        )


def judge_original(
    delivery: Delivery, carried_by: UUID, verifier: Verifier, directory: Directory, *, at: datetime
) -> Judgement:
    """Verify an original alone that the forward *carried_by* had brought, and was held.

    What carried the forward was proved when the forward was kept: its login is its prefecture.
    """
    judgement = Judgement()
    prefecture = directory.node(delivery.user_id or "")
    _judge_original(delivery, delivery.signed, carried_by, prefecture, verifier, judgement, at=at)
    return judgement


def _judge_original(
    delivery: Delivery,
    signed: bytes,
    carried_by: UUID,
    prefecture: Node,
    verifier: Verifier,
    judgement: Judgement,
    *,
    at: datetime,
) -> None:
    try:
        envelope = verifier.verify_original(
            signed, forwarded_by=prefecture, node=NATIONAL_NODE, at=at
        )
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `judge`
        judgement.held.append(Held(delivery.carrying(signed), untrusted(error), carried_by))
    else:
        judgement.arrivals.append(
            Arrival(delivery.node, envelope, carried_by=carried_by, brought_by=delivery)
        )


def answerable(held: Held) -> tuple[Key, bytes] | None:
    """Say whom a rejection can be told, and about which bytes; None where nobody is known.

    The sender is known after a valid signature, or where the broker has proved the login that
    the envelope claims. A good envelope that another login has sent again is not the sender's
    doing, and is not answered; nor is anything on the receipt plane.
    """
    delivery, facts = held.delivery, held.error.facts
    if delivery.exchange == Plane.RECEIPT.exchange:
        return None
    digest = digest_of(delivery.signed)
    header = facts.get("header", facts.get("claimed"))
    if isinstance(header, Header):
        signed_so = "header" in facts and not isinstance(held.error, SenderMismatchError)
        if signed_so or delivery.user_id == header.sender:
            return Key(header.id, delivery.node, header.sender), digest
        return None
    message_id = _uuid(delivery.message_id)
    if delivery.user_id is None or message_id is None:
        return None
    return Key(message_id, delivery.node, NodeCode(delivery.user_id)), digest


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, ValueError, AttributeError):
        return None
