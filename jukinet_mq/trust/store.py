"""The trust store: which public key is whose, as one snapshot that never changes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_scalarmult
from nacl.exceptions import CryptoError

from jukinet_mq.errors import InvariantError, UnknownKeyError, UntrustedSignerError, WeakKeyError
from jukinet_mq.nodes import Directory, NodeCode
from jukinet_mq.trust.keys import KEY_SIZE, EnrolledKey, Use, thumbprint

_ANY_SCALAR = bytes([8] * KEY_SIZE)
_X25519_PRIME = 2**255 - 19


class TrustStore:
    """Enrolled keys at one moment; a worker takes a fresh one, it never changes one."""

    __slots__ = ("_readers", "_sealing", "_signers")

    def __init__(self, keys: Iterable[EnrolledKey] = ()) -> None:
        self._signers: dict[str, EnrolledKey] = {}
        self._readers: dict[str, EnrolledKey] = {}
        self._sealing: dict[NodeCode, list[EnrolledKey]] = {}
        for key in keys:
            self._add(key)
        for ring in self._sealing.values():
            ring.sort(key=lambda key: key.valid_from, reverse=True)

    @classmethod
    def from_keys(cls, keys: Iterable[EnrolledKey]) -> TrustStore:
        """Index *keys*, each of which `check_enrolment` has let in.

        Raises:
            InvariantError: One kid twice: nobody could say whose signature it is.
        """
        return cls(keys)

    def __len__(self) -> int:
        return len(self._signers) + len(self._readers)

    @property
    def keys(self) -> tuple[EnrolledKey, ...]:
        """Every enrolled key, revoked and expired ones too."""
        return (*self._signers.values(), *self._readers.values())

    def signer(self, kid: str) -> EnrolledKey | None:
        """Return the signing key with this kid, revoked or not; None if none is enrolled."""
        return self._signers.get(kid)

    def reader(self, kid: str) -> EnrolledKey | None:
        """Return the sealing key with this kid, revoked or not; None if none is enrolled."""
        return self._readers.get(kid)

    def sealing_key(self, node: NodeCode, at: datetime) -> EnrolledKey:
        """Return the key to seal to *node* with: the newest that is valid and not revoked.

        Raises:
            UnknownKeyError: *node* has none.
        """
        for key in self._sealing.get(node, ()):
            if key.is_valid_at(at) and not key.is_revoked_at(at):
                return key
        raise UnknownKeyError(
            f"node {node} has no sealing key that is valid at {at:%Y-%m-%dT%H:%M:%SZ}. "
            f"Run `jukinet trust enrol {node} CERT` with its present certificate."
        )

    def _add(self, key: EnrolledKey) -> None:
        if key.kid in self._signers or key.kid in self._readers:
            raise InvariantError(
                f"the trust store holds key {key.kid} twice, once for node {key.node}; "
                "one key belongs to one node. Look at its enrolments before you go on."
            )
        if key.use is Use.SIGNING:
            self._signers[key.kid] = key
        else:
            self._readers[key.kid] = key
            self._sealing.setdefault(key.node, []).append(key)


def check_enrolment(key: EnrolledKey, *, directory: Directory) -> None:
    """Refuse a key that must not enter a trust store.

    Raises:
        UnknownNodeError: Its node is none (also WardIsNotANodeError, CheckDigitError).
        UnknownKeyError: Its kid is not its thumbprint.
        UntrustedSignerError: It ends before it begins.
        WeakKeyError: Of low order, not canonical, or not on its curve.
    """
    directory.node(key.node)
    if key.kid != thumbprint(key.use, key.public):
        raise UnknownKeyError(f"kid {key.kid} is not the thumbprint (RFC 7638) of its public key")
    if key.valid_from >= key.valid_until:
        raise UntrustedSignerError(
            f"key {key.kid} of node {key.node} is valid from {key.valid_from:%Y-%m-%d} only "
            f"until {key.valid_until:%Y-%m-%d}: no instant lies between"
        )
    if not _is_strong(key):
        raise WeakKeyError(
            f"the {key.use.curve} key of node {key.node} is of low order, not canonical or no "
            "point: it would prove or hide nothing. Have the node make a new key."
        )


def _is_strong(key: EnrolledKey) -> bool:
    # Under a small-order Ed25519 key one signature verifies for any message, and OpenSSL lets
    # it; sealing to a small-order X25519 key would hide nothing from anyone. Another encoding of
    # an X25519 key has another kid, which its node would not know as its own.
    if key.use is Use.SIGNING:
        return crypto_core_ed25519_is_valid_point(key.public)
    if int.from_bytes(key.public, "little") >= _X25519_PRIME:
        return False
    try:
        crypto_scalarmult(_ANY_SCALAR, key.public)
    except CryptoError:
        return False
    return True
