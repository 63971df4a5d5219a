"""The AsyncAPI 3.0 document: exchanges, routing keys, kinds, and who says what to whom."""

from __future__ import annotations

from typing import Any, Final

from jukinet_mq.contracts import schemas
from jukinet_mq.envelope import CONTENT_TYPE, SIZE_MAX
from jukinet_mq.messages import CATALOGUE, Body, Kind
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane

_AMQP_BINDING: Final = "0.3.0"
_ADDRESS: Final = "{to_prefecture}.{recipient}.{from_prefecture}.{sender}.{kind}"
_PARAMETERS: Final = {
    "to_prefecture": {
        "description": "Two digits of the recipient's prefecture; 00 for J-LIS.",
        "examples": ["13", "00"],
    },
    "recipient": {
        "description": "Node code of the recipient: six digits, or jlis. Wards are no nodes.",
        "examples": ["130001", "jlis"],
    },
    "from_prefecture": {
        "description": "Two digits of the sender's prefecture; 00 for J-LIS.",
        "examples": ["13"],
    },
    "sender": {
        "description": "Node code of the sender, which is also its login.",
        "examples": ["131016"],
    },
}
_PLANES: Final = {
    Plane.IDENTITY: "Identity information, upward (Act art. 30-6, 30-7; Order art. 13(3)).",
    Plane.RELOCATION: "Moves between municipalities, sealed to the recipient (Act art. 9, 24-2).",
    Plane.RECEIPT: "Signed answers and questions about envelopes; without personal data.",
}


def document() -> dict[str, Any]:
    """Return the document; messages refer to the schema files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "jukinet-mq",
            "version": "1",
            "description": (
                "Notices between Japan's resident registers over RabbitMQ. Every AMQP message "
                "is one JWS compact (RFC 7515, Ed25519) whose payload is one CloudEvent 1.0; "
                "the data of a sealed kind is a JWE (RFC 7516, ECDH-ES+A256KW on X25519, "
                "A256GCM) with one recipient entry per lawful reader."
            ),
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "amqps",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ 3.10 to 4.3. A node logs in as its node code.",
                "variables": {
                    "host": {"description": "Name of the broker.", "default": "localhost"},
                    "port": {"description": "AMQP over TLS.", "default": "5671"},
                },
            }
        },
        "channels": {plane.value: _channel(plane) for plane in Plane},
        "operations": _operations(),
        "components": {
            "messages": {schemas.type_name_of(kind): _message(kind) for kind in CATALOGUE},
            "schemas": {"signed-envelope": _SIGNED_ENVELOPE, "properties": _PROPERTIES},
        },
    }


_SIGNED_ENVELOPE: Final = {
    "type": "string",
    "pattern": schemas.JWS_PATTERN,
    "maxLength": SIZE_MAX,
    "contentMediaType": CONTENT_TYPE,
    "description": (
        "JWS compact. Verify it over the received bytes, read its payload by the CloudEvent "
        "schema, open `data` if sealed, and read that by the body's schema."
    ),
    "x-jws-header": {"$ref": f"./{schemas.JWS_HEADER_FILE}"},
    "x-jws-payload": {"$ref": f"./{schemas.ENVELOPE_FILE}"},
    "x-sealed-data": {"$ref": f"./{schemas.JWE_FILE}"},
}

_PROPERTIES: Final = {
    "type": "object",
    "description": (
        "AMQP basic properties. They are hints: where one disagrees with the signed envelope, "
        "the delivery is quarantined."
    ),
    "required": ["content_type", "message_id", "type", "user_id", "delivery_mode", "timestamp"],
    "properties": {
        "content_type": {"const": CONTENT_TYPE},
        "message_id": {"type": "string", "format": "uuid", "description": "CloudEvent id."},
        "type": {"type": "string", "description": "CloudEvent type."},
        "user_id": {
            "type": "string",
            "description": "The login, proved by RabbitMQ: the sender, or a centre for it.",
        },
        "delivery_mode": {"const": 2},
        "timestamp": {"type": "integer", "description": "CloudEvent time, whole seconds."},
    },
}


def _channel(plane: Plane) -> dict[str, Any]:
    kinds = [kind for kind in CATALOGUE if kind.plane is plane]
    names = sorted({kind.name for kind in kinds})
    return {
        "address": _ADDRESS,
        "title": plane.exchange,
        "description": f"{_PLANES[plane]} The address is the routing key.",
        "parameters": _PARAMETERS | {"kind": {"description": "Name of the kind.", "enum": names}},
        "messages": {
            schemas.type_name_of(kind): {
                "$ref": f"#/components/messages/{schemas.type_name_of(kind)}"
            }
            for kind in kinds
        },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": plane.exchange,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                    "vhost": "/",
                },
                "bindingVersion": _AMQP_BINDING,
            }
        },
    }


def _operations() -> dict[str, Any]:
    operations = {}
    for kind in CATALOGUE:
        name = schemas.type_name_of(kind)
        operations[f"publish-{name}"] = {
            "action": "send",
            "summary": f"{_tiers(kind.sender_tiers)} → {_tiers(kind.recipient_tiers)}",
            **_on_channel(kind),
            "bindings": {
                "amqp": {
                    "deliveryMode": 2,
                    "mandatory": True,
                    "timestamp": True,
                    "bindingVersion": _AMQP_BINDING,
                }
            },
        }
        operations[f"keep-{name}"] = {
            "action": "receive",
            "summary": f"Kept by: {', '.join(keeper.value for keeper in kind.keepers)}",
            **_on_channel(kind),
            "bindings": {"amqp": {"ack": True, "bindingVersion": _AMQP_BINDING}},
        }
    return operations


def _on_channel(kind: Kind) -> dict[str, Any]:
    channel = f"#/channels/{kind.plane.value}"
    message = f"{channel}/messages/{schemas.type_name_of(kind)}"
    return {"channel": {"$ref": channel}, "messages": [{"$ref": message}]}


def _message(kind: Kind) -> dict[str, Any]:
    return {
        "name": schemas.type_name_of(kind),
        "title": kind.name,
        "summary": _first_line(kind.body),
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/properties"},
        "payload": {"$ref": "#/components/schemas/signed-envelope"},
        "bindings": {
            "amqp": {
                "messageType": schemas.type_name_of(kind),
                "bindingVersion": _AMQP_BINDING,
            }
        },
        "x-body": {"$ref": f"./{schemas.body_file(kind)}"},
        "x-sealed-to": [reader.value for reader in kind.readers],
        "x-kept-by": [keeper.value for keeper in kind.keepers],
        "x-sender-tiers": _sorted(kind.sender_tiers),
        "x-recipient-tiers": _sorted(kind.recipient_tiers),
    }


def _first_line(body: type[Body]) -> str:
    return (body.__doc__ or "").strip().split("\n", 1)[0]


def _sorted(tiers: frozenset[Tier]) -> list[str]:
    return [tier.value for tier in Tier if tier in tiers]


def _tiers(tiers: frozenset[Tier]) -> str:
    return " or ".join(_sorted(tiers))
