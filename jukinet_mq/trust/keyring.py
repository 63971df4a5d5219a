"""The private keys of the nodes that this process hosts, read when they are first needed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jukinet_mq.errors import (
    ConfigurationError,
    ImpossibleDateError,
    MissingKeyError,
    UnsafeKeyFileError,
)
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust.sealing import SealingKey
from jukinet_mq.trust.signing import SigningKey

_SIZE_MAX: Final = 64 * 1024
_PRIVATE: Final = re.compile(
    rb"-----BEGIN PRIVATE KEY-----\n.+?\n-----END PRIVATE KEY-----\n?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Keys:
    """One node's keys; those that sign stand with the first instant they may, newest first."""

    signing: tuple[tuple[datetime, SigningKey], ...]
    sealing: tuple[SealingKey, ...]


class KeyRing:
    """Private keys under one directory, as `trust.pki` lays it out.

    Holds what it has read, at most one entry per node of the directory; `forget` makes it
    read anew, which a process must do after a key was rolled.
    """

    __slots__ = ("_nodes", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._nodes: dict[NodeCode, _Keys] = {}

    def __repr__(self) -> str:
        return f"KeyRing({str(self._root)!r})"

    def signing_key(self, node: NodeCode, at: datetime) -> SigningKey:
        """Return the newest key of *node* whose certificate has begun by *at*.

        Raises:
            MissingKeyError: There is none in this directory.
            ImpossibleDateError: There are some, and none had begun by *at*.
            UnsafeKeyFileError: Others than its owner can read the file.
        """
        signing = self._keys(node).signing
        for valid_from, key in signing:
            if valid_from <= at:
                return key
        if signing:
            raise ImpossibleDateError(
                f"occurred_at: lies before {signing[-1][0]:%Y-%m-%dT%H:%M:%SZ}, when the first key "
                f"of node {node} began; no key can sign for an earlier instant. Correct it, or "
                "leave it out for what is dated at its filing.",
                field="occurred_at",
            )
        raise MissingKeyError(
            f"node {node} has no signing key with a certificate under {self._root}. Run "
            "`jukinet trust init`."
        )

    def sealing_keys(self, node: NodeCode) -> Sequence[SealingKey]:
        """Return every key of *node* that a body may be sealed to, newest first.

        Raises:
            MissingKeyError: There is no key file of *node* in this directory.
            UnsafeKeyFileError: Others than its owner can read the file.
        """
        return self._keys(node).sealing

    def forget(self) -> None:
        """Read every file anew when it is next needed."""
        self._nodes = {}

    def _keys(self, node: NodeCode) -> _Keys:
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = self._read(node)
        return found

    def _read(self, node: NodeCode) -> _Keys:
        if re.fullmatch(r"\d{6}|jlis", node) is None:
            raise MissingKeyError(f"a code of {len(node)} characters is no node's")
        begins = self._begins(self._root / "nodes" / f"{node}.cert.pem")
        keys = read_private(self._root / "nodes" / f"{node}.key.pem")
        signing = [
            (begins[key.public_key().public_bytes_raw()], SigningKey(key.private_bytes_raw()))
            for key in keys
            # A key without a certificate is enrolled nowhere yet.
            if isinstance(key, Ed25519PrivateKey) and key.public_key().public_bytes_raw() in begins
        ]
        sealing = [
            SealingKey(key.private_bytes_raw()) for key in keys if isinstance(key, X25519PrivateKey)
        ]
        signing.sort(key=lambda pair: pair[0], reverse=True)
        return _Keys(tuple(signing), tuple(sealing))

    def _begins(self, path: Path) -> dict[bytes, datetime]:
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except FileNotFoundError:
            raise MissingKeyError(
                f"{path} is missing. Run `jukinet trust init`, or set JUKINET_HOME to the "
                "directory that holds this node's keys."
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read as certificates: {error}") from None
        return {
            certificate.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )[-32:]: certificate.not_valid_before_utc
            for certificate in certificates
        }


def read_private(path: Path) -> list[PrivateKeyTypes]:
    """Read the private keys of a file: PKCS #8 in PEM, not encrypted, in the file's order.

    Raises:
        MissingKeyError: There is no such file.
        UnsafeKeyFileError: Group or others have any right to it, or another user owns it.
        ConfigurationError: It holds no private keys.
    """
    found = _PRIVATE.findall(_read_safely(path))
    try:
        keys = [serialization.load_pem_private_key(pem, password=None) for pem in found]
    except ValueError:
        keys = []
    if not keys:
        raise ConfigurationError(f"{path} holds no private keys in PKCS #8 and PEM")
    return keys


def _read_safely(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MissingKeyError(
            f"{path} is missing. Run `jukinet trust init`, or set JUKINET_HOME to the "
            "directory that holds this node's keys."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        # The open file is asked, not its name, which could be pointed elsewhere in between.
        status = os.fstat(file.fileno())
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise UnsafeKeyFileError(
                f"{path} has mode {stat.S_IMODE(status.st_mode):04o}; a private key needs 0600. "
                f"Run `chmod 600 {path}`, and make a new key if others may have read it."
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise UnsafeKeyFileError(f"{path} belongs to user id {status.st_uid}, not to this one")
        return file.read(_SIZE_MAX)
