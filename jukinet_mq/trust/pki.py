"""A certificate authority for development: one Ed25519 root, two certificates per node.

It stands in for the authority that certifies the nodes of a real network. Every node gets an
Ed25519 key to sign with and an X25519 key to be sealed to, each with an X.509 certificate
(RFC 5280, RFC 8410). All writes are atomic: a node has both its files whole, or is made anew.

    <root>/ca.key.pem            0600
    <root>/ca.cert.pem
    <root>/nodes/<code>.key.pem  0600, PKCS #8, newest key first
    <root>/nodes/<code>.cert.pem one certificate per key
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from jukinet_mq.errors import ConfigurationError, MissingKeyError
from jukinet_mq.nodes import Node, NodeCode
from jukinet_mq.trust.certificates import key_usage, read_all, read_ca, read_certificates
from jukinet_mq.trust.key_files import (
    certificate_path,
    key_path,
    plain_pem,
    read_pem,
    read_private,
)
from jukinet_mq.trust.keys import Use
from jukinet_mq.trust.whole_files import WholeFiles, remove_leftovers, written_whole

__all__ = [
    "Issued",
    "certificate_path",
    "init",
    "key_path",
    "read_all",
    "read_ca",
    "read_certificates",
    "rotate",
]

VALID_FOR: Final = timedelta(days=365)
BACKDATED: Final = timedelta(hours=1)
"""A certificate begins earlier than it is made, for nodes whose clocks are behind."""
ACTIVATION_DELAY: Final = timedelta(minutes=5)
"""A rolled key is used only when every trust store has had time to take it."""
ORGANISATION: Final = "jukinet-mq development"
_PrivateKey = Ed25519PrivateKey | X25519PrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """What `init` or `rotate` did.

    Attributes:
        made: Nodes that got keys.
        kept: Nodes that had theirs already.
    """

    made: tuple[NodeCode, ...]
    kept: tuple[NodeCode, ...]


@dataclass(frozen=True, slots=True)
class _Authority:
    key: Ed25519PrivateKey
    certificate: x509.Certificate


def init(
    root: Path, nodes: Iterable[Node], *, now: datetime, valid_for: timedelta = VALID_FOR
) -> Issued:
    """Make the authority and the keys of *nodes*; what exists already is kept.

    Idempotent, and safe to run twice at once. A node of which one file is missing gets both
    anew, since a private key without its certificate was never enrolled.

    Args:
        root: Made if it is missing, mode 0700.
        nodes: Whom to certify.
        now: The clock's instant, aware UTC.
        valid_for: How long the certificates are valid; the authority's is ten times that.

    Raises:
        ConfigurationError: The authority's files do not belong together.
        UnsafeKeyFileError: Others than the owner can read the authority's key.
    """
    made, kept = [], []
    begins, ends = now - BACKDATED, now + valid_for
    with _locked(root), written_whole() as files:
        authority = _open_or_make(root, files, now=now, valid_for=valid_for)
        for node in nodes:
            if key_path(root, node.code).exists() and certificate_path(root, node.code).exists():
                kept.append(node.code)
            else:
                pair = _issue(node.code, authority, begins=begins, ends=ends)
                _put(root, node.code, files, pair)
                made.append(node.code)
    return Issued(tuple(made), tuple(kept))


def rotate(
    root: Path,
    nodes: Iterable[Node],
    *,
    now: datetime,
    valid_for: timedelta = VALID_FOR,
    activation_delay: timedelta = ACTIVATION_DELAY,
) -> Issued:
    """Give *nodes* new keys beside their old ones.

    Until *activation_delay* is over, `KeyRing` and `TrustStore.sealing_key` go on with the old
    keys, so enrol the new certificates at every node within it. What was sealed to an old key
    still opens.

    Raises:
        MissingKeyError: There is no authority at *root*, or a node has no keys yet.
    """
    codes = tuple(node.code for node in nodes)
    begins = now + activation_delay
    with _locked(root), written_whole() as files:
        authority = _read_authority(root)
        for code in codes:
            read_private(key_path(root, code))
            secret, public = _issue(code, authority, begins=begins, ends=begins + valid_for)
            secret += read_pem(key_path(root, code))
            public += read_pem(certificate_path(root, code))
            _put(root, code, files, (secret, public))
    return Issued(codes, ())


def _issue(
    code: NodeCode, authority: _Authority, *, begins: datetime, ends: datetime
) -> tuple[bytes, bytes]:
    """Return two new private keys and their certificates, both as PEM."""
    keys: tuple[_PrivateKey, ...] = (Ed25519PrivateKey.generate(), X25519PrivateKey.generate())
    certificates = [_certify(key, code, authority, begins=begins, ends=ends) for key in keys]
    return b"".join(map(_pem, keys)), b"".join(
        certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates
    )


def _put(root: Path, code: NodeCode, files: WholeFiles, pair: tuple[bytes, bytes]) -> None:
    # The key first: a crash in between leaves a key that nobody uses. The other way round, a
    # certificate could be enrolled, and sealed to, whose private key exists nowhere.
    secret, public = pair
    files.write(key_path(root, code), secret, mode=0o600)
    files.write(certificate_path(root, code), public, mode=0o644)


def _certify(
    key: _PrivateKey, name: str, authority: _Authority, *, begins: datetime, ends: datetime
) -> x509.Certificate:
    use = Use.SIGNING if isinstance(key, Ed25519PrivateKey) else Use.SEALING
    ca = authority.certificate
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(min(ends, ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(use), critical=True)
        .sign(authority.key, None)
    )


def _open_or_make(
    root: Path, files: WholeFiles, *, now: datetime, valid_for: timedelta
) -> _Authority:
    if (root / "ca.key.pem").exists() or (root / "ca.cert.pem").exists():
        return _read_authority(root)
    key = Ed25519PrivateKey.generate()
    name = _name("jukinet-mq development authority")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + 10 * valid_for)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(None), critical=True)
        .sign(key, None)
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    files.write(root / "ca.key.pem", _pem(key), mode=0o600)
    files.write(root / "ca.cert.pem", pem, mode=0o644)
    return _Authority(key, certificate)


def _read_authority(root: Path) -> _Authority:
    keys = read_private(root / "ca.key.pem")
    try:
        pem = plain_pem((root / "ca.cert.pem").read_bytes())
    except FileNotFoundError:
        raise MissingKeyError(
            f"{root}: ca.key.pem is there without ca.cert.pem. Restore it, or remove the "
            "directory and run `jukinet trust init` anew."
        ) from None
    certificate = x509.load_pem_x509_certificate(pem)
    match keys:
        case [Ed25519PrivateKey() as key] if key.public_key() == certificate.public_key():
            return _Authority(key, certificate)
    raise ConfigurationError(f"{root}: ca.key.pem is not the key of ca.cert.pem")


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Make the directories, keep other processes out, clear away what a killed one left."""
    try:
        for directory in (root, root / "nodes"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            remove_leftovers(root, root / "nodes")
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"{root}: keys cannot be written there: {error.strerror}. Nothing was changed."
        ) from error
