from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jukinet_mq.errors import (
    CheckDigitError,
    InvariantError,
    JukinetError,
    UnknownKeyError,
    UntrustedSignerError,
    WardIsNotANodeError,
    WeakKeyError,
)
from jukinet_mq.nodes import directory
from jukinet_mq.trust import (
    EnrolledKey,
    SealingKey,
    SigningKey,
    TrustStore,
    Use,
    check_enrolment,
    public_from_jwk,
    thumbprint,
)
from tests.unit.trust.conftest import CHIYODA, NOW, TOKYO, enrolled

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
HIGH_BIT = 1 << 255


def _order_eight() -> list[int]:
    """Return the two y of the points of order eight: doubled, they give y = 0."""
    # Doubling has y = 0 where x² = -y²; on the curve -x² + y² = 1 + d·x²·y² then gives
    # d·y⁴ + 2·y² - 1 = 0.
    root = pow(1 + D, (P + 3) // 8, P)
    root = root if root * root % P == (1 + D) % P else root * pow(2, (P - 1) // 4, P) % P
    found = []
    for sign in (root, -root):
        square = (sign - 1) * pow(D, P - 2, P) % P
        y = pow(square, (P + 3) // 8, P)
        y = y if y * y % P == square else y * pow(2, (P - 1) // 4, P) % P
        found += [y, P - y] if y * y % P == square else []
    return found


def low_order_ed25519() -> list[bytes]:
    """Return every encoding of every small-order point: 5 canonical y, 2 others, both signs."""
    ys = [0, 1, P - 1, P, P + 1, *_order_eight()]
    return [(y | sign).to_bytes(32, "little") for y in ys for sign in (0, HIGH_BIT)]


def low_order_x25519() -> list[bytes]:
    """Return every encoding of every small-order u (RFC 7748 §6.1; the high bit is ignored)."""
    eight = [
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    ]
    us = [0, 1, P - 1, P, P + 1, *eight]
    return [(u | sign).to_bytes(32, "little") for u in us for sign in (0, HIGH_BIT)]


def test_the_list_of_weak_keys_is_whole() -> None:
    """Seven encodings of y, each with both signs, as libsodium lists them."""
    assert 14 == len(set(low_order_ed25519())) == len(set(low_order_x25519()))


@pytest.mark.parametrize("public", low_order_ed25519(), ids=bytes.hex)
def test_a_signing_key_of_low_order_is_not_enrolled(public: bytes) -> None:
    """Under such a key one signature would verify for any message."""
    key = enrolled(SigningKey.generate(), public=public, kid=thumbprint(Use.SIGNING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(key, directory=directory())


@pytest.mark.parametrize("public", low_order_x25519(), ids=bytes.hex)
def test_a_sealing_key_of_low_order_is_not_enrolled(public: bytes) -> None:
    """What is sealed to such a key, everyone can open."""
    key = enrolled(SealingKey.generate(), public=public, kid=thumbprint(Use.SEALING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(key, directory=directory())


@pytest.mark.parametrize("u", [P + 9, 2**255 - 1, 9 | HIGH_BIT, (P - 9) | HIGH_BIT])
def test_sealing_key_in_another_encoding_is_not_enrolled(u: int) -> None:
    """Its kid is not the one that its node computes, so nothing sealed to it would open there."""
    public = u.to_bytes(32, "little")
    key = enrolled(SealingKey.generate(), public=public, kid=thumbprint(Use.SEALING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(key, directory=directory())


def test_what_is_no_point_is_not_enrolled() -> None:
    """Y = 2 is on no point of the curve; 31 bytes are no key at all."""
    public = (2).to_bytes(32, "little")
    key = enrolled(SigningKey.generate(), public=public, kid=thumbprint(Use.SIGNING, public))

    with pytest.raises(WeakKeyError):
        check_enrolment(key, directory=directory())
    with pytest.raises(WeakKeyError, match="31 bytes"):
        enrolled(SigningKey.generate(), public=bytes(31))


@pytest.mark.parametrize("key", [SigningKey.generate(), SealingKey.generate()])
def test_a_good_key_is_enrolled(key: SigningKey | SealingKey) -> None:
    """Nothing is raised for either use."""
    check_enrolment(enrolled(key), directory=directory())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"node": "131017"}, CheckDigitError),
        ({"node": "141038"}, WardIsNotANodeError),
        ({"kid": "A" * 43}, UnknownKeyError),
        ({"valid_until": NOW - timedelta(days=1)}, UntrustedSignerError),
        ({"valid_until": NOW - timedelta(days=2)}, UntrustedSignerError),
    ],
)
def test_a_key_that_belongs_to_nobody_or_no_time_is_not_enrolled(
    changes: dict[str, Any], error: type[JukinetError]
) -> None:
    """Unknown nodes, wards, a foreign name and a reversed time of use are refused."""
    with pytest.raises(error):
        check_enrolment(enrolled(SigningKey.generate(), **changes), directory=directory())


def test_a_key_is_found_for_its_use_only() -> None:
    """A sealing key verifies nothing, a signing key reads nothing."""
    signing, sealing = enrolled(SigningKey.generate()), enrolled(SealingKey.generate())
    store = TrustStore.from_keys([signing, sealing])

    assert (signing, None) == (store.signer(signing.kid), store.reader(signing.kid))
    assert (None, sealing) == (store.signer(sealing.kid), store.reader(sealing.kid))
    assert {signing, sealing} == set(store.keys)
    assert 2 == len(store)


def test_one_key_cannot_be_two_nodes() -> None:
    """Nobody could say who signed."""
    key = SigningKey.generate()

    with pytest.raises(InvariantError):
        TrustStore.from_keys([enrolled(key, CHIYODA), enrolled(key, TOKYO)])


def test_the_newest_sealing_key_that_holds_is_sealed_to() -> None:
    """Expired, future and revoked keys are passed over; of the rest the newest is taken."""

    def key(begins: int, ends: int, **changes: Any) -> EnrolledKey:
        days = {"valid_from": timedelta(days=begins), "valid_until": timedelta(days=ends)}
        times = {name: NOW + delta for name, delta in days.items()}
        return enrolled(SealingKey.generate(), **{**times, **changes})

    older, newer = key(-9, 9), key(-5, 9)
    others = [key(-3, -1), key(1, 9), key(-2, 9, revoked_at=NOW)]
    store = TrustStore.from_keys([*others, older, newer])

    assert newer == store.sealing_key(CHIYODA, NOW)
    assert older == store.sealing_key(CHIYODA, NOW - timedelta(days=6))


def test_a_node_without_a_sealing_key_is_named() -> None:
    """The error says whose key is missing and how to enrol it."""
    with pytest.raises(UnknownKeyError, match="jukinet trust enrol 131016"):
        TrustStore.from_keys([]).sealing_key(CHIYODA, NOW)


def test_a_public_jwk_comes_back() -> None:
    """Export and import agree on use and bytes."""
    key = enrolled(SealingKey.generate())

    assert (Use.SEALING, key.public) == public_from_jwk(key.to_jwk())


@pytest.mark.parametrize(
    "change",
    [{"crv": "P-256"}, {"crv": None}, {"kty": "EC"}, {"x": "AAAA"}, {"x": "+" * 43}, {"d": "AAAA"}],
)
def test_what_is_no_public_jwk_is_refused(change: dict[str, Any]) -> None:
    """Other curves, short keys, bad base64url, and private keys most of all."""
    with pytest.raises(WeakKeyError):
        public_from_jwk({**enrolled(SigningKey.generate()).to_jwk(), **change})
