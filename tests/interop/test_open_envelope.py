"""Another implementation than ours reads our messages with published schemas and keys alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from jukinet_mq.envelope import Header, encode, schema_urn, type_name
from jukinet_mq.messages import CATALOGUE, Body, IdentityUpdate, Kind, kind_of
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust import EnrolledKey, SealingKey, SigningKey, Use, seal
from tests.fixtures.bodies import content, rebuilt
from tests.interop.conftest import RunNode

SCHEMAS = Path(__file__).parents[2] / "schemas"
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
sealed_kinds = [kind for kind in CATALOGUE if kind.sealed]


@dataclass(frozen=True)
class Capture:
    """One signed message on disk, with the keys that belong to it."""

    body: Body
    envelope: Path
    signer: Path
    readers: tuple[Path, ...]


def enrolled(key: SealingKey) -> EnrolledKey:
    """Return *key* as a trust store would hold it."""
    return EnrolledKey(
        node=NodeCode("130001"),
        use=Use.SEALING,
        kid=key.kid,
        public=key.public,
        valid_from=NOW - timedelta(days=1),
        valid_until=NOW + timedelta(days=365),
    )


def capture(body: Body, root: Path) -> Capture:
    """Seal and sign *body* with new keys, and write what a stranger gets."""
    kind = kind_of(body)
    signing = SigningKey.generate()
    sealing = [SealingKey.generate() for _ in kind.readers]
    header = Header(
        id=UUID("019d45b1-5a00-7000-8000-0000000000aa"),
        kind=kind.name,
        version=kind.version,
        sender=NodeCode("131016"),
        recipient=NodeCode("130001"),
        sequence=7,
        time=NOW,
        event_id=UUID("019d45b1-5a00-7000-8000-0000000000bb"),
    )
    plain = body.dump_json()
    data = seal(plain, [enrolled(key) for key in sealing]) if kind.sealed else plain
    public = {name: part for name, part in signing.to_jwk().items() if name != "d"}
    return Capture(
        body=body,
        envelope=written(
            root / "message.jws", signing.sign(encode(header, data, sealed=kind.sealed))
        ),
        signer=written(root / "signer.jwk", orjson.dumps(public)),
        readers=tuple(
            written(root / f"reader-{number}.jwk", orjson.dumps(key.to_jwk()))
            for number, key in enumerate(sealing)
        ),
    )


def written(path: Path, text: bytes) -> Path:
    """Write *text* and return where it is."""
    path.write_bytes(text)
    return path


def arguments(captured: Capture, reader: Path | None = None) -> list[str | Path]:
    """Return the command line that opens *captured*."""
    line: list[str | Path] = ["--schemas", SCHEMAS]
    line += ["--envelope", captured.envelope, "--signer", captured.signer]
    return line if reader is None else [*line, "--reader", reader]


def opened(node: RunNode, captured: Capture, reader: Path | None = None) -> Any:
    """Return what the stranger read."""
    run = node("open-envelope.mjs", *arguments(captured, reader))
    assert (0, "") == (run.returncode, run.stderr)
    return orjson.loads(run.stdout)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_a_stranger_verifies_opens_and_validates_every_kind(
    kind: Kind, node: RunNode, tmp_path: Path
) -> None:
    """Npm packages jose and ajv suffice, and every lawful reader reads the same body."""
    captured = capture(kind.body.example(), tmp_path)

    for reader in captured.readers or (None,):
        read = opened(node, captured, reader)
        assert content(captured.body) == read["body"]
        assert type_name(kind.name, kind.version) == read["event"]["type"]
        assert schema_urn(kind.name, kind.version) == read["event"]["dataschema"]
        assert {"alg": "Ed25519", "typ": "jukinet+jws"} == {
            name: read["header"][name] for name in ("alg", "typ")
        }


def test_rare_characters_arrive_code_point_for_code_point(node: RunNode, tmp_path: Path) -> None:
    """Variation sequences and characters beyond the BMP survive sealing, signing and reading."""
    name = "葛\U000e0100城 \U00020bb7男﨑"
    captured = capture(rebuilt(IdentityUpdate.example(), name=name), tmp_path)

    assert name == opened(node, captured, captured.readers[0])["body"]["name"]


def test_who_keeps_evidence_verifies_without_opening(node: RunNode, tmp_path: Path) -> None:
    """Without a reader's key the envelope is verified and valid, and its body stays closed."""
    captured = capture(sealed_kinds[-1].body.example(), tmp_path)

    read = opened(node, captured)

    assert read["body"] is None
    assert "application/jose+json" == read["event"]["datacontenttype"]


def test_who_is_no_reader_cannot_open(node: RunNode, tmp_path: Path) -> None:
    """A key that the body was not sealed to opens nothing."""
    captured = capture(IdentityUpdate.example(), tmp_path)
    stranger = written(tmp_path / "s.jwk", orjson.dumps(SealingKey.generate().to_jwk()))

    run = node("open-envelope.mjs", *arguments(captured, stranger))

    assert 1 == run.returncode
    assert "" == run.stdout
    assert run.stderr.startswith("seal: ")


def test_a_changed_byte_is_noticed(node: RunNode, tmp_path: Path) -> None:
    """One changed character of the signed content breaks the signature for others too."""
    captured = capture(IdentityUpdate.example(), tmp_path)
    signed = captured.envelope.read_bytes()
    middle = len(signed) // 2
    swapped = b"A" if signed[middle : middle + 1] != b"A" else b"B"
    captured.envelope.write_bytes(signed[:middle] + swapped + signed[middle + 1 :])

    run = node("open-envelope.mjs", *arguments(captured))

    assert 1 == run.returncode
    assert "signature: ERR_JWS_SIGNATURE_VERIFICATION_FAILED\n" == run.stderr


def test_another_signer_is_noticed(node: RunNode, tmp_path: Path) -> None:
    """Under somebody else's key the signature does not verify."""
    captured = capture(IdentityUpdate.example(), tmp_path)
    other = SigningKey.generate().to_jwk()
    written(captured.signer, orjson.dumps({k: v for k, v in other.items() if k != "d"}))

    run = node("open-envelope.mjs", *arguments(captured))

    assert 1 == run.returncode
    assert run.stderr.startswith("signature: ")
