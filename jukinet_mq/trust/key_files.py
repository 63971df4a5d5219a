"""Reads key and certificate files of a node, and says exactly what is wrong with one."""

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
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from jukinet_mq.errors import MissingKeyError, NodeKeyError, UnsafeKeyFileError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust.sealing import SealingKey
from jukinet_mq.trust.signing import SigningKey

_SIZE_MAX: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_PRIVATE: Final = re.compile(
    rb"-----BEGIN PRIVATE KEY-----\n.+?\n-----END PRIVATE KEY-----\n?", re.DOTALL
)
_CODE: Final = re.compile(r"\d{6}|jlis", re.ASCII)


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A signing key and the time for which its certificate makes it valid.

    Attributes:
        valid_until: The first instant after that time.
    """

    key: SigningKey
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """One node's private keys, newest first; at least one of each."""

    signing: tuple[CertifiedKey, ...]
    sealing: tuple[SealingKey, ...]


Signature = tuple[tuple[int, ...] | None, ...]
"""What tells one state of a node's two files from another without reading them."""


def key_path(root: Path, node: NodeCode) -> Path:
    """Return where a node's private keys are."""
    return root / "nodes" / f"{node}.key.pem"


def certificate_path(root: Path, node: NodeCode) -> Path:
    """Return where a node's certificates are."""
    return root / "nodes" / f"{node}.cert.pem"


def signature_of(root: Path, node: NodeCode) -> Signature:
    """Return a value that changes when one of the node's files, or a right to it, changes."""
    return tuple(_signature(path) for path in (key_path(root, node), certificate_path(root, node)))


def read_node(root: Path, node: NodeCode) -> NodeKeys:
    """Read the keys of *node*.

    Raises:
        NodeKeyError: A file is missing, unsafe, unreadable or not what it must be; `node` is
            the node's code.
    """
    try:
        if _CODE.fullmatch(node) is None:
            raise MissingKeyError(f"a code of {len(node)} characters is no node's")
        certificates = _certificates(certificate_path(root, node), node)
        return _paired(root, node, certificates, read_private(key_path(root, node)))
    except NodeKeyError as error:
        error.facts["node"] = node
        raise


def read_private(path: Path) -> list[PrivateKeyTypes]:
    """Read the private keys of a file: PKCS #8 in PEM, not encrypted, in the file's order.

    Raises:
        MissingKeyError: There is no such file.
        UnsafeKeyFileError: Group or others have any right to it, or another user owns it.
        NodeKeyError: It is no regular file, cannot be read, or holds no private keys.
    """
    found = _PRIVATE.findall(_read(path, private=True))
    try:
        keys = [serialization.load_pem_private_key(pem, password=None) for pem in found]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        keys = []
    if not keys:
        raise NodeKeyError(
            f"{path} holds no private keys in PKCS #8 and PEM, or a damaged one. Restore it from "
            "the backup; an encrypted key, a JWK or DER must be converted."
        )
    return keys


def read_pem(path: Path) -> bytes:
    """Return the text of a PEM file that need not be secret, as `plain_pem` has it.

    Raises:
        MissingKeyError: There is no such file.
        NodeKeyError: It is no regular file or cannot be read.
    """
    return _read(path, private=False)


def plain_pem(text: bytes) -> bytes:
    """Return *text* with Unix line ends and without a byte order mark, which editors leave."""
    return text.replace(_BYTE_ORDER_MARK, b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _paired(
    root: Path,
    node: NodeCode,
    certificates: Sequence[x509.Certificate],
    keys: Sequence[PrivateKeyTypes],
) -> NodeKeys:
    signing = [
        CertifiedKey(
            SigningKey(key.private_bytes_raw()),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
        for key in keys
        if isinstance(key, Ed25519PrivateKey)
        # A key without a certificate is enrolled nowhere yet.
        for certificate in certificates
        if _key_of(certificate) == key.public_key()
    ]
    sealing = [
        SealingKey(key.private_bytes_raw()) for key in keys if isinstance(key, X25519PrivateKey)
    ]
    if not signing:
        raise MissingKeyError(
            f"{key_path(root, node)} holds no Ed25519 key to which a certificate in "
            f"{certificate_path(root, node)} belongs; one of the two is another node's or of "
            "another time. Restore the pair of files."
        )
    if not sealing:
        raise MissingKeyError(
            f"{key_path(root, node)} holds no X25519 key, so nothing that is sealed to the node "
            "could be opened. Restore the file with both keys."
        )
    signing.sort(key=lambda one: one.valid_from, reverse=True)
    return NodeKeys(tuple(signing), tuple(sealing))


def _key_of(certificate: x509.Certificate) -> Ed25519PublicKey | None:
    public = certificate.public_key()
    return public if isinstance(public, Ed25519PublicKey) else None


def _certificates(path: Path, node: NodeCode) -> list[x509.Certificate]:
    pem = read_pem(path)
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        names = {_name_of(certificate) for certificate in certificates}
        for certificate in certificates:
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise NodeKeyError(
            f"{path} cannot be read as certificates in PEM, or one is damaged. Restore it, or ask "
            "the authority for it again."
        ) from None
    if names != {node}:
        raise NodeKeyError(
            f"{path} must hold certificates of node {node} alone (CN), and holds those of "
            f"{', '.join(sorted(map(str, names)))}. Put each node's files back under its own name."
        )
    return certificates


def _name_of(certificate: x509.Certificate) -> str | bytes:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return names[0].value if len(names) == 1 else "nobody"


def _read(path: Path, *, private: bool) -> bytes:
    try:
        # Opening a named pipe must not wait for who writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # The open file is asked, not its name, which could be pointed elsewhere in between.
            _check_file(path, os.fstat(descriptor), private=private)
            text = _read_all(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise MissingKeyError(
            f"{path} is missing. Restore it from the backup, run `jukinet trust init` for "
            "development keys, or set JUKINET_HOME to the directory that holds this node's keys."
        ) from None
    except OSError as error:
        raise NodeKeyError(
            f"{path} cannot be read: {error.strerror}. Make it a regular file that user id "
            f"{os.geteuid()} can read."
        ) from None
    if len(text) > _SIZE_MAX:
        raise NodeKeyError(f"{path} has more than {_SIZE_MAX // 1024} KiB; that is no key file")
    return plain_pem(text)


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(_SIZE_MAX + 1)


def _check_file(path: Path, status: os.stat_result, *, private: bool) -> None:
    mode, user = stat.S_IMODE(status.st_mode), os.geteuid()
    if not stat.S_ISREG(status.st_mode):
        raise NodeKeyError(f"{path} is no regular file. Put the node's file in its place.")
    if private and mode & 0o077:
        raise UnsafeKeyFileError(
            f"{path} has mode {mode:04o}; a private key needs 0600. Run `chmod 600 {path}`, and "
            "make a new key if others may have read it."
        )
    if private and status.st_uid not in (user, 0):
        raise UnsafeKeyFileError(
            f"{path} belongs to user id {status.st_uid}; a private key must belong to user id "
            f"{user}, which reads it. Run `chown {user} {path}`, and make a new key if that user "
            "had no right to it."
        )


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (
        status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_size,
        status.st_mtime_ns, status.st_ctime_ns,
    )  # fmt: skip
