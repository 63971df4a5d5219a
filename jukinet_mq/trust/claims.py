"""Envelopes taken apart and held against the published form, before anything is believed."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from jukinet_mq import envelope
from jukinet_mq.envelope import CloudEvent, Delivery, Header
from jukinet_mq.errors import (
    MalformedEnvelopeError,
    OversizedDeliveryError,
    PropertyMismatchError,
    SenderMismatchError,
    UndecodableCarriageError,
    UnknownKindError,
)
from jukinet_mq.messages import Kind, find_kind
from jukinet_mq.routing import RoutingKey
from jukinet_mq.trust import signing


@dataclass(frozen=True, slots=True)
class Claim:
    """An envelope taken apart: what it says, believed by nobody yet.

    Attributes:
        data: The CloudEvent's `data` as JSON text.
    """

    signed: bytes
    compact: signing.Compact
    header: Header
    event: CloudEvent
    data: bytes


def take_apart(signed: bytes) -> Claim:
    """Read *signed* strictly: check 1 of a verification.

    Raises:
        OversizedDeliveryError: More than 256 KiB.
        MalformedEnvelopeError: No JWS compact of a CloudEvent as published, or one that two
            readers could read as two things.
    """
    if len(signed) > envelope.SIZE_MAX:
        raise OversizedDeliveryError(
            f"the delivery has {len(signed)} bytes; at most {envelope.SIZE_MAX} are allowed"
        )
    compact = signing.read(signed)
    header, event = envelope.decode(compact.payload)
    return Claim(signed, compact, header, event, orjson.dumps(event.data))


def known_kind(claim: Claim) -> Kind:
    """Return the catalogue's kind of *claim*: check 2 of a verification.

    Raises:
        UnknownKindError: Kind or version is not in the catalogue.
        MalformedEnvelopeError: The attributes are not this kind's.
    """
    header, event = claim.header, claim.event
    kind = find_kind(header.kind, header.version)
    if kind is None:
        raise UnknownKindError(
            f"envelope {header.id} is of a kind or version that is not in the catalogue: "
            f"{envelope.type_name(header.kind, header.version)[:80]}. If the sender runs a newer "
            "release, upgrade this node and run `jukinet quarantine replay --reason kind_unknown`."
        )
    expected = (
        envelope.schema_urn(kind.name, kind.version),
        envelope.SEALED if kind.sealed else envelope.PLAIN,
    )
    if (event.dataschema, event.datacontenttype) != expected:
        raise MalformedEnvelopeError(
            f"envelope {header.id}: expected dataschema {expected[0]} and datacontenttype "
            f"{expected[1]}"
        )
    return kind


def check_decoded(delivery: Delivery) -> None:
    """Refuse a delivery whose AMQP properties cannot be read: check 0 of a verification.

    Raises:
        UndecodableCarriageError: Text in another encoding than UTF-8, for example.
    """
    if delivery.undecodable is not None:
        raise UndecodableCarriageError(
            f"the AMQP properties cannot be decoded ({delivery.undecodable.what}). Its publisher "
            "must write them as the published wire format says, and publish the envelope again."
        )


def check_carriage(delivery: Delivery, header: Header, kind: Kind) -> None:
    """Hold what carried an envelope against its signed header: check 5 of a verification.

    Raises:
        SenderMismatchError: Routing key or proved login name another sender or recipient.
        PropertyMismatchError: Exchange or an AMQP property says something else.
    """
    routing_key = str(RoutingKey(header.recipient, header.sender, header.kind))
    if delivery.routing_key != routing_key:
        found = RoutingKey.parse(delivery.routing_key)
        raise SenderMismatchError(
            f"envelope {header.id} came by routing key {found}; its signed content says "
            f"{routing_key}"
        )
    if delivery.user_id != header.sender:
        raise SenderMismatchError(
            f"envelope {header.id} of node {header.sender} was published by another login"
            if delivery.user_id
            else f"envelope {header.id} came without user_id; the broker has proved no login"
        )
    expected = {
        "exchange": kind.plane.exchange,
        "message_id": str(header.id),
        "type": envelope.type_name(header.kind, header.version),
        "content_type": envelope.CONTENT_TYPE,
    }
    for name, value in expected.items():
        if getattr(delivery, name) != value:
            raise PropertyMismatchError(
                f"envelope {header.id}: AMQP {name} is not {value}, as its signed content says"
            )
