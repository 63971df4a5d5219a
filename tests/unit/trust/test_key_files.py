from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jukinet_mq.errors import (
    ImpossibleDateError,
    MissingKeyError,
    NodeKeyError,
    SigningKeyNotValidError,
    UnsafeKeyFileError,
)
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.trust import EnrolledKey, TrustStore, pki
from jukinet_mq.trust.key_files import read_node, read_private
from jukinet_mq.trust.keyring import KeyRing
from tests.unit.trust.conftest import CHIYODA, JLIS, NOW, TOKYO

NODES = [directory().node(code) for code in (CHIYODA, TOKYO, JLIS)]
YEAR = timedelta(days=365)
STRANGER = 4_242
KEY, CERTIFICATE = pki.key_path, pki.certificate_path
Breakage = Callable[[Path], None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys of three nodes, made at NOW; read, never changed."""
    root = tmp_path_factory.mktemp("pristine") / "trust"
    pki.init(root, NODES, now=NOW)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The keys of three nodes, made at NOW, to be broken."""
    pki.init(tmp_path / "trust", NODES, now=NOW)
    return tmp_path / "trust"


def _replaced(content: bytes) -> Breakage:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _of_another_node(path: Path) -> None:
    path.write_bytes(path.with_name(path.name.replace(CHIYODA, TOKYO)).read_bytes())


def _without_sealing_key(path: Path) -> None:
    [signing, _] = read_private(path)
    path.write_bytes(_pem(signing))


def _of_another_kind(path: Path) -> None:
    path.write_bytes(_pem(rsa.generate_private_key(65537, 2048)))


def _pem(key: object) -> bytes:
    assert hasattr(key, "private_bytes")
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem


JWK = b'{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
UNKNOWN_ALGORITHM = (
    b"-----BEGIN PRIVATE KEY-----\nMBYCAQAwCQYHKgMEBQYHCAQGBAQBAgME\n-----END PRIVATE KEY-----\n"
)
BREAKAGES: dict[str, tuple[Callable[[Path, NodeCode], Path], Breakage, type[NodeKeyError]]] = {
    "key_missing": (KEY, Path.unlink, MissingKeyError),
    "key_link_to_nothing": (KEY, _dangling, MissingKeyError),
    "key_readable_by_others": (KEY, lambda path: path.chmod(0o644), UnsafeKeyFileError),
    "key_empty": (KEY, _replaced(b""), NodeKeyError),
    "key_garbage": (KEY, _replaced(b"\x00\xff" * 99), NodeKeyError),
    "key_jwk": (KEY, _replaced(JWK), NodeKeyError),
    "key_huge": (KEY, _replaced(b"\n" * 99_999), NodeKeyError),
    "key_of_unknown_algorithm": (KEY, _replaced(UNKNOWN_ALGORITHM), NodeKeyError),
    "key_rsa": (KEY, _of_another_kind, MissingKeyError),
    "key_of_another_node": (KEY, _of_another_node, MissingKeyError),
    "key_without_sealing_key": (KEY, _without_sealing_key, MissingKeyError),
    "key_directory": (KEY, _directory, NodeKeyError),
    "key_pipe": (KEY, _pipe, NodeKeyError),
    "key_loop": (KEY, _loop, NodeKeyError),
    "certificate_missing": (CERTIFICATE, Path.unlink, MissingKeyError),
    "certificate_empty": (CERTIFICATE, _replaced(b""), NodeKeyError),
    "certificate_of_another_node": (CERTIFICATE, _of_another_node, NodeKeyError),
    "certificate_directory": (CERTIFICATE, _directory, NodeKeyError),
    "certificate_pipe": (CERTIFICATE, _pipe, NodeKeyError),
    "certificate_loop": (CERTIFICATE, _loop, NodeKeyError),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_file_concerns_its_node_alone_and_is_named(root: Path, name: str) -> None:
    """The error is about that node and names its file; the others sign and open as before."""
    place, break_it, expected = BREAKAGES[name]
    break_it(place(root, CHIYODA))
    ring = KeyRing(root)

    for use in (lambda: ring.signing_key(CHIYODA, NOW), lambda: ring.sealing_keys(CHIYODA)):
        with pytest.raises(NodeKeyError, match=rf"{CHIYODA}\.(key|cert)\.pem") as caught:
            use()
        assert (expected, CHIYODA) == (type(caught.value), caught.value.node)
    for other in (TOKYO, JLIS):
        assert ring.signing_key(other, NOW).kid
        assert ring.sealing_keys(other)


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_mended_file_is_used_without_a_new_ring(root: Path, name: str, tmp_path: Path) -> None:
    """Broken after it was read, it is noticed at the next refresh; put back, it is used again."""
    place, break_it, _ = BREAKAGES[name]
    path = place(root, CHIYODA)
    aside = tmp_path / "aside"
    ring = KeyRing(root)
    kid = ring.signing_key(CHIYODA, NOW).kid
    aside.write_bytes(path.read_bytes())
    mode = stat.S_IMODE(path.stat().st_mode)

    break_it(path)
    assert kid == ring.signing_key(CHIYODA, NOW).kid
    ring.refresh(CHIYODA)
    with pytest.raises(NodeKeyError):
        ring.signing_key(CHIYODA, NOW)
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    aside.chmod(mode)
    aside.replace(path)
    ring.refresh(CHIYODA)

    assert kid == ring.signing_key(CHIYODA, NOW).kid


def test_a_key_file_of_another_user_is_not_used(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only root and the user that runs the process may have made it; the text says whose it is."""
    monkeypatch.setattr("os.geteuid", lambda: STRANGER)
    monkeypatch.setattr(
        "os.fstat", lambda _: os.stat_result((0o100600, 1, 1, 1, STRANGER + 1, 0, 0, 0, 0, 0))
    )

    with pytest.raises(UnsafeKeyFileError, match=rf"belongs to user id {STRANGER + 1}"):
        read_private(KEY(root, CHIYODA))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mark=st.booleans(),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    before=st.sampled_from([b"", b"\n", b"a note\n\n"]),
    between=st.sampled_from([b"", b"\n", b"\n\n"]),
    last_line_end=st.booleans(),
)
def test_files_are_read_as_editors_of_any_system_leave_them(
    pristine: Path,
    tmp_path: Path,
    mark: bool,
    line_end: bytes,
    before: bytes,
    between: bytes,
    last_line_end: bool,
) -> None:
    """Line ends, a byte order mark, notes and blank lines change nothing of what is read."""
    (tmp_path / "nodes").mkdir(exist_ok=True)
    for place in (KEY, CERTIFICATE):
        blocks = place(pristine, CHIYODA).read_bytes().split(b"-----\n-----")
        text = before + (b"-----\n" + between + b"-----").join(blocks)
        text = text if last_line_end else text.rstrip(b"\n")
        text = (b"\xef\xbb\xbf" if mark else b"") + text.replace(b"\n", line_end)
        place(tmp_path, CHIYODA).write_bytes(text)
        place(tmp_path, CHIYODA).chmod(0o600)

    plain, odd = read_node(pristine, CHIYODA), read_node(tmp_path, CHIYODA)

    assert [one.key.kid for one in plain.signing] == [one.key.kid for one in odd.signing]
    assert [key.kid for key in plain.sealing] == [key.kid for key in odd.sealing]


def test_odd_files_are_rolled_and_enrolled_like_any(root: Path) -> None:
    """New keys beside old ones with Windows line ends and a mark: both are read and enrolled."""
    for place in (KEY, CERTIFICATE):
        path = place(root, CHIYODA)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    pki.rotate(root, NODES[:1], now=NOW)

    ca = pki.read_ca(root / "ca.cert.pem", at=NOW)
    assert 4 == len(pki.read_certificates(CERTIFICATE(root, CHIYODA), ca, at=NOW))
    assert 2 == len(read_node(root, CHIYODA).signing)


# --- Which key signs ----------------------------------------------------------------------


def test_an_ended_certificate_signs_nothing_and_its_end_is_named(root: Path) -> None:
    """To the last second it signs, from its end on never, whatever the envelope is dated."""
    ring = KeyRing(root)
    end = NOW + YEAR

    assert ring.signing_key(CHIYODA, end - timedelta(seconds=1)).kid
    for time in (None, NOW, end - timedelta(days=1), end):
        with pytest.raises(SigningKeyNotValidError, match=rf"ended at {end:%Y-%m-%dT%H}") as caught:
            ring.signing_key(CHIYODA, end, time=time)
        assert CHIYODA == caught.value.node


@settings(max_examples=200, deadline=None)
@given(
    now_day=st.integers(-400, 900),
    event_day=st.integers(-400, 900),
    revoked_day=st.none() | st.integers(-400, 900),
    enrolled=st.booleans(),
)
def test_a_key_that_signs_is_valid_now_and_at_the_events_instant(
    rolled: Path, now_day: int, event_day: int, revoked_day: int | None, enrolled: bool
) -> None:
    """Whatever the clock and the event say: no key signs that a keeper could not believe."""
    ring = KeyRing(rolled)
    store = TrustStore.from_keys(_enrolled(rolled, revoked_day) if enrolled else ())
    now, time = NOW + timedelta(days=now_day), NOW + timedelta(days=event_day)
    believable = [
        key
        for key in store.keys
        if key.node == CHIYODA
        and key.use == "sig"
        and all(key.is_valid_at(at) and not key.is_revoked_at(now) for at in (now, time))
    ]

    try:
        kid = ring.signing_key(CHIYODA, now, time=time, enrolled=store.signer).kid
    except (SigningKeyNotValidError, ImpossibleDateError):
        assert [] == believable
    else:
        assert max(believable, key=lambda key: key.valid_from).kid == kid


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys made at NOW and rolled 300 days later, so that two overlap for some time."""
    root = tmp_path_factory.mktemp("rolled") / "trust"
    pki.init(root, NODES[:1], now=NOW)
    pki.rotate(root, NODES[:1], now=NOW + timedelta(days=300))
    return root


def _enrolled(root: Path, revoked_day: int | None) -> list[EnrolledKey]:
    """Return the keys of a root, the first of them revoked on a day."""
    [first, *others] = pki.read_all(root, at=NOW)
    if revoked_day is not None:
        at = NOW + timedelta(days=revoked_day)
        first = EnrolledKey(
            first.node, first.use, first.kid, first.public, first.valid_from, first.valid_until, at
        )
    return [first, *others]


def test_an_event_before_its_nodes_key_is_refused_and_concerns_no_other_event(root: Path) -> None:
    """The node signs what happens now; the error is the event's, and names when its key begins."""
    ring = KeyRing(root)
    before = x509.load_pem_x509_certificate(CERTIFICATE(root, CHIYODA).read_bytes())

    with pytest.raises(ImpossibleDateError, match=f"{before.not_valid_before_utc:%Y-%m-%dT%H}"):
        ring.signing_key(CHIYODA, NOW, time=NOW - timedelta(days=2))
    assert ring.signing_key(CHIYODA, NOW, time=NOW).kid
