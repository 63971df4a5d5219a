"""Certificates read back: what an authority has said of a node's public keys."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.x509.oid import NameOID

from jukinet_mq.errors import ConfigurationError, UntrustedSignerError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust.key_files import plain_pem
from jukinet_mq.trust.keys import EnrolledKey, Use, thumbprint


def read_certificates(path: Path, ca: x509.Certificate, *, at: datetime) -> list[EnrolledKey]:
    """Read a node's certificates, after holding each against *ca*.

    Args:
        path: PEM, one certificate or more.
        ca: The authority, from `read_ca`.
        at: The clock's instant; certificates whose time is over are left out, and refused
            where there is no other. One whose time is still to come is taken: that is how a
            key is rolled.

    Raises:
        ConfigurationError: No certificates can be read there.
        UntrustedSignerError: Not issued by *ca*, all over, or not of the form that it issues.
    """
    try:
        certificates = x509.load_pem_x509_certificates(plain_pem(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: no certificates in PEM can be read: {error}") from None
    # What was rolled stays beside its successor, until after its own time.
    present = [c for c in certificates if at < c.not_valid_after_utc] or certificates
    return [_enrolled(certificate, ca, path, at=at) for certificate in present]


def read_ca(path: Path, *, at: datetime) -> x509.Certificate:
    """Read an authority's certificate, such as `<root>/ca.cert.pem`.

    Raises:
        ConfigurationError: Unreadable, over, not signed by itself, or no authority.
    """
    try:
        ca = x509.load_pem_x509_certificate(plain_pem(path.read_bytes()))
        ca.verify_directly_issued_by(ca)
        constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    except (
        OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm,
        x509.ExtensionNotFound,
    ) as error:  # fmt: skip
        raise ConfigurationError(
            f"{path}: no certificate of an authority can be read ({type(error).__name__}). Run "
            "`jukinet trust init`, or name the authority's own certificate."
        ) from None
    if not (constraints.ca and usage.key_cert_sign):
        raise ConfigurationError(f"{path}: the certificate is not one of an authority")
    if not ca.not_valid_before_utc <= at < ca.not_valid_after_utc:
        raise ConfigurationError(
            f"{path}: the authority is valid from {ca.not_valid_before_utc:%Y-%m-%d} until "
            f"{ca.not_valid_after_utc:%Y-%m-%d}. Make a new one and enrol its certificates."
        )
    return ca


def read_all(root: Path, *, at: datetime) -> list[EnrolledKey]:
    """Read and check the certificates of every node under *root*; raises as the two above."""
    ca = read_ca(root / "ca.cert.pem", at=at)
    paths = sorted((root / "nodes").glob("*.cert.pem"))
    return [key for path in paths for key in read_certificates(path, ca, at=at)]


def key_usage(use: Use | None) -> x509.KeyUsage:
    """Return the exact key usage of a node's key, or, for None, of the authority's."""
    return x509.KeyUsage(
        digital_signature=use is Use.SIGNING,
        key_agreement=use is Use.SEALING,
        key_cert_sign=use is None,
        crl_sign=use is None,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        encipher_only=False,
        decipher_only=False,
    )


def _enrolled(
    certificate: x509.Certificate, ca: x509.Certificate, path: Path, *, at: datetime
) -> EnrolledKey:
    _check_chain(certificate, ca, path, at=at)
    node = path.name.removesuffix(".cert.pem") if path.name.endswith(".cert.pem") else None
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or node not in (None, names[0].value):
        raise UntrustedSignerError(
            f"{path}: the certificate must name one node as CN, that of its file's name"
        )
    use, public = _certified_key(certificate, path)
    return EnrolledKey(
        node=NodeCode(str(names[0].value)),
        use=use,
        kid=thumbprint(use, public),
        public=public,
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


def _check_chain(
    certificate: x509.Certificate, ca: x509.Certificate, path: Path, *, at: datetime
) -> None:
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise UntrustedSignerError(
            f"{path}: certificate {certificate.serial_number:x} is not issued by "
            f"{ca.subject.rfc4514_string()}. Ask the node for the certificate that its "
            "authority issued."
        ) from None
    if certificate.not_valid_after_utc <= at:
        raise UntrustedSignerError(
            f"{path}: certificate {certificate.serial_number:x} was valid until "
            f"{certificate.not_valid_after_utc:%Y-%m-%d}. Have the node make a new key."
        )


def _certified_key(certificate: x509.Certificate, path: Path) -> tuple[Use, bytes]:
    """Return what the certificate's key is for, by its kind *and* by its stated usage."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension):
        raise UntrustedSignerError(f"{path}: a certificate does not say what it is for") from None
    if not constraints.ca:
        match public:
            case Ed25519PublicKey() if usage == key_usage(Use.SIGNING):
                return Use.SIGNING, public.public_bytes_raw()
            case X25519PublicKey() if usage == key_usage(Use.SEALING):
                return Use.SEALING, public.public_bytes_raw()
    raise UntrustedSignerError(
        f"{path}: expected an Ed25519 key for digital signature or an X25519 key for key "
        "agreement, and no other use"
    )
