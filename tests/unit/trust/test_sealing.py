from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe, jwk
from joserfc.jwe import GeneralJSONEncryption

from jukinet_mq.errors import UnopenableSealError, WeakKeyError
from jukinet_mq.trust import SealingKey, SigningKey, encoding, sealing
from tests.unit.trust.conftest import JLIS, SAPPORO, TOKYO, enrolled

MINE, OTHERS, STRANGERS = (SealingKey(bytes([n]) * 32) for n in (1, 2, 3))
READERS = [enrolled(MINE, TOKYO), enrolled(OTHERS, JLIS)]
ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]


def test_the_key_of_rfc_7748_has_its_published_public_part() -> None:
    """RFC 7748 §6.1: Alice's keys."""
    private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"

    assert public == SealingKey(bytes.fromhex(private)).public.hex()


@given(st.binary(max_size=3000))
def test_every_reader_opens_what_is_sealed_to_it(plaintext: bytes) -> None:
    """Both readers get the same bytes; whom it is sealed to stands in the clear."""
    sealed = sealing.seal(plaintext, READERS)

    assert plaintext == MINE.open(sealed) == OTHERS.open(sealed)
    assert [MINE.kid, OTHERS.kid] == sealing.read(sealed).kids


def test_a_stranger_cannot_open() -> None:
    """A node that is no reader has no entry, and another's entry does not open for it."""
    sealed = sealing.seal(b"secret", READERS)

    with pytest.raises(UnopenableSealError, match="not sealed to key"):
        STRANGERS.open(sealed)
    sealed["recipients"][0]["header"]["kid"] = STRANGERS.kid
    with pytest.raises(UnopenableSealError, match="does not open"):
        STRANGERS.open(sealed)


def test_nothing_is_used_twice() -> None:
    """Content key, nonce and every ephemeral key are new each time (RFC 7518 §4.6)."""
    made = [sealing.read(sealing.seal(b"same", READERS)) for _ in range(50)]
    points = [reader.header.epk.x for sealed in made for reader in sealed.recipients]

    assert 100 == len(set(points))
    assert 50 == len({sealed.iv for sealed in made}) == len({sealed.ciphertext for sealed in made})


@pytest.mark.parametrize(("key", "place"), [(MINE, 0), (OTHERS, 1)])
def test_joserfc_opens_what_we_seal(key: SealingKey, place: int) -> None:
    """Another implementation needs the private JWK and the entry alone."""
    sealed = sealing.seal(b'{"a":1}', READERS)
    theirs = jwk.OKPKey.import_key({**key.to_jwk()})

    opened = jwe.decrypt_json(
        {**sealed, "recipients": [sealed["recipients"][place]]},  # type: ignore[arg-type]
        theirs,
        algorithms=ALGORITHMS,
    )

    assert b'{"a":1}' == opened.plaintext
    assert key.kid == theirs.thumbprint()


def test_we_open_what_joserfc_seals() -> None:
    """A general JSON JWE of another implementation opens for every reader."""
    message = GeneralJSONEncryption({"enc": "A256GCM"}, b'{"a":1}')
    for key in (MINE, OTHERS):
        public: Any = {k: v for k, v in key.to_jwk().items() if k != "d"}
        message.add_recipient(
            {"alg": "ECDH-ES+A256KW", "kid": key.kid}, jwk.OKPKey.import_key(public)
        )
    sealed: Any = jwe.encrypt_json(message, None, algorithms=ALGORITHMS)

    assert b'{"a":1}' == MINE.open(sealed) == OTHERS.open(sealed)


def _first(text: str) -> str:
    return ("B" if text[0] == "A" else "A") + text[1:]


def _set(place: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(sealed: dict[str, Any]) -> None:
        *path, last = place.split("/")
        target: Any = sealed
        for part in path:
            target = target[int(part)] if part.isdigit() else target[part]
        target[last] = value(target[last]) if callable(value) else value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("iv", _first),
        _set("tag", _first),
        _set("ciphertext", _first),
        _set("ciphertext", lambda text: text[:-2]),
        _set("ciphertext", lambda text: text + "="),
        _set("protected", encoding.encode(b'{"enc": "A256GCM"}').decode()),
        _set("recipients/0/encrypted_key", _first),
        _set("recipients/0/header/epk/x", _first),
    ],
)
def test_a_changed_seal_does_not_open(change: Callable[[dict[str, Any]], None]) -> None:
    """Nonce, tag, text, protected header, wrapped key and ephemeral key are all bound."""
    sealed = sealing.seal(b"secret", READERS)
    change(sealed)

    with pytest.raises(UnopenableSealError):
        MINE.open(sealed)


@pytest.mark.parametrize(
    "change",
    [
        _set("aad", "AAAA"),
        _set("unprotected", {"alg": "dir"}),
        _set("iv", "AAAA"),
        _set("iv", 7),
        _set("tag", "AAAA"),
        _set("recipients", []),
        _set("recipients", lambda entries: entries * 5),
        _set("recipients", None),
        _set("protected", encoding.encode(b'{"enc":"A128GCM"}').decode()),
        _set("protected", encoding.encode(b'{"enc":"A256GCM","zip":"DEF"}').decode()),
        _set("protected", encoding.encode(b'{"enc":"A256GCM","enc":"A256GCM"}').decode()),
        _set("protected", encoding.encode(b'{"enc":"A256GCM"}').decode() + "="),
        _set("protected", "é"),
        _set("protected", "A" * 300),
        _set("recipients/0/header/alg", "dir"),
        _set("recipients/0/header/alg", "ECDH-ES"),
        _set("recipients/0/header/crit", ["exp"]),
        _set("recipients/0/header/apu", "AAAA"),
        _set("recipients/0/header/kid", 1),
        _set("recipients/0/header/epk/crv", "P-256"),
        _set("recipients/0/header/epk/d", "A" * 43),
        _set("recipients/0/header/epk/x", "A" * 42),
        _set("recipients/0/encrypted_key", "A" * 52),
    ],
)
def test_another_form_than_published_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    """No other member, algorithm, length or number of readers is even tried."""
    sealed = sealing.seal(b"secret", READERS)
    change(sealed)

    with pytest.raises(UnopenableSealError, match=r"as published|protected header"):
        sealing.read(sealed)


def test_an_ephemeral_key_of_low_order_is_refused() -> None:
    """A shared secret that everyone knows opens nothing."""
    sealed = sealing.seal(b"secret", READERS)
    sealed["recipients"][0]["header"]["epk"]["x"] = encoding.encode(bytes(32)).decode()

    with pytest.raises(UnopenableSealError):
        MINE.open(sealed)


def test_nothing_is_sealed_to_a_key_of_low_order() -> None:
    """Even if such a key had been enrolled."""
    weak = enrolled(MINE, TOKYO, public=bytes(32))

    with pytest.raises(WeakKeyError):
        sealing.seal(b"secret", [weak])


@pytest.mark.parametrize("count", [0, 9])
def test_the_number_of_readers_is_bounded(count: int) -> None:
    """A body is sealed to somebody, and to no crowd."""
    with pytest.raises(ValueError, match="1 to 8"):
        sealing.seal(b"secret", READERS[:1] * count)


def test_a_signing_key_is_no_reader() -> None:
    """A key is for one use."""
    with pytest.raises(ValueError, match="sealing keys"):
        sealing.seal(b"secret", [enrolled(SigningKey.generate(), SAPPORO)])


def test_a_private_jwk_comes_back() -> None:
    """Export and import give the same key; nothing of it shows in its repr."""
    assert MINE.public == SealingKey.from_jwk(MINE.to_jwk()).public
    assert MINE.to_jwk()["d"] not in repr(MINE)


@pytest.mark.parametrize("change", [{"crv": "Ed25519"}, {"x": "A" * 43}, {"d": "AA"}])
def test_a_wrong_private_jwk_is_refused(change: dict[str, Any]) -> None:
    """Another curve, a foreign public part or a short private part is no sealing key."""
    with pytest.raises(ValueError, match=r"."):
        SealingKey.from_jwk({**MINE.to_jwk(), **change})
