"""Signing held against published and derived vectors: Ed25519 (RFC 8032) and JWS (RFC 7515)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jukinet_mq.errors import MalformedEnvelopeError, SignatureMismatchError, WeakKeyError
from jukinet_mq.nodes import directory
from jukinet_mq.trust import SigningKey, Use, encoding, public_from_jwk, signing, thumbprint
from jukinet_mq.trust.store import check_enrolment
from tests.fixtures.vectors import each, read_vectors
from tests.unit.trust.conftest import enrolled

ED25519 = read_vectors("ed25519")
JWS = read_vectors("jws_compact")
KEY = SigningKey.from_jwk(JWS["key"])
REFUSALS = {"malformed": MalformedEnvelopeError, "signature_mismatch": SignatureMismatchError}


def raw_signature(case: dict[str, Any]) -> signing.Compact:
    """Return the case's message and signature as what `check` takes."""
    return signing.Compact(
        kid="",
        payload=b"",
        signing_input=bytes.fromhex(case["message"]),
        signature=bytes.fromhex(case["signature"]),
    )


@each(ED25519)
def test_ed25519_signature_verifies_only_where_it_is_valid(case: dict[str, Any]) -> None:
    """Published signatures verify; varied, non-canonical and keyless ones do not."""
    compact, public = raw_signature(case), bytes.fromhex(case["public"])

    if case["result"] == "valid":
        compact.check(public)
    else:
        with pytest.raises(SignatureMismatchError):
            compact.check(public)


@each(ED25519, lambda case: "private" in case)
def test_private_key_has_its_published_public_key_and_is_enrolled(case: dict[str, Any]) -> None:
    """The public key follows from the private one as in the RFC, and may enter a trust store."""
    key = SigningKey(bytes.fromhex(case["private"]))

    assert case["public"] == key.public.hex()
    check_enrolment(enrolled(key), directory=directory())


@each(ED25519, lambda case: "flags" in case)
def test_key_under_which_others_could_sign_is_not_enrolled(case: dict[str, Any]) -> None:
    """Keys of low or mixed order, in all their encodings, enter no trust store."""
    assert "key_not_enrolled" in case["flags"]
    public = bytes.fromhex(case["public"])
    key = enrolled(KEY, public=public, kid=thumbprint(Use.SIGNING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(key, directory=directory())


@each(JWS)
def test_jws_is_accepted_only_as_published(case: dict[str, Any]) -> None:
    """One form is read; every other is malformed, or refused for its signature."""
    signed = case["jws"].encode()

    if case["result"] == "valid":
        compact = signing.read(signed)
        compact.check(KEY.public)
        assert JWS["kid"] == compact.kid
    else:
        with pytest.raises(REFUSALS[case["result"]]):
            signing.read(signed).check(KEY.public)


@each(JWS, lambda case: "signature_holds" in case)
def test_signature_of_the_vector_is_as_the_vector_says(case: dict[str, Any]) -> None:
    """OpenSSL verifies it over the received bytes: what is refused is refused for its framing."""
    signing_input, _, signature = case["jws"].encode().rpartition(b".")
    try:
        Ed25519PublicKey.from_public_bytes(KEY.public).verify(
            encoding.decode(signature), signing_input
        )
        holds = True
    except InvalidSignature:
        holds = False

    assert case["signature_holds"] is holds


def test_signing_gives_the_published_bytes() -> None:
    """Ed25519 is deterministic, so the same key and payload give the same JWS."""
    published = next(case["jws"] for case in JWS["cases"] if case["id"] == "as_published")

    assert published == KEY.sign(b"Example of Ed25519 signing").decode()


def test_key_of_the_vectors_has_its_published_thumbprint() -> None:
    """RFC 8037 §A.3."""
    use, public = public_from_jwk({k: v for k, v in JWS["key"].items() if k != "d"})

    assert JWS["kid"] == thumbprint(use, public) == KEY.kid
