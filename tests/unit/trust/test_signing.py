from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk, jws

from jukinet_mq.errors import MalformedEnvelopeError, SignatureMismatchError
from jukinet_mq.trust import SigningKey, Use, encoding, public_from_jwk, signing, thumbprint

KEY = SigningKey(bytes(range(32)))
SIGNED = KEY.sign(b"{}")
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def framed(header: object, payload: bytes = b"{}", *, signature: bytes = bytes(64)) -> bytes:
    """Return a compact JWS with any header."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b".".join(map(encoding.encode, (raw, payload, signature)))


def good_header(**changes: Any) -> dict[str, Any]:
    """Return the header as published, with members changed or added."""
    return {"alg": "Ed25519", "kid": KEY.kid, "typ": "jukinet+jws", **changes}


@given(st.binary(max_size=2000))
def test_what_is_signed_is_what_is_read(payload: bytes) -> None:
    """The payload and the key's name come back, and the signature holds."""
    compact = signing.read(KEY.sign(payload))

    compact.check(KEY.public)
    assert (payload, KEY.kid) == (compact.payload, compact.kid)


def test_the_key_of_rfc_8037_has_its_published_thumbprint_and_signature() -> None:
    """RFC 8037 appendix A: thumbprint and signature of the example key."""
    x = encoding.decode(b"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    seed = encoding.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = encoding.decode(
        b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )

    assert "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" == thumbprint(Use.SIGNING, x)
    assert x == SigningKey(seed).public
    signing.Compact("", b"", text, signature).check(x)


def test_joserfc_verifies_what_we_sign() -> None:
    """Another implementation needs the public JWK alone."""
    theirs = jwk.OKPKey.import_key({k: v for k, v in KEY.to_jwk().items() if k != "d"})

    read = jws.deserialize_compact(KEY.sign(b'{"a":1}'), theirs, algorithms=["Ed25519"])

    assert b'{"a":1}' == read.payload
    assert good_header() == read.headers()
    assert KEY.kid == theirs.thumbprint()


def test_we_verify_what_joserfc_signs() -> None:
    """Whatever order another implementation writes the header's members in."""
    theirs = jwk.OKPKey.generate_key("Ed25519")
    header = {"typ": "jukinet+jws", "kid": theirs.thumbprint(), "alg": "Ed25519"}
    use, public = public_from_jwk(theirs.as_dict(private=False))

    compact = signing.read(
        jws.serialize_compact(header, b"{}", theirs, algorithms=["Ed25519"]).encode()
    )
    compact.check(public)

    assert (Use.SIGNING, b"{}", theirs.thumbprint()) == (use, compact.payload, compact.kid)


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    """No byte of an envelope can be exchanged for another."""
    signed = bytearray(KEY.sign(b'{"id":"019d45b1"}'))
    place = data.draw(st.integers(0, len(signed) - 1))
    signed[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[place]))

    with pytest.raises((MalformedEnvelopeError, SignatureMismatchError)):
        signing.read(bytes(signed)).check(KEY.public)


@pytest.mark.parametrize(
    "header",
    [
        good_header(alg="none"),
        good_header(alg="None"),
        good_header(alg="HS256"),
        good_header(alg="EdDSA"),
        good_header(alg="ES256"),
        good_header(alg=["Ed25519"]),
        good_header(alg=None),
        good_header(typ="JWT"),
        good_header(typ="JUKINET+JWS"),
        good_header(kid=7),
        good_header(kid=None),
        good_header(kid="../../etc/passwd"),
        good_header(kid=KEY.kid + "A"),
        good_header(crit=["b64"], b64=False),
        good_header(crit=[]),
        good_header(b64=True),
        good_header(jwk=KEY.to_jwk()),
        good_header(jku="https://example.org/keys"),
        {"alg": "Ed25519", "kid": KEY.kid},
        {"alg": "Ed25519", "typ": "jukinet+jws"},
        {"kid": KEY.kid, "typ": "jukinet+jws"},
        {},
        [],
        None,
        "Ed25519",
        b"",
        b"{",
        b"\xff",
        b'{"alg":"none","alg":"Ed25519","kid":"%b","typ":"jukinet+jws"}' % KEY.kid.encode(),
        b'{"alg":"Ed25519","\\u0061lg":"Ed25519","kid":"%b","typ":"jukinet+jws"}'
        % KEY.kid.encode(),
        json.dumps(good_header()).encode() + b" " * 300,
        b"\xef\xbb\xbf" + json.dumps(good_header()).encode(),
    ],
)
def test_any_other_header_is_refused(header: object) -> None:
    """Exactly alg, kid and typ as published, each once; no header chooses the algorithm."""
    with pytest.raises(MalformedEnvelopeError):
        signing.read(framed(header))


@pytest.mark.parametrize(
    "signed",
    [
        b"",
        b"..",
        SIGNED + b".",
        SIGNED + b"\n",
        b" " + SIGNED,
        SIGNED + b"=",
        SIGNED[:-1],
        SIGNED[:-2],
        SIGNED + b"AA",
        SIGNED.rpartition(b".")[0] + b".",
        SIGNED.partition(b".")[2],
        SIGNED.replace(b".", b"..", 1),
        b'{"payload":"e30","signatures":[]}',
        bytes(1000),
        "日本".encode(),
    ],
)
def test_what_is_no_compact_jws_is_refused(signed: bytes) -> None:
    """Cut, lengthened, padded or of another serialisation: malformed, not merely unsigned."""
    with pytest.raises(MalformedEnvelopeError):
        signing.read(signed)


def test_a_signature_cannot_be_varied() -> None:
    """Adding the group's order to s gives a second valid equation, which is refused."""
    compact = signing.read(KEY.sign(b"{}"))
    s = int.from_bytes(compact.signature[32:], "little") + GROUP_ORDER
    varied = compact.signature[:32] + s.to_bytes(32, "little")

    with pytest.raises(SignatureMismatchError):
        signing.Compact(KEY.kid, b"{}", compact.signing_input, varied).check(KEY.public)


def test_under_a_key_of_low_order_nothing_verifies() -> None:
    """The identity point as key makes R = s·B hold for any message; libsodium refuses it."""
    identity = b"\x01" + bytes(31)
    forged = identity + bytes(32)

    with pytest.raises(SignatureMismatchError):
        signing.Compact(KEY.kid, b"", b"any message", forged).check(identity)


def test_a_private_jwk_comes_back() -> None:
    """Export and import give the same key; nothing of it shows in its repr."""
    again = SigningKey.from_jwk(KEY.to_jwk())

    assert KEY.public == again.public
    assert KEY.to_jwk()["d"] not in repr(KEY)


@pytest.mark.parametrize(
    "change", [{"crv": "X25519"}, {"kty": "oct"}, {"x": "A" * 43}, {"d": "AA"}, {"d": None}]
)
def test_a_wrong_private_jwk_is_refused(change: dict[str, Any]) -> None:
    """Another curve, a foreign public part or a short private part is no signing key."""
    with pytest.raises(ValueError, match=r"."):
        SigningKey.from_jwk({**KEY.to_jwk(), **change})


def test_headers_that_are_kept_are_bounded() -> None:
    """A flood of made-up keys cannot grow the memory of headers without end."""
    assert 4096 == signing._kid_of.cache_info().maxsize
