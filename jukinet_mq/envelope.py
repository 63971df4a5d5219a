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
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from jukinet_mq import strict_json
from jukinet_mq.errors import MalformedEnvelopeError
from jukinet_mq.messages.body import broken_rule
from jukinet_mq.messages.fields import Id, Instant
from jukinet_mq.nodes import NodeCode
from jukinet_mq.routing import SEQUENCE_MAX

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
        sequence: Gapless counter per (sender, recipient, plane), from 1 to `SEQUENCE_MAX`.
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
class Undecodable:
    """AMQP properties that could not be decoded.

    Attributes:
        what: What is wrong with them, for an operator; repeats nothing of them.
        raw: Their bytes.
    """

    what: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One arrival of an envelope at a node, as the broker handed it over; nothing is believed.

    Attributes:
        node: The node whose queue it came from.
        user_id: The login that RabbitMQ has proved, if the property was set.
        undecodable: Set where the properties could not be decoded; those here are None then.
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
    undecodable: Undecodable | None = None

    def carrying(self, signed: bytes) -> Delivery:
        """Return this delivery as the one that brought *signed*, an original inside it."""
        return replace(self, signed=signed)


def _in_range(sequence: str) -> str:
    if not 1 <= int(sequence) <= SEQUENCE_MAX:
        raise broken_rule(f"sequence must lie between 1 and {SEQUENCE_MAX}")
    return sequence


_Code = Annotated[str, StringConstraints(pattern=r"^([0-9]{6}|jlis)$")]


class CloudEvent(BaseModel):
    """The JWS payload: CloudEvents 1.0.2 JSON format with the sequence and tracing extensions."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )

    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    id: Id
    """Fixed at the business event: every retry and resend carries the same."""
    source: _Code
    """Node code of the sender, who signed."""
    subject: _Code
    """Node code of the recipient."""
    type: Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*\.v[1-9][0-9]{0,3}$")]
    """Kind and version of the body."""
    time: Instant
    """Instant of the business event; orders a resident's updates."""
    dataschema: Annotated[str, StringConstraints(pattern=r"^urn:jukinet-mq:schema:")]
    """Identifier of the schema that the body meets once it is opened."""
    datacontenttype: Literal["application/json", "application/jose+json"]
    """The body itself, or a JWE of it."""
    sequence: Annotated[
        str, StringConstraints(pattern=r"^00000[0-9]{15}$"), AfterValidator(_in_range)
    ]
    """Gapless counter per sender, recipient and plane, from 1 to 999,999,999,999,999."""
    traceparent: Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")]
    """W3C trace context; its trace id is the id of the business event."""
    data: dict[str, Any]
    """The body, or the JWE (RFC 7516 section 7.2.1) that holds it."""


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
            "time": header.time.astimezone(UTC),
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
        strict_json.read_object(payload)
        event = CloudEvent.model_validate_json(payload)
    except ValidationError as error:
        raise MalformedEnvelopeError(
            f"the signed content is no CloudEvent as published; wrong: {_wrong(error)}"
        ) from None
    except ValueError as error:
        raise MalformedEnvelopeError(
            f"the signed content is no CloudEvent as published: {error}"
        ) from None
    kind, _, version = event.type.rpartition(".v")
    header = Header(
        id=event.id,
        kind=kind,
        version=int(version),
        sender=NodeCode(event.source),
        recipient=NodeCode(event.subject),
        sequence=int(event.sequence),
        time=event.time,
        event_id=UUID(event.traceparent[3:35]),
    )
    return header, event


def _wrong(error: ValidationError) -> str:
    """Name the attributes; one that the sender made up is not repeated."""
    attributes = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
    known = sorted(attributes & CloudEvent.model_fields.keys())
    others = ["(unknown attribute)"] if attributes - CloudEvent.model_fields.keys() else []
    return ", ".join(known + others)
