"""Sealing held against published and derived vectors: X25519, KDF, key wrap, GCM and JWE."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_wrap

from jukinet_mq import strict_json
from jukinet_mq.errors import UnopenableSealError, WeakKeyError
from jukinet_mq.nodes import directory
from jukinet_mq.trust import SealingKey, Use, encoding, public_jwk, sealing, thumbprint
from jukinet_mq.trust.store import check_enrolment
from tests.fixtures.vectors import each, read_vectors
from tests.unit.trust.conftest import enrolled

X25519 = read_vectors("x25519")
CONCAT_KDF = read_vectors("concat_kdf")
KEY_WRAP = read_vectors("aes_key_wrap")
GCM = read_vectors("aes_gcm")
JWE = read_vectors("jwe_general")
READER = SealingKey.from_jwk(JWE["reader"])
OURS = {"algorithm_id": "ECDH-ES+A256KW", "apu": "", "apv": "", "bits": 256}


def concat_kdf(shared: bytes, case: dict[str, Any]) -> bytes:
    """Derive a key as RFC 7518 §4.6.2 says, with another library than sealing uses."""
    parts = (
        case["algorithm_id"].encode(),
        bytes.fromhex(case["apu"]),
        bytes.fromhex(case["apv"]),
    )
    other_info = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    other_info += case["bits"].to_bytes(4, "big")
    return ConcatKDFHash(SHA256(), case["bits"] // 8, other_info).derive(shared)


def sealed_under(shared: bytes, *, epk: bytes, kid: str) -> dict[str, Any]:
    """Return a JWE that opens for whoever agrees on *shared* with the ephemeral key *epk*."""
    content_key, iv = bytes(32), bytes(12)
    protected = encoding.encode(b'{"enc":"A256GCM"}')
    encrypted = AESGCM(content_key).encrypt(iv, b"secret", protected)
    header = {"alg": "ECDH-ES+A256KW", "kid": kid, "epk": public_jwk(Use.SEALING, epk)}
    wrapped = aes_key_wrap(concat_kdf(shared, OURS), content_key)
    return {
        "protected": protected.decode(),
        "iv": encoding.encode(iv).decode(),
        "ciphertext": encoding.encode(encrypted[:-16]).decode(),
        "tag": encoding.encode(encrypted[-16:]).decode(),
        "recipients": [{"header": header, "encrypted_key": encoding.encode(wrapped).decode()}],
    }


@each(X25519)
def test_x25519_agrees_on_the_published_secret_and_on_no_known_one(case: dict[str, Any]) -> None:
    """What is sealed under the published secret opens, unless everybody knows that secret."""
    key = SealingKey(bytes.fromhex(case["private"]))
    sealed = sealed_under(
        bytes.fromhex(case["shared"]), epk=bytes.fromhex(case["public"]), kid=key.kid
    )

    if case["result"] == "valid":
        assert b"secret" == key.open(sealed)
    else:
        with pytest.raises(UnopenableSealError):
            key.open(sealed)


@each(X25519, lambda case: case["result"] == "low_order")
def test_x25519_key_of_low_order_is_neither_enrolled_nor_sealed_to(case: dict[str, Any]) -> None:
    """Every encoding of a point of low order is refused before anything is sealed to it."""
    public = bytes.fromhex(case["public"])
    reader = enrolled(READER, public=public, kid=thumbprint(Use.SEALING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(reader, directory=directory())
    with pytest.raises(WeakKeyError):
        sealing.seal(b"secret", [reader])


@each(CONCAT_KDF)
def test_key_derivation_gives_the_published_key(case: dict[str, Any]) -> None:
    """Both the other library's derivation and, for its parameters, sealing's own."""
    shared = bytes.fromhex(case["shared"])

    assert case["derived"] == concat_kdf(shared, case).hex()
    if case["ours"]:
        assert case["derived"] == sealing._derive(shared).hex()


@each(KEY_WRAP)
def test_key_is_unwrapped_only_from_its_whole_wrapping(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The RFC's keys come out; another initial value, a changed bit or length is an error."""
    monkeypatch.setattr(sealing, "_derive", lambda _: bytes.fromhex(case["kek"]))
    header = sealing.ReaderHeader.model_validate(JWE["message"]["recipients"][1]["header"])
    encrypted_key = encoding.encode(bytes.fromhex(case["wrapped"])).decode()
    # Not validated: the RFC has vectors of other lengths than the published form allows.
    entry = sealing.Reader.model_construct(header=header, encrypted_key=encrypted_key)

    if case["result"] == "valid":
        assert case["key"] == READER._unwrap(entry).hex()
    else:
        with pytest.raises((InvalidUnwrap, ValueError)):
            READER._unwrap(entry)


@each(GCM)
def test_aes_gcm_opens_only_what_is_whole(case: dict[str, Any]) -> None:
    """The cipher below sealing opens the published messages and none with a changed part."""
    key, iv, aad, ciphertext, tag = (
        bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "ciphertext", "tag")
    )

    if case["result"] == "valid":
        assert case["plaintext"] == AESGCM(key).decrypt(iv, ciphertext + tag, aad).hex()
    else:
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(iv, ciphertext + tag, aad)


def message_of(case: dict[str, Any]) -> Any:
    """Return the case's JWE as a keeper gets it: read from JSON text."""
    if "text" in case:
        return strict_json.read(case["text"].encode())
    message = copy.deepcopy(JWE["message"])
    for path, value in case.get("set", {}).items():
        parent, last = _place(message, path)
        parent[last] = value
    for path in case.get("remove", []):
        parent, last = _place(message, path)
        del parent[last]
    return message


def _place(message: dict[str, Any], path: str) -> tuple[Any, Any]:
    parent: Any = message
    *names, last = (int(part) if part.isdigit() else part for part in path.split("/"))
    for name in names:
        parent = parent[name]
    return parent, last


@each(JWE)
def test_jwe_opens_only_as_published(case: dict[str, Any]) -> None:
    """No other member, algorithm, spelling or length is opened, even if it was made correctly."""
    match case["result"]:
        case "valid":
            plaintext = case.get("plaintext", JWE["plaintext"])
            assert plaintext.encode() == READER.open(message_of(case))
        case "malformed":
            with pytest.raises(ValueError, match="twice in one object"):
                message_of(case)
        case _:
            with pytest.raises(UnopenableSealError):
                READER.open(message_of(case))


def test_a_reader_that_is_named_twice_is_listed_twice() -> None:
    """The verifier counts the readers, so a second entry for one of them does not hide."""
    entries = [*JWE["message"]["recipients"], JWE["message"]["recipients"][1]]

    sealed = sealing.read({**JWE["message"], "recipients": entries})

    assert [READER.kid, READER.kid] == sealed.kids[1:]
