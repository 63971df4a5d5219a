"""JWE in its general JSON form (RFC 7516 §7.2.1): ECDH-ES+A256KW on X25519, A256GCM.

One recipient entry per lawful reader, each with an ephemeral key of its own: RFC 7518 §4.6
wants a new one for every key agreement. The framing is ours, the arithmetic libsodium's
(X25519) and OpenSSL's (AES). Measured against joserfc in one run: sealing to two readers
119 µs instead of 245, opening 46 instead of 115 (ADR 3).
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from jukinet_mq import strict_json
from jukinet_mq.errors import UnopenableSealError, WeakKeyError
from jukinet_mq.trust import encoding
from jukinet_mq.trust.keys import KEY_SIZE, EnrolledKey, Use, public_jwk, thumbprint

READERS_MAX: Final = 8
"""More than any kind has; bounds what a verifier looks at."""
_ALGORITHM: Final = "ECDH-ES+A256KW"
_PROTECTED: Final = encoding.encode(b'{"enc":"A256GCM"}')
_IV_SIZE: Final = 12
_TAG_SIZE: Final = 16
# RFC 7518 §4.6.2: AlgorithmID, empty PartyUInfo and PartyVInfo, SuppPubInfo = 256 bits. One
# round of SHA-256 yields them all.
_OTHER_INFO: Final = (
    struct.pack(">I", len(_ALGORITHM)) + _ALGORITHM.encode() + bytes(8) + struct.pack(">I", 256)
)

_Thumbprint = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class EphemeralKey(_Strict):
    """The `epk` of one key agreement (RFC 7518 §4.6.1.1)."""

    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: _Thumbprint


class ReaderHeader(_Strict):
    """The per-recipient header."""

    alg: Literal["ECDH-ES+A256KW"]
    kid: _Thumbprint
    epk: EphemeralKey


class Reader(_Strict):
    """One recipient entry: the content key, wrapped for one node."""

    header: ReaderHeader
    encrypted_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{54}$")]


class SealedBody(_Strict):
    """A JWE as published: these members and no others."""

    protected: Annotated[str, StringConstraints(max_length=256)]
    iv: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16}$")]
    ciphertext: str
    tag: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
    recipients: Annotated[list[Reader], Field(min_length=1, max_length=READERS_MAX)]

    @property
    def kids(self) -> list[str]:
        """The keys that it is sealed to, in order."""
        return [reader.header.kid for reader in self.recipients]


class SealingKey:
    """A node's private X25519 key."""

    __slots__ = ("_scalar", "kid", "public")

    def __init__(self, scalar: bytes) -> None:
        if len(scalar) != KEY_SIZE:
            raise ValueError(f"an X25519 private key has {KEY_SIZE} bytes, not {len(scalar)}")
        self._scalar = scalar
        self.public: bytes = crypto_scalarmult_base(scalar)
        self.kid = thumbprint(Use.SEALING, self.public)

    def __repr__(self) -> str:
        return f"SealingKey(kid={self.kid!r})"

    @classmethod
    def generate(cls) -> SealingKey:
        """Make a new key from the system's randomness."""
        return cls(secrets.token_bytes(KEY_SIZE))

    def open(self, sealed: SealedBody | dict[str, Any]) -> bytes:
        """Return the plaintext.

        Raises:
            UnopenableSealError: No JWE as published, not sealed to this key, or changed.
        """
        sealed = sealed if isinstance(sealed, SealedBody) else read(sealed)
        mine = next((r for r in sealed.recipients if r.header.kid == self.kid), None)
        if mine is None:
            raise UnopenableSealError(f"the body is not sealed to key {self.kid}")
        try:
            content_key = self._unwrap(mine)
            return AESGCM(content_key).decrypt(
                _decode(sealed.iv),
                _decode(sealed.ciphertext) + _decode(sealed.tag),
                sealed.protected.encode("ascii"),
            )
        except (ValueError, CryptoError, InvalidUnwrap, InvalidTag):
            raise UnopenableSealError(
                f"the body names key {self.kid} but does not open with it: the sender sealed it "
                "wrongly, for RabbitMQ cannot have changed what is signed. Tell the sender."
            ) from None

    def _unwrap(self, reader: Reader) -> bytes:
        shared = crypto_scalarmult(self._scalar, _decode(reader.header.epk.x))
        return aes_key_unwrap(_derive(shared), _decode(reader.encrypted_key))

    def to_jwk(self) -> dict[str, str]:
        """Return the PRIVATE JWK (RFC 8037 §2)."""
        d = encoding.encode(self._scalar).decode()
        return {**public_jwk(Use.SEALING, self.public), "kid": self.kid, "use": "enc", "d": d}

    @classmethod
    def from_jwk(cls, jwk: dict[str, Any]) -> SealingKey:
        """Read a private JWK.

        Raises:
            ValueError: No X25519 private JWK, or `x` is not the public key of `d`.
        """
        if (jwk.get("kty"), jwk.get("crv")) != ("OKP", Use.SEALING.curve):
            raise ValueError("not a JWK of kty OKP with crv X25519")
        key = cls(encoding.decode(str(jwk.get("d")).encode("ascii")))
        if encoding.encode(key.public).decode() != jwk.get("x"):
            raise ValueError("the JWK's x is not the public key of its d")
        return key


def seal(plaintext: bytes, readers: Sequence[EnrolledKey]) -> dict[str, Any]:
    """Return *plaintext* as a JWE that exactly *readers* can open.

    Args:
        plaintext: The body as JSON text.
        readers: 1 to 8 sealing keys, each of another node; who they are is in the clear.

    Raises:
        WeakKeyError: A reader's key is of low order; enrolment refuses those.
    """
    if not 0 < len(readers) <= READERS_MAX or any(r.use is not Use.SEALING for r in readers):
        raise ValueError(f"a body is sealed to 1 to {READERS_MAX} sealing keys")
    content_key = secrets.token_bytes(KEY_SIZE)
    iv = secrets.token_bytes(_IV_SIZE)
    encrypted = AESGCM(content_key).encrypt(iv, plaintext, _PROTECTED)
    return {
        "protected": _PROTECTED.decode(),
        "iv": _encode(iv),
        "ciphertext": _encode(encrypted[:-_TAG_SIZE]),
        "tag": _encode(encrypted[-_TAG_SIZE:]),
        "recipients": [_entry(content_key, reader) for reader in readers],
    }


def _entry(content_key: bytes, reader: EnrolledKey) -> dict[str, Any]:
    ephemeral = secrets.token_bytes(KEY_SIZE)
    try:
        wrapping_key = _derive(crypto_scalarmult(ephemeral, reader.public))
    except CryptoError:
        raise WeakKeyError(f"sealing key {reader.kid} of node {reader.node} is weak") from None
    epk = public_jwk(Use.SEALING, crypto_scalarmult_base(ephemeral))
    return {
        "header": {"alg": _ALGORITHM, "kid": reader.kid, "epk": epk},
        "encrypted_key": _encode(aes_key_wrap(wrapping_key, content_key)),
    }


def read(jwe: dict[str, Any]) -> SealedBody:
    """Read a JWE's structure strictly; decrypts nothing.

    Raises:
        UnopenableSealError: Other members or algorithms than published; names them.
    """
    try:
        sealed = SealedBody.model_validate(jwe)
    except ValidationError as error:
        places = sorted({".".join(str(part) for part in e["loc"][:3]) for e in error.errors()})
        raise UnopenableSealError(
            f"the sealed body is no JWE as published; wrong: {', '.join(places[:5])}"
        ) from None
    _check_protected(sealed.protected)
    return sealed


@lru_cache(maxsize=16)
def _check_protected(protected: str) -> None:
    try:
        header = strict_json.read_object(_decode(protected))
    except ValueError:
        header = {}
    if header != {"enc": "A256GCM"}:
        raise UnopenableSealError('the JWE\'s protected header must be exactly {"enc":"A256GCM"}')


def _derive(shared: bytes) -> bytes:
    return hashlib.sha256(b"\x00\x00\x00\x01" + shared + _OTHER_INFO).digest()


def _encode(raw: bytes) -> str:
    return encoding.encode(raw).decode()


def _decode(text: str) -> bytes:
    return encoding.decode(text.encode("ascii"))
