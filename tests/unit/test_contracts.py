from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

from jukinet_mq import contracts
from jukinet_mq.envelope import schema_urn
from jukinet_mq.errors import RejectedError
from jukinet_mq.messages import (
    CATALOGUE,
    Body,
    ChangeReason,
    IdentityForward,
    IdentityUpdate,
    Kind,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutConfirmation,
    ReceiptNotice,
    build_body,
    kind_of,
)
from jukinet_mq.routing import Plane
from tests.fixtures.bodies import altered, content, identity_updates

PUBLISHED = Path(__file__).parents[2] / "schemas"
FILES = contracts.render()
SCHEMAS = {
    schema["$id"]: schema
    for schema in (orjson.loads(text) for text in FILES.values())
    if "$id" in schema
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (urn, Resource.from_contents(schema)) for urn, schema in SCHEMAS.items()
)
kinds = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)


def validator(urn: str) -> Draft202012Validator:
    """Return an independent validator of a published schema, formats included."""
    return Draft202012Validator(SCHEMAS[urn], registry=REGISTRY, format_checker=FormatChecker())


def validate(body: Body, mapping: dict[str, Any]) -> None:
    """Validate *mapping* against the schema of *body*'s kind."""
    validator(schema_urn(body.kind, body.version)).validate(mapping)


def test_published_files_are_fresh() -> None:
    """What lies in `schemas/` is what the code gives; `jukinet schema generate` renews it."""
    assert [] == contracts.check(PUBLISHED)


def test_rendering_is_the_same_in_every_process() -> None:
    """No hash seed and no order of a set leaks into the files."""
    program = (
        "import sys, orjson; from jukinet_mq import contracts;"
        "sys.stdout.buffer.write(orjson.dumps(contracts.render()))"
    )
    rendered = [
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            cwd=PUBLISHED.parent,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]

    assert orjson.dumps(FILES) == rendered[0] == rendered[1]


def test_write_and_check_see_every_difference(tmp_path: Path) -> None:
    """A missing, an edited and a left-over file are told apart, and mended."""
    contracts.write(tmp_path)
    (tmp_path / "jwe.v1.schema.json").unlink()
    (tmp_path / "birthday-card.v1.schema.json").write_text("{}")
    edited = tmp_path / "receipt.v1.schema.json"
    edited.write_text(edited.read_text().replace('"receipt.v1"', '"receipt.v2"'))
    (tmp_path / "NOTES.md").write_text("not generated, not touched")

    assert [
        "birthday-card.v1.schema.json: generated no longer",
        "jwe.v1.schema.json: missing",
        "receipt.v1.schema.json: differs from line 4 on",
    ] == contracts.check(tmp_path)
    assert 3 == len(contracts.write(tmp_path))
    assert [] == contracts.check(tmp_path)
    assert [] == contracts.write(tmp_path)
    assert (tmp_path / "NOTES.md").exists()


@pytest.mark.parametrize("urn", SCHEMAS)
def test_every_schema_is_a_schema(urn: str) -> None:
    """The files meet the 2020-12 meta schema, each under its own identifier."""
    Draft202012Validator.check_schema(SCHEMAS[urn])


@kinds
def test_an_example_meets_its_published_schema(kind: Kind) -> None:
    """An independent validator accepts what we write."""
    example = kind.body.example()

    validate(example, content(example))


@kinds
def test_the_schema_refuses_an_unknown_field(kind: Kind) -> None:
    """`additionalProperties` is false everywhere."""
    example = kind.body.example()

    with pytest.raises(ValidationError, match="surprise"):
        validate(example, content(example) | {"surprise": 1})


@kinds
def test_the_schema_demands_every_needed_field(kind: Kind) -> None:
    """Whatever field the code demands, the schema demands."""
    example = kind.body.example()

    for name, info in kind.body.model_fields.items():
        if info.is_required():
            with pytest.raises(ValidationError, match=name):
                validate(example, altered(example, name, value=None))


@pytest.mark.parametrize("reason", ChangeReason)
@given(source=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_code_accepts_the_schema_accepts(
    reason: ChangeReason, source: st.DataObject
) -> None:
    """No valid update of any reason is refused by a reader who knows the schema only."""
    update = source.draw(identity_updates(reason))

    validate(update, content(update))


UPDATE = IdentityUpdate.example()
NUMBER_CHANGE = IdentityUpdate.example(ChangeReason.IN_CHANGE_REQUEST)
CODE_CHANGE = IdentityUpdate.example(ChangeReason.RC_CHANGE_REQUEST)
MOVE_OUT = IdentityUpdate.example(ChangeReason.DOMESTIC_MOVE_OUT)
NOTICE = MoveInNotice.example()
CERTIFICATE = MoveOutCertificate.example()
CONFIRMATION = MoveOutConfirmation.example()
RECEIPTS = ReceiptNotice.example()


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (UPDATE, ("reason",), "death"),
        (UPDATE, ("name",), None),
        (UPDATE, ("alias",), "高橋"),
        (UPDATE, ("alphabet_name",), "TAKAHASHI"),
        (UPDATE, ("resident_class",), "foreign"),
        (UPDATE, ("individual_number",), None),
        (UPDATE, ("previous_individual_number",), "999990000023"),
        (UPDATE, ("previous_resident_code",), "99990000022"),
        (UPDATE, ("furigana",), "たかはし"),
        (UPDATE, ("resident_code",), "9999000001"),
        (UPDATE, ("area_code",), "13101"),
        (UPDATE, ("address",), ""),
        (UPDATE, ("address",), "あ" * 801),
        (UPDATE, ("birth_date", "value"), "1994-02-30"),
        (UPDATE, ("birth_date", "value"), None),
        (UPDATE, ("birth_date", "text"), "頃"),
        (UPDATE, ("birth_date", "kind"), "unknown"),
        (NUMBER_CHANGE, ("previous_individual_number",), None),
        (CODE_CHANGE, ("previous_resident_code",), None),
        (MOVE_OUT, ("event_date",), {"kind": "year", "value": "2026"}),
        (NOTICE, ("group_id",), "019D3A10-6C00-7000-8000-0000000000A1"),
        (NOTICE, ("persons",), []),
        (NOTICE, ("persons", 0, "alias"), "高橋"),
        (NOTICE, ("persons", 1, "furigana"), "ジョアン"),
        (NOTICE, ("persons", 1, "alphabet_name"), "ALMEIDA  JOAO"),
        (NOTICE, ("moved_in_on",), "2026-02-30"),
        (CERTIFICATE, ("persons", 1, "family_register"), {"domicile": "東京都", "head": "高橋"}),
        (CERTIFICATE, ("persons", 0, "card", "verification_code"), ""),
        (CONFIRMATION, ("resident_codes",), ["99990000014", "99990000014"]),
        (IdentityForward.example(), ("originals", 0), "a.b"),
        (IdentityForward.example(), ("forwarded_at",), "2026-03-28T01:15:30+09:00"),
        (RECEIPTS, ("receipts", 0, "kept_at"), None),
        (RECEIPTS, ("receipts", 0, "reason"), "seal_unopenable"),
        (RECEIPTS, ("receipts", 1, "processed_at"), None),
        (RECEIPTS, ("receipts", 2, "reason"), None),
    ],
)
def test_schema_and_code_refuse_the_same(
    body: Body, path: tuple[str | int, ...], value: Any
) -> None:
    """Rules between fields stand in the published schema too, not in our code alone."""
    wrong = altered(body, *path, value=value)

    with pytest.raises(RejectedError):
        build_body(kind_of(body), wrong)
    with pytest.raises(ValidationError):
        validate(body, wrong)


def event(kind: Kind) -> dict[str, Any]:
    """Return a CloudEvent around the example of an unsealed kind."""
    return {
        "specversion": "1.0",
        "id": "019d45b1-5a00-7000-8000-0000000000aa",
        "source": "130001",
        "subject": "131016",
        "type": f"{kind.name}.v{kind.version}",
        "time": "2026-04-01T03:00:00Z",
        "dataschema": schema_urn(kind.name, kind.version),
        "datacontenttype": "application/json",
        "sequence": "00000000000000000001",
        "traceparent": "00-019d45b15a00700080000000000000bb-80000000000000aa-01",
        "data": content(kind.body.example()),
    }


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("id", "1"),
        ("source", "13101"),
        ("subject", "JLIS"),
        ("type", "receipt.v2"),
        ("type", "identity-forward.v1"),
        ("time", "2026-04-01T03:00:00"),
        ("dataschema", schema_urn("identity-forward", 1)),
        ("datacontenttype", "application/jose+json"),
        ("sequence", "1"),
        ("traceparent", "00-00-00-01"),
        ("data", {}),
        ("partitionkey", "x"),
    ],
)
def test_the_envelopes_schema_binds_every_attribute(attribute: str, value: Any) -> None:
    """A kind, its schema, its content type and its body belong together."""
    envelope = event(kind_of(RECEIPTS))
    validator(schema_urn("envelope", 1)).validate(envelope)

    with pytest.raises(ValidationError):
        validator(schema_urn("envelope", 1)).validate(envelope | {attribute: value})


@pytest.mark.parametrize("kind", [k for k in CATALOGUE if k.sealed], ids=lambda k: k.name)
def test_a_sealed_kind_may_not_travel_in_the_clear(kind: Kind) -> None:
    """The envelope's schema refuses the bare body of a sealed kind."""
    with pytest.raises(ValidationError):
        validator(schema_urn("envelope", 1)).validate(event(kind))


def test_asyncapi_names_every_exchange_and_kind() -> None:
    """The document has one channel per plane and each kind in the channel of its plane."""
    document = orjson.loads(FILES["asyncapi.json"])

    for plane in Plane:
        channel = document["channels"][plane.value]
        assert channel["bindings"]["amqp"]["exchange"]["name"] == plane.exchange
        assert channel["messages"].keys() == {
            f"{kind.name}.v{kind.version}" for kind in CATALOGUE if kind.plane is plane
        }
    assert 2 * len(CATALOGUE) == len(document["operations"])
    assert all(
        message["x-body"]["$ref"].removeprefix("./") in FILES
        for message in document["components"]["messages"].values()
    )
