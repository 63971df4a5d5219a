"""JWS compact (RFC 7515) with Ed25519 (RFC 8037, RFC 9864) and nothing else.

The framing is ours, the arithmetic libsodium's. Measured against joserfc in one run:
signing 30 µs instead of 56, verifying 67 instead of 140 (ADR 3). Only `alg` Ed25519 exists
here, so no header can talk a verifier into another algorithm.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from jukinet_mq import strict_json
from jukinet_mq.errors import MalformedEnvelopeError, SignatureMismatchError
from jukinet_mq.trust import encoding
from jukinet_mq.trust.keys import KEY_SIZE, Use, public_jwk, thumbprint

ALGORITHM: Final = "Ed25519"
TYPE: Final = "jukinet+jws"
SIGNATURE_SIZE: Final = 64
_HEADER_SIZE_MAX: Final = 256
_HEADERS_KEPT_MAX: Final = 4096
"""One per signing key: 1,789 nodes, two keys each while they roll."""
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class SigningKey:
    """A node's private Ed25519 key."""

    __slots__ = ("_header", "_secret", "_seed", "kid", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_SIZE:
            raise ValueError(f"an Ed25519 private key has {KEY_SIZE} bytes, not {len(seed)}")
        self.public, self._secret = crypto_sign_seed_keypair(seed)
        self._seed = seed
        self.kid = thumbprint(Use.SIGNING, self.public)
        header = {"alg": ALGORITHM, "kid": self.kid, "typ": TYPE}
        self._header = encoding.encode(json.dumps(header, separators=(",", ":")).encode())

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the system's randomness."""
        return cls(secrets.token_bytes(KEY_SIZE))

    def sign(self, payload: bytes) -> bytes:
        """Return the JWS compact over *payload*."""
        signing_input = self._header + b"." + encoding.encode(payload)
        signature = crypto_sign(signing_input, self._secret)[:SIGNATURE_SIZE]
        return signing_input + b"." + encoding.encode(signature)

    def signed_size(self, payload: bytes) -> int:
        """Return how many bytes `sign` makes of *payload*, without signing it."""
        lengths = (len(payload), SIGNATURE_SIZE)
        return len(self._header) + sum(1 + (4 * length + 2) // 3 for length in lengths)

    def to_jwk(self) -> dict[str, str]:
        """Return the PRIVATE JWK (RFC 8037 §2)."""
        d = encoding.encode(self._seed).decode()
        return {**public_jwk(Use.SIGNING, self.public), "kid": self.kid, "use": "sig", "d": d}

    @classmethod
    def from_jwk(cls, jwk: dict[str, Any]) -> SigningKey:
        """Read a private JWK.

        Raises:
            ValueError: No Ed25519 private JWK, or `x` is not the public key of `d`.
        """
        if (jwk.get("kty"), jwk.get("crv")) != ("OKP", Use.SIGNING.curve):
            raise ValueError("not a JWK of kty OKP with crv Ed25519")
        key = cls(encoding.decode(str(jwk.get("d")).encode("ascii")))
        if encoding.encode(key.public).decode() != jwk.get("x"):
            raise ValueError("the JWK's x is not the public key of its d")
        return key


@dataclass(frozen=True, slots=True)
class Compact:
    """A JWS compact taken apart; nothing in it is believed before `check`."""

    kid: str
    payload: bytes
    signing_input: bytes
    signature: bytes

    def check(self, public: bytes) -> None:
        """Verify the signature over the received bytes.

        libsodium also refuses a public key of low order and a signature that is not in its
        one canonical form, so no second signature can be made from a first.

        Args:
            public: The signer's 32 bytes, from an `EnrolledKey`.

        Raises:
            SignatureMismatchError: Not the signature of this key over these bytes.
        """
        try:
            crypto_sign_open(self.signature + self.signing_input, public)
        except BadSignatureError:
            raise SignatureMismatchError(
                f"the signature does not match the received bytes under key {self.kid}: they "
                "were changed after signing, or another key signed them. Ask the sender to "
                "resend; if it happens again, open an incident."
            ) from None


def read(signed: bytes) -> Compact:
    """Take a JWS compact apart without believing any of it.

    Raises:
        MalformedEnvelopeError: Not three canonical base64url parts, a header with other
            members than alg, kid and typ as published, or a signature that is not 64 bytes.
    """
    parts = signed.split(b".", 3)
    if len(parts) != 3:  # noqa: PLR2004 - header.payload.signature
        raise MalformedEnvelopeError("the bytes are not three parts joined by dots (RFC 7515 §7.1)")
    header, payload, signature = parts
    kid = _kid_of(header)
    try:
        compact = Compact(
            kid=kid,
            payload=encoding.decode(payload),
            signing_input=signed[: len(header) + 1 + len(payload)],
            signature=encoding.decode(signature),
        )
    except ValueError:
        raise MalformedEnvelopeError("payload or signature is not canonical base64url") from None
    if len(compact.signature) != SIGNATURE_SIZE:
        raise MalformedEnvelopeError(
            f"the signature has {len(compact.signature)} bytes, not {SIGNATURE_SIZE}"
        )
    return compact


# A signer's header is always the same bytes: 9 µs are spent once per key, not per envelope.
# A refusal raises, and lru_cache keeps no refusals.
@lru_cache(maxsize=_HEADERS_KEPT_MAX)
def _kid_of(encoded: bytes) -> str:
    if len(encoded) > _HEADER_SIZE_MAX:
        raise MalformedEnvelopeError(f"the JWS header is longer than {_HEADER_SIZE_MAX} bytes")
    try:
        header = strict_json.read_object(encoding.decode(encoded))
    except ValueError as error:
        raise MalformedEnvelopeError(f"the JWS header cannot be read: {error}") from None
    if header.keys() != {"alg", "kid", "typ"}:
        raise MalformedEnvelopeError("the JWS header must hold exactly alg, kid and typ")
    if (header["alg"], header["typ"]) != (ALGORITHM, TYPE):
        raise MalformedEnvelopeError(f"the JWS header must say alg {ALGORITHM} and typ {TYPE}")
    kid = header["kid"]
    if not isinstance(kid, str) or _KID.fullmatch(kid) is None:
        raise MalformedEnvelopeError("the JWS header's kid is no RFC 7638 SHA-256 thumbprint")
    return kid
