"""JSON Schema 2020-12 of every body, the envelope, the JWS header and the JWE.

The schemas are as strict as JSON Schema can be. What it cannot say is checked by the code
alone and written into the descriptions: check digits, grapheme clusters, unassigned code
points, persons who are named twice, the order of dates, areas against the header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from jukinet_mq.envelope import PLAIN, SEALED, CloudEvent, schema_urn, type_name
from jukinet_mq.messages import CATALOGUE, Kind
from jukinet_mq.trust import signing
from jukinet_mq.trust.sealing import SealedBody

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import core_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE_FILE: Final = "envelope.v1.schema.json"
JWS_HEADER_FILE: Final = "jws-header.v1.schema.json"
JWE_FILE: Final = "jwe.v1.schema.json"
ENVELOPE_URN: Final = schema_urn("envelope", 1)
JWS_HEADER_URN: Final = schema_urn("jws-header", 1)
JWE_URN: Final = schema_urn("jwe", 1)
JWS_PATTERN: Final = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$"


class _Generator(GenerateJsonSchema):
    """Pydantic's, without the noise: a missing value needs no default of null."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave `default: null` out."""
        rendered = super().default_schema(schema)
        if rendered.get("default", ...) is None:
            del rendered["default"]
        return rendered


def body_file(kind: Kind) -> str:
    """Return the name of a kind's schema file."""
    return f"{type_name(kind.name, kind.version)}.schema.json"


def body_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema of a kind's body, with its example."""
    schema = _schema(kind.body, schema_urn(kind.name, kind.version), type_name_of(kind))
    return schema | {"examples": [orjson.loads(kind.body.example().dump_json())]}


def type_name_of(kind: Kind) -> str:
    """Return the CloudEvent type of a kind."""
    return type_name(kind.name, kind.version)


def envelope_schema() -> dict[str, Any]:
    """Return the schema of what is signed, each kind with its own body."""
    schema = _schema(CloudEvent, ENVELOPE_URN, "envelope.v1")
    schema["properties"]["type"] = {
        "enum": [type_name_of(kind) for kind in CATALOGUE],
        "description": "Kind and version of the body.",
    }
    schema["allOf"] = [_rule_of(kind) for kind in CATALOGUE]
    return schema


def _rule_of(kind: Kind) -> dict[str, Any]:
    body_urn = schema_urn(kind.name, kind.version)
    return {
        "if": {"properties": {"type": {"const": type_name_of(kind)}}},
        "then": {
            "properties": {
                "dataschema": {"const": body_urn},
                "datacontenttype": {"const": SEALED if kind.sealed else PLAIN},
                "data": {"$ref": JWE_URN if kind.sealed else body_urn},
            }
        },
    }


def jwe_schema() -> dict[str, Any]:
    """Return the schema of a sealed body before it is opened."""
    return _schema(SealedBody, JWE_URN, "jwe.v1")


def jws_header_schema() -> dict[str, Any]:
    """Return the schema of the one header that a signature may have."""
    kid = {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{43}$",
        "description": "RFC 7638 SHA-256 thumbprint of the signer's public JWK.",
    }
    members = {"alg": {"const": signing.ALGORITHM}, "kid": kid, "typ": {"const": signing.TYPE}}
    return {
        "$schema": DIALECT,
        "$id": JWS_HEADER_URN,
        "title": "jws-header.v1",
        "description": "The protected header of the JWS compact (RFC 7515, RFC 9864).",
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


_ORDER: Final = ("title", "description", "type", "properties", "required", "additionalProperties")


def _schema(model: type[BaseModel], urn: str, title: str) -> dict[str, Any]:
    generated = model.model_json_schema(schema_generator=_Generator)
    tidied: dict[str, Any] = _tidy(generated) | {"title": title}
    definitions = tidied.pop("$defs", {})
    ordered: dict[str, Any] = {name: tidied.pop(name) for name in _ORDER if name in tidied}
    return {"$schema": DIALECT, "$id": urn, **ordered, **tidied, "$defs": definitions}


def _tidy(part: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Drop the titles that pydantic makes up, and join the lines of descriptions."""
    match part:
        case {"properties": dict(properties), **rest}:
            tidied = {name: _tidy(value) for name, value in properties.items()}
            return {**_tidy(rest), "properties": tidied}
        case dict():
            return {
                name: " ".join(value.split()) if name == "description" else _tidy(value)
                for name, value in part.items()
                if name != "title"
            }
        case list():
            return [_tidy(value) for value in part]
        case _:
            return part
