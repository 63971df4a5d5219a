"""Who says what to whom, when and in which order: the three states of an envelope.

An `Envelope` is what a node means to say, a `SignedEnvelope` the exact bytes it says, a
`VerifiedEnvelope` what a keeper may believe. The bytes are one JWS compact (RFC 7515) whose
payload is one CloudEvent 1.0 in JSON; they are never serialised a second time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from jukinet_mq.errors import MalformedEnvelopeError
from jukinet_mq.nodes import NodeCode

if TYPE_CHECKING:
    from jukinet_mq.messages import Body
    from jukinet_mq.routing import Plane

SIZE_MAX: Final = 256 * 1024
"""Bytes. No signed envelope may be larger; RabbitMQ 4 itself stops at 16 MiB."""

CONTENT_TYPE: Final = "application/jose"
PLAIN: Final = "application/json"
SEALED: Final = "application/jose+json"


@dataclass(frozen=True, slots=True)
class Header:
    """The attributes that travel in the clear, signed.

    Attributes:
        id: Fixed at the business event; every retry and resend carries the same.
        kind: Stable name of the body's type, for example `move-in-notice`.
        sequence: Gapless counter per (sender, recipient, plane), from 1.
        time: Instant of the business event, aware UTC; orders a resident's updates.
        event_id: The business event that this envelope belongs to; also the trace id.
    """

    id: UUID
    kind: str
    version: int
    sender: NodeCode
    recipient: NodeCode
    sequence: int
    time: datetime
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a node means to say: header and body, not yet sealed, not yet signed."""

    header: Header
    body: Body


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """The exact bytes that a node says, with what the relay needs to route them."""

    header: Header
    plane: Plane
    routing_key: str
    signed: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 over the signed bytes: what a receipt speaks of."""
        return digest_of(self.signed)


@dataclass(frozen=True, slots=True)
class VerifiedEnvelope:
    """What a keeper may believe; only `trust.verification` makes one.

    Attributes:
        body: The body where this node is a reader; None where it keeps a sealed
            envelope as evidence only.
        digest: SHA-256 over `signed`.
        key_id: The enrolled key that signed.
    """

    header: Header
    plane: Plane
    signed: bytes
    digest: bytes
    key_id: str
    body: Body | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of an envelope at a node, as the broker handed it over; nothing is believed.

    Attributes:
        node: The node whose queue it came from.
        user_id: The login that RabbitMQ has proved, if the property was set.
    """

    node: NodeCode
    signed: bytes
    exchange: str
    routing_key: str
    user_id: str | None
    message_id: str | None
    type: str | None
    content_type: str | None
    received_at: datetime
    redelivered: bool = False

    def carrying(self, signed: bytes) -> Delivery:
        """Return this delivery as the one that brought *signed*, an original inside it."""
        return replace(self, signed=signed)


class CloudEvent(BaseModel):
    """The JWS payload: CloudEvents 1.0.2 JSON format with the sequence and tracing extensions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    specversion: Literal["1.0"]
    id: UUID
    source: Annotated[str, StringConstraints(pattern=r"^(\d{6}|jlis)$")]
    subject: Annotated[str, StringConstraints(pattern=r"^(\d{6}|jlis)$")]
    type: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*\.v[1-9]\d{0,3}$")]
    time: datetime
    dataschema: str
    datacontenttype: Literal["application/json", "application/jose+json"]
    sequence: Annotated[str, StringConstraints(pattern=r"^\d{20}$")]
    traceparent: Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")]
    data: dict[str, Any]


def digest_of(signed: bytes) -> bytes:
    """Return the SHA-256 of an envelope's signed bytes."""
    return hashlib.sha256(signed).digest()


def type_name(kind: str, version: int) -> str:
    """Return the CloudEvent `type`, also the AMQP `type` property."""
    return f"{kind}.v{version}"


def schema_urn(kind: str, version: int) -> str:
    """Return the CloudEvent `dataschema` of a kind and version."""
    return f"urn:jukinet-mq:schema:{kind}:v{version}"


def encode(header: Header, data: bytes | dict[str, Any], *, sealed: bool) -> bytes:
    """Return the CloudEvent as UTF-8 JSON, ready to be signed.

    Args:
        header: The attributes.
        data: The body as JSON text, or the JWE object (RFC 7516 §7.2) when *sealed*.
        sealed: Whether *data* is a JWE.
    """
    event_hex = header.event_id.hex
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(header.id),
            "source": header.sender,
            "subject": header.recipient,
            "type": type_name(header.kind, header.version),
            "time": header.time,
            "dataschema": schema_urn(header.kind, header.version),
            "datacontenttype": SEALED if sealed else PLAIN,
            "sequence": f"{header.sequence:020d}",
            "traceparent": f"00-{event_hex}-{header.id.hex[16:]}-01",
            "data": orjson.Fragment(data) if isinstance(data, bytes) else data,
        },
        option=orjson.OPT_UTC_Z,
    )


def decode(payload: bytes) -> tuple[Header, CloudEvent]:
    """Read a verified JWS payload back.

    Raises:
        MalformedEnvelopeError: Not a CloudEvent of ours; names the attributes that are wrong.
    """
    try:
        event = CloudEvent.model_validate_json(payload)
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in e["loc"][:1]) for e in error.errors()})
        raise MalformedEnvelopeError(
            f"the signed content is no CloudEvent as published; wrong: {', '.join(fields) or '-'}"
        ) from None
    kind, _, version = event.type.rpartition(".v")
    if event.time.utcoffset() is None:
        raise MalformedEnvelopeError("the signed content's time has no offset from UTC")
    header = Header(
        id=event.id,
        kind=kind,
        version=int(version),
        sender=NodeCode(event.source),
        recipient=NodeCode(event.subject),
        sequence=int(event.sequence),
        time=event.time.astimezone(UTC),
        event_id=UUID(event.traceparent[3:35]),
    )
    return header, event
