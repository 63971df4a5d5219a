from __future__ import annotations

import stat
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from jukinet_mq.errors import (
    ConfigurationError,
    MissingKeyError,
    SigningKeyNotValidError,
    UnsafeKeyFileError,
    UntrustedSignerError,
)
from jukinet_mq.nodes import directory
from jukinet_mq.trust import TrustStore, Use, check_enrolment, pki, seal, signing
from jukinet_mq.trust.certificates import key_usage
from jukinet_mq.trust.key_files import read_private
from jukinet_mq.trust.keyring import KeyRing
from tests.unit.trust.conftest import CHIYODA, JLIS, NOW, TOKYO

NODES = [directory().node(code) for code in (CHIYODA, TOKYO, JLIS)]
YEAR = timedelta(days=365)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An authority with the keys of three nodes, made at NOW."""
    pki.init(tmp_path / "trust", NODES, now=NOW)
    return tmp_path / "trust"


def files(root: Path) -> dict[Path, bytes]:
    """Return every file's content."""
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_issued_is_enrolled_signs_and_opens(root: Path) -> None:
    """From files alone: every node's signature verifies, and what is sealed to it opens."""
    keys = pki.read_all(root, at=NOW)
    ring, store = KeyRing(root), TrustStore.from_keys(keys)

    for key in keys:
        check_enrolment(key, directory=directory())
    for node in NODES:
        compact = signing.read(ring.signing_key(node.code, NOW).sign(b"{}"))
        signer = store.signer(compact.kid)
        assert signer is not None
        assert (node.code, True) == (signer.node, signer.is_valid_at(NOW))
        compact.check(signer.public)
        sealed = seal(b"secret", [store.sealing_key(node.code, NOW)])
        assert b"secret" == ring.sealing_keys(node.code)[0].open(sealed)
    assert 2 * len(NODES) == len(keys)


def test_private_keys_are_their_owners_alone(root: Path) -> None:
    """Directories 0700, keys 0600, and nothing half-written is left behind."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")]}

    assert {0o600} == {mode for name, mode in modes.items() if name.endswith("key.pem")}
    assert {0o700} == {modes["trust"], modes["nodes"]}
    assert [] == [name for name in modes if name.startswith(".")]
    assert 4 * 2 == len(files(root))


def test_keys_stay_as_they_are(root: Path) -> None:
    """A second run makes keys for new nodes only and touches no file of the others."""
    before = files(root)
    osaka = directory().node("270008")

    issued = pki.init(root, [*NODES, osaka], now=NOW + timedelta(days=1))

    assert ((osaka.code,), (CHIYODA, TOKYO, JLIS)) == (issued.made, issued.kept)
    assert before == {path: files(root)[path] for path in before}


@pytest.mark.parametrize("lost", [pki.key_path, pki.certificate_path])
def test_half_a_node_is_made_anew(root: Path, lost: Callable[[Path, str], Path]) -> None:
    """A crash between the two files leaves nothing that a second run does not heal."""
    lost(root, CHIYODA).unlink()

    issued = pki.init(root, NODES, now=NOW)

    assert (CHIYODA,) == issued.made
    signer = KeyRing(root).signing_key(CHIYODA, NOW)
    assert signer.kid in {key.kid for key in pki.read_all(root, at=NOW)}


def test_the_whole_nation_has_keys_within_seconds(tmp_path: Path) -> None:
    """1,789 nodes in under 8 s of this process's time; measured 3.3 s on a busy machine."""
    nodes = directory().nodes()
    started = time.process_time()

    issued = pki.init(tmp_path / "trust", nodes, now=NOW)

    assert 1789 == len(issued.made)
    assert time.process_time() - started < 8


def test_a_rolled_key_is_used_when_its_time_comes(root: Path) -> None:
    """Until trust stores have had time to take it, the old key signs; the old still opens after."""
    ring = KeyRing(root)
    old, old_sealing = ring.signing_key(CHIYODA, NOW), ring.sealing_keys(CHIYODA)[0]

    pki.rotate(root, NODES[:1], now=NOW)
    ring.forget()
    store = TrustStore.from_keys(pki.read_all(root, at=NOW))

    soon = NOW + timedelta(minutes=5)
    assert old.kid == ring.signing_key(CHIYODA, soon - timedelta(seconds=1)).kid
    new = ring.signing_key(CHIYODA, soon)
    assert old.kid != new.kid
    for kid in (old.kid, new.kid):
        signer = store.signer(kid)
        assert signer is not None
        assert signer.is_valid_at(soon)
    assert old_sealing.kid == store.sealing_key(CHIYODA, NOW).kid
    newest = store.sealing_key(CHIYODA, soon)
    assert old_sealing.kid != newest.kid
    assert {newest.kid, old_sealing.kid} == {key.kid for key in ring.sealing_keys(CHIYODA)}


def test_a_key_without_a_certificate_does_not_sign(root: Path) -> None:
    """A roll that was cut off after the key file leaves the old key in use."""
    ring = KeyRing(root)
    old = ring.signing_key(CHIYODA, NOW)
    certificates = pki.certificate_path(root, CHIYODA).read_bytes()
    pki.rotate(root, NODES[:1], now=NOW)
    pki.certificate_path(root, CHIYODA).write_bytes(certificates)

    ring.forget()

    assert old.kid == ring.signing_key(CHIYODA, NOW + timedelta(days=1)).kid


def test_a_node_without_keys_cannot_roll_them(root: Path) -> None:
    """There is nothing to roll; the error names the file and the command."""
    with pytest.raises(MissingKeyError, match="jukinet trust init"):
        pki.rotate(root, [directory().node("270008")], now=NOW)


def test_a_run_that_fails_leaves_nothing_half_done(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a name without its content nor a temporary file; the keys before still work."""
    before = files(root)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigurationError, match="No space"):
        pki.rotate(root, NODES, now=NOW)

    assert before == files(root)


def test_what_a_killed_run_left_is_cleared_away(root: Path) -> None:
    """A private key under a temporary name does not lie about for ever."""
    before = files(root)
    (root / "nodes" / ".131016.key.pem.0a1b2c3d").write_bytes(b"left over")

    pki.init(root, NODES, now=NOW)

    assert before == files(root)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_private_key_that_others_can_read_is_not_used(root: Path, mode: int) -> None:
    """Neither the node's nor the authority's; the error says what to do."""
    path = pki.key_path(root, CHIYODA)
    path.chmod(mode)
    (root / "ca.key.pem").chmod(mode)

    with pytest.raises(UnsafeKeyFileError, match="chmod 600"):
        KeyRing(root).signing_key(CHIYODA, NOW)
    with pytest.raises(UnsafeKeyFileError, match="chmod 600"):
        pki.init(root, NODES, now=NOW)


@pytest.mark.parametrize("code", ["270008", "../ca", "131016/../jlis", ""])
def test_a_key_that_is_not_there_is_missing(root: Path, code: str) -> None:
    """Whatever the code, the answer is the same, and no other file is opened."""
    with pytest.raises(MissingKeyError):
        KeyRing(root).sealing_keys(code)  # type: ignore[arg-type]


def test_a_certificate_that_has_not_begun_does_not_sign(root: Path) -> None:
    """A clock that stands before the first certificate has no key to sign with."""
    with pytest.raises(SigningKeyNotValidError, match=r"begins at 2026-"):
        KeyRing(root).signing_key(CHIYODA, NOW - timedelta(days=1))


def test_keys_are_read_once(root: Path) -> None:
    """A ring holds what it has read until it is told to forget."""
    ring = KeyRing(root)
    first = ring.signing_key(CHIYODA, NOW)
    pki.key_path(root, CHIYODA).unlink()

    assert first is ring.signing_key(CHIYODA, NOW)
    ring.forget()
    with pytest.raises(MissingKeyError):
        ring.signing_key(CHIYODA, NOW)


@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAA\n"])
def test_a_damaged_key_file_is_named(root: Path, content: bytes) -> None:
    """No traceback of a library, and nothing of the content in the text."""
    pki.key_path(root, CHIYODA).write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"131016\.key\.pem"):
        KeyRing(root).signing_key(CHIYODA, NOW)


def test_a_damaged_certificate_file_is_named(root: Path) -> None:
    """Both for the node's own use and at an enrolment."""
    path = pki.certificate_path(root, CHIYODA)
    path.write_bytes(b"garbage")

    with pytest.raises(ConfigurationError, match=r"131016\.cert\.pem"):
        KeyRing(root).signing_key(CHIYODA, NOW)
    with pytest.raises(ConfigurationError, match=r"131016\.cert\.pem"):
        pki.read_all(root, at=NOW)


def test_a_certificate_of_another_authority_is_refused(root: Path, tmp_path: Path) -> None:
    """The same names, signed by somebody else's root."""
    pki.init(tmp_path / "other", NODES, now=NOW)
    ca = pki.read_ca(tmp_path / "other" / "ca.cert.pem", at=NOW)

    with pytest.raises(UntrustedSignerError, match="is not issued by"):
        pki.read_certificates(pki.certificate_path(root, CHIYODA), ca, at=NOW)


def test_an_expired_certificate_is_not_enrolled(root: Path) -> None:
    """At the instant that it ends, not a second later."""
    ca = pki.read_ca(root / "ca.cert.pem", at=NOW)
    path = pki.certificate_path(root, CHIYODA)

    assert 2 == len(pki.read_certificates(path, ca, at=NOW + YEAR - timedelta(seconds=1)))
    with pytest.raises(UntrustedSignerError, match="was valid until"):
        pki.read_certificates(path, ca, at=NOW + YEAR)


def test_an_expired_certificate_beside_its_successor_is_left_out(root: Path) -> None:
    """A rolled key's file can be enrolled after the old key's time; only the new keys are."""
    node = directory().node(CHIYODA)
    pki.rotate(root, [node], now=NOW + timedelta(days=300))
    ca = pki.read_ca(root / "ca.cert.pem", at=NOW)

    both = pki.read_certificates(pki.certificate_path(root, CHIYODA), ca, at=NOW)
    later = pki.read_certificates(pki.certificate_path(root, CHIYODA), ca, at=NOW + YEAR)

    assert 4 == len(both)
    assert 2 == len(later)
    assert {key.valid_until for key in later} == {key.valid_until for key in both[:2]}


def test_a_certificate_under_another_nodes_name_is_refused(root: Path) -> None:
    """A file named for Chiyoda cannot hold Tokyo's certificate."""
    path = pki.certificate_path(root, CHIYODA)
    path.write_bytes(pki.certificate_path(root, TOKYO).read_bytes())

    with pytest.raises(UntrustedSignerError, match="its file's name"):
        pki.read_all(root, at=NOW)


SIGNS, SEALS = key_usage(Use.SIGNING), key_usage(Use.SEALING)


@pytest.mark.parametrize(
    ("key", "usage", "is_ca"),
    [
        (Ed25519PrivateKey.generate(), SEALS, False),
        (X25519PrivateKey.generate(), SIGNS, False),
        (Ed25519PrivateKey.generate(), key_usage(None), False),
        (Ed25519PrivateKey.generate(), SIGNS, True),
        (Ed25519PrivateKey.generate(), None, False),
    ],
)
def test_a_certificate_must_say_its_keys_one_use(
    root: Path,
    key: Ed25519PrivateKey | X25519PrivateKey,
    usage: x509.KeyUsage | None,
    is_ca: bool,
) -> None:
    """A signing key is for signatures, a sealing key for agreement, and neither certifies."""
    ca = pki.read_ca(root / "ca.cert.pem", at=NOW)
    authority = read_private(root / "ca.key.pem")[0]
    assert isinstance(authority, Ed25519PrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CHIYODA)]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + YEAR)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    pem = builder.sign(authority, None).public_bytes(serialization.Encoding.PEM)
    pki.certificate_path(root, CHIYODA).write_bytes(pem)

    with pytest.raises(UntrustedSignerError):
        pki.read_certificates(pki.certificate_path(root, CHIYODA), ca, at=NOW)


def test_a_nodes_certificate_is_no_authority(root: Path) -> None:
    """A node cannot vouch for others, and an authority's time ends too."""
    with pytest.raises(ConfigurationError, match="authority"):
        pki.read_ca(pki.certificate_path(root, CHIYODA), at=NOW)
    with pytest.raises(ConfigurationError, match="valid from"):
        pki.read_ca(root / "ca.cert.pem", at=NOW + 11 * YEAR)
    with pytest.raises(ConfigurationError):
        pki.read_ca(root / "missing.pem", at=NOW)


def test_an_authority_whose_files_do_not_belong_together_issues_nothing(
    root: Path, tmp_path: Path
) -> None:
    """Another certificate, or none, beside its key is an error and not a new authority."""
    pki.init(tmp_path / "other", [], now=NOW)
    certificate = root / "ca.cert.pem"
    certificate.write_bytes((tmp_path / "other" / "ca.cert.pem").read_bytes())

    with pytest.raises(ConfigurationError, match="not the key"):
        pki.init(root, NODES, now=NOW)
    certificate.unlink()
    with pytest.raises(MissingKeyError, match=r"ca\.cert\.pem"):
        pki.init(root, NODES, now=NOW)
