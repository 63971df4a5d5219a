"""Steps 1 and 2 of a delivery's way: what may be believed, what is held. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from jukinet_mq.envelope import Delivery, Header, VerifiedEnvelope, digest_of
from jukinet_mq.errors import RejectedError, UntrustedError
from jukinet_mq.messages import IdentityForward
from jukinet_mq.nodes import NATIONAL_NODE, Directory, NodeCode
from jukinet_mq.store.inbox import Arrival, Key
from jukinet_mq.store.quarantine import Held
from jukinet_mq.trust.verification import Verifier


@dataclass(slots=True)
class Judgement:
    """What a batch holds: arrivals to admit, and deliveries to quarantine."""

    arrivals: list[Arrival] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


def judge(
    deliveries: Sequence[Delivery], verifier: Verifier, directory: Directory, *, at: datetime
) -> Judgement:
    """Verify each delivery by itself; a bad one does not touch its neighbours."""
    judgement = Judgement()
    for delivery in deliveries:
        try:
            envelope = verifier.verify(delivery, at=at)
        except (UntrustedError, RejectedError) as error:
            judgement.held.append(Held(delivery, error))
            continue
        judgement.arrivals.append(Arrival(delivery.node, envelope))
        if isinstance(envelope.body, IdentityForward):
            _unwrap(delivery, envelope, envelope.body, verifier, directory, judgement, at=at)
    return judgement


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
        signed = original.encode()
        try:
            envelope = verifier.verify_original(
                signed, forwarded_by=prefecture, node=NATIONAL_NODE, at=at
            )
        except (UntrustedError, RejectedError) as error:
            judgement.held.append(Held(delivery.carrying(signed), error))
        else:
            judgement.arrivals.append(
                Arrival(delivery.node, envelope, carried_by=forward.header.id)
            )


def answerable(held: Held) -> tuple[Key, bytes] | None:
    """Say whom a rejection can be told, and about which bytes; None where nobody is known.

    After a valid signature the sender is known. Before it, only the login that the broker has
    proved is, and only if the envelope claims to be that login's.
    """
    delivery, facts = held.delivery, held.error.facts
    header = facts.get("header")
    if isinstance(header, Header):
        return Key(header.id, delivery.node, header.sender), digest_of(delivery.signed)
    claimed = facts.get("claimed")
    if delivery.user_id is None:
        return None
    sender = NodeCode(delivery.user_id)
    if isinstance(claimed, Header) and claimed.sender == sender:
        return Key(claimed.id, delivery.node, sender), digest_of(delivery.signed)
    message_id = _uuid(delivery.message_id)
    if message_id is None:
        return None
    return Key(message_id, delivery.node, sender), digest_of(delivery.signed)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text)
    except (TypeError, ValueError, AttributeError):
        return None
