"""Public keys as the trust store holds them: whose, for what, from when, until when."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from jukinet_mq.errors import WeakKeyError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust import encoding

KEY_SIZE: Final = 32
"""Bytes of an Ed25519 or X25519 key, public or private (RFC 8032, RFC 7748)."""


class Use(StrEnum):
    """What a key is for, in the words of RFC 7517 §4.2; no key is for both."""

    SIGNING = "sig"
    SEALING = "enc"

    @property
    def curve(self) -> str:
        """The JWK `crv` (RFC 8037 §2)."""
        return "Ed25519" if self is Use.SIGNING else "X25519"


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """One public key of one node.

    Attributes:
        kid: RFC 7638 thumbprint of the public JWK.
        public: The 32 raw bytes.
        valid_from: First instant of use, aware UTC.
        valid_until: First instant after use, aware UTC.
        revoked_at: From this instant on nothing under this key is believed, whatever time
            it claims: who holds a stolen key writes any time he likes.
    """

    node: NodeCode
    use: Use
    kid: str
    public: bytes
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        # libsodium reads 32 bytes from whatever address it is given.
        if len(self.public) != KEY_SIZE:
            raise WeakKeyError(
                f"a public key of node {self.node} has {len(self.public)} bytes, not {KEY_SIZE}"
            )

    def is_valid_at(self, instant: datetime) -> bool:
        """Say whether *instant* lies in the key's time of use; revocation aside."""
        return self.valid_from <= instant < self.valid_until

    def is_revoked_at(self, instant: datetime) -> bool:
        """Say whether the key is revoked at *instant*."""
        return self.revoked_at is not None and self.revoked_at <= instant

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK (RFC 8037 §2) with `kid` and `use`."""
        return {**public_jwk(self.use, self.public), "kid": self.kid, "use": self.use.value}


def public_jwk(use: Use, public: bytes) -> dict[str, str]:
    """Return the members that define a public key: kty, crv and x."""
    return {"kty": "OKP", "crv": use.curve, "x": encoding.encode(public).decode()}


def thumbprint(use: Use, public: bytes) -> str:
    """Return the RFC 7638 SHA-256 thumbprint: a key's `kid` everywhere."""
    x = encoding.encode(public).decode()
    canonical = f'{{"crv":"{use.curve}","kty":"OKP","x":"{x}"}}'
    return encoding.encode(hashlib.sha256(canonical.encode()).digest()).decode()


def public_from_jwk(jwk: dict[str, Any]) -> tuple[Use, bytes]:
    """Read a public JWK: what it is for, by its curve, and its 32 bytes.

    Raises:
        WeakKeyError: No Ed25519 or X25519 public JWK, or one that holds a private key.
    """
    use = {u.curve: u for u in Use}.get(str(jwk.get("crv")))
    if use is None or jwk.get("kty") != "OKP" or "d" in jwk:
        raise WeakKeyError(
            "not a public JWK of kty OKP with crv Ed25519 or X25519 (RFC 8037); "
            "export the node's public key and never its private one"
        )
    try:
        public = encoding.decode(str(jwk.get("x")).encode("ascii"))
    except ValueError:
        raise WeakKeyError("the JWK's x is not canonical base64url") from None
    if len(public) != KEY_SIZE:
        raise WeakKeyError(f"the JWK's x has {len(public)} bytes, not {KEY_SIZE}")
    return use, public
