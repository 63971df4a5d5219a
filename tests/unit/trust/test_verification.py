from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jukinet_mq import envelope
from jukinet_mq.envelope import Delivery, Header, VerifiedEnvelope
from jukinet_mq.errors import (
    ClockSkewError,
    JukinetError,
    MalformedBodyError,
    MalformedEnvelopeError,
    OversizedDeliveryError,
    PropertyMismatchError,
    RejectedError,
    RevokedKeyError,
    SenderMismatchError,
    SignatureMismatchError,
    UnknownKeyError,
    UnknownKindError,
    UnopenableSealError,
    UntrustedError,
    UntrustedSignerError,
    WrongPlaceError,
    WrongReadersError,
)
from jukinet_mq.messages import (
    CATALOGUE,
    Body,
    IdentityForward,
    IdentityUpdate,
    Kind,
    MoveInNotice,
    MoveOutConfirmation,
    keepers_of,
    may_travel,
    readers_of,
)
from jukinet_mq.nodes import NodeCode
from jukinet_mq.trust import SealingKey, SigningKey, encoding, seal
from jukinet_mq.trust.verification import Verifier
from tests.unit.trust.conftest import (
    CHIYODA,
    HOKKAIDO,
    JLIS,
    NODES,
    NOW,
    SAPPORO,
    TOKYO,
    World,
    delivery_of,
    enrolled,
    header_of,
)


def refused(
    error: type[JukinetError], verifier: Verifier, delivery: Delivery, **options: Any
) -> JukinetError:
    """Assert that *delivery* is refused with exactly *error*, and return it."""
    with pytest.raises(error) as caught:
        verifier.verify(delivery, **{"at": NOW, **options})
    assert error is caught.type
    return caught.value


def routes(world: World, kind: Kind) -> list[tuple[NodeCode, NodeCode]]:
    """Return the ways between the five nodes that *kind* may travel."""
    pairs = [(a, b) for a in NODES for b in NODES]
    node = world.directory.node
    return [(a, b) for a, b in pairs if may_travel(kind, node(a), node(b), world.directory)]


def fitting(world: World, kind: Kind) -> tuple[Body, Header]:
    """Return the kind's example with a header whose route it speaks of."""
    body = kind.body.example()
    for sender, recipient in routes(world, kind):
        try:
            body.check_route(
                sender=world.directory.node(sender), recipient=world.directory.node(recipient)
            )
        except RejectedError:
            continue
        return body, header_of(body, sender, recipient)
    raise AssertionError(kind.name)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_every_keeper_believes_and_only_readers_read(world: World, kind: Kind) -> None:
    """A good envelope is verified at all its keepers; readers get the body, others no body."""
    body, header = fitting(world, kind)
    sender, recipient = (world.directory.node(c) for c in (header.sender, header.recipient))
    signed = world.signed(header, body)
    delivery = delivery_of(signed, header, kind.plane.exchange)
    readers = readers_of(kind, recipient, world.directory)

    for keeper in keepers_of(kind, sender, recipient, world.directory):
        verified = world.verifier.verify(replace(delivery, node=keeper), at=NOW)

        assert (header, kind.plane, signed) == (verified.header, verified.plane, verified.signed)
        assert world.signing[header.sender].kid == verified.key_id
        assert envelope.digest_of(signed) == verified.digest
        assert verified.body == (body if keeper in readers or not kind.sealed else None)


@pytest.mark.parametrize("node", NODES)
def test_who_is_no_keeper_gets_nothing(
    world: World, update: IdentityUpdate, header: Header, delivery: Delivery, node: NodeCode
) -> None:
    """A node outside the kind's keepers refuses even a perfect envelope."""
    lawful = keepers_of(
        CATALOGUE[0],
        world.directory.node(CHIYODA),
        world.directory.node(TOKYO),
        world.directory,
    )
    if node not in lawful:
        refused(WrongPlaceError, world.verifier, replace(delivery, node=node))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_quarantined(
    world: World, delivery: Delivery, data: st.DataObject
) -> None:
    """Whatever byte is exchanged, no `VerifiedEnvelope` comes out and no sender is believed."""
    signed = bytearray(delivery.signed)
    place = data.draw(st.integers(0, len(signed) - 1))
    signed[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != signed[place]))

    with pytest.raises(UntrustedError) as caught:
        world.verifier.verify(replace(delivery, signed=bytes(signed)), at=NOW)
    assert "header" not in caught.value.facts


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=300))
def test_garbage_is_malformed(world: World, delivery: Delivery, garbage: bytes) -> None:
    """Any other bytes raise the one error for it, never something unforeseen."""
    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=garbage))


# --- 1 size and strict form ----------------------------------------------------------------


def test_an_oversized_delivery_is_not_even_taken_apart(world: World, delivery: Delivery) -> None:
    """One byte above the limit is refused for its size."""
    signed = b"x" * (envelope.SIZE_MAX + 1)

    refused(OversizedDeliveryError, world.verifier, replace(delivery, signed=signed))
    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=signed[:-1]))


def test_an_unsigned_envelope_is_malformed(world: World, delivery: Delivery) -> None:
    """`alg` none with an empty signature is not an envelope that lacks something; it is none."""
    payload = delivery.signed.split(b".")[1]
    signed = encoding.encode(b'{"alg":"none"}') + b"." + payload + b"."

    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=signed))


def test_a_public_key_used_as_a_secret_is_no_signature(world: World, delivery: Delivery) -> None:
    """The classic confusion: HMAC with the public key's bytes. No algorithm but ours is known."""
    kid = world.signing[CHIYODA].kid
    header = encoding.encode(b'{"alg":"HS256","kid":"%b","typ":"jukinet+jws"}' % kid.encode())
    payload, signature = delivery.signed.split(b".")[1:]
    signed = b".".join((header, payload, signature))

    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=signed))


def bent_payload(delivery: Delivery, **changes: Any) -> bytes:
    """Return the CloudEvent with attributes set, or removed where the value is None."""
    event = orjson.loads(encoding.decode(delivery.signed.split(b".")[1])) | changes
    return orjson.dumps({name: value for name, value in event.items() if value is not None})


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": "1.1"},
        {"id": "not-a-uuid"},
        {"id": None},
        {"source": "tokyo"},
        {"subject": "13101"},
        {"type": "identity-update"},
        {"type": "identity-update.v0"},
        {"time": "2026-04-01T03:00:00"},
        {"time": 1775012400},
        {"sequence": "1"},
        {"sequence": "0" * 20},
        {"sequence": 1},
        {"traceparent": "00-" + "0" * 32},
        {"dataschema": "urn:jukinet-mq:schema:identity-update:v2"},
        {"dataschema": "https://example.org/schema"},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "text/html"},
        {"data": []},
        {"data": None},
        {"extra": "attribute"},
    ],
)
def test_a_payload_of_another_form_is_malformed(
    world: World, delivery: Delivery, changes: dict[str, Any]
) -> None:
    """Even well signed: a CloudEvent of ours has exactly our attributes in our forms."""
    signed = world.signing[CHIYODA].sign(bent_payload(delivery, **changes))

    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=signed))


def test_another_order_and_spacing_of_the_payload_is_believed(
    world: World, delivery: Delivery, header: Header
) -> None:
    """The bytes are verified as they are; nobody has to write JSON as we do."""
    event = orjson.loads(encoding.decode(delivery.signed.split(b".")[1]))
    payload = json.dumps(dict(reversed(event.items())), indent=1).encode()
    signed = world.signing[CHIYODA].sign(payload)

    assert header == world.verifier.verify(replace(delivery, signed=signed), at=NOW).header


@pytest.mark.parametrize(
    "bend",
    [
        lambda p: p.replace(b'"data":{', b'"sequence":"00000000000000000001","data":{'),
        lambda p: p.replace(b'"data":{', b'"data":{"iv":"AAAAAAAAAAAAAAAA",'),
        lambda p: p.replace(b'"data":{', b'"data":{"n":NaN,'),
        lambda p: p.replace(b'"data":{', b'"data":{"n":' + b"9" * 40 + b","),
        lambda p: p.replace(b'"data":{', b'"data":{"s":"\\ud800",'),
        lambda p: p.replace(b'"data":{', b'"data":{"s":' + b"[" * 5000 + b"]" * 5000 + b","),
        lambda p: p + b"{}",
        lambda p: b"\xef\xbb\xbf" + p,
        lambda p: p.decode().encode("utf-16"),
    ],
)
def test_a_payload_with_two_readings_is_malformed(
    world: World, delivery: Delivery, bend: Callable[[bytes], bytes]
) -> None:
    """A name twice, a number or a text that JSON readers disagree about: refused, though signed."""
    payload = encoding.decode(delivery.signed.split(b".")[1])
    signed = world.signing[CHIYODA].sign(bend(payload))

    refused(MalformedEnvelopeError, world.verifier, replace(delivery, signed=signed))


# --- 2 known kind and version ----------------------------------------------------------------


@pytest.mark.parametrize("type_", ["identity-update.v9999", "birthday-card.v1"])
def test_an_unknown_kind_or_version_is_held(
    world: World, delivery: Delivery, header: Header, type_: str
) -> None:
    """What this release does not know may be right in the next; it is held, not parsed."""
    signed = world.signing[CHIYODA].sign(bent_payload(delivery, type=type_))

    error = refused(UnknownKindError, world.verifier, replace(delivery, signed=signed))

    assert header.id == error.facts["claimed"].id  # type: ignore[attr-defined]


# --- 3 enrolled key, valid when it signed, not revoked --------------------------------------


def test_an_unknown_key_is_held(world: World, update: IdentityUpdate, header: Header) -> None:
    """A perfect signature of a key that nobody enrolled proves nothing."""
    world.signing[CHIYODA] = SigningKey.generate()
    delivery = delivery_of(world.signed(header, update), header, "juki.identity")

    error = refused(UnknownKeyError, world.verifier, delivery)

    assert header == error.facts["claimed"]
    assert "header" not in error.facts


def test_a_node_cannot_speak_for_another(
    world: World, update: IdentityUpdate, header: Header
) -> None:
    """Sapporo's key under Chiyoda's name is an incident, and Chiyoda is not answered for it."""
    signed = world.signing[SAPPORO].sign(world.payload(header, update))

    error = refused(
        UntrustedSignerError, world.verifier, delivery_of(signed, header, "juki.identity")
    )

    assert "header" not in error.facts


def test_a_sealing_key_signs_nothing(world: World, delivery: Delivery) -> None:
    """The kid of an enrolled sealing key names no signer."""
    kid = world.sealing[CHIYODA].kid
    header = encoding.encode(b'{"alg":"Ed25519","kid":"%b","typ":"jukinet+jws"}' % kid.encode())
    signed = header + delivery.signed[delivery.signed.index(b".") :]

    refused(UnknownKeyError, world.verifier, replace(delivery, signed=signed))


@pytest.mark.parametrize(
    ("begins", "ends", "believed"),
    [
        (timedelta(0), timedelta(seconds=1), True),
        (timedelta(days=-9), timedelta(0), False),
        (timedelta(microseconds=1), timedelta(days=9), False),
        (timedelta(days=-9), timedelta(microseconds=1), True),
    ],
)
def test_a_key_counts_at_the_instant_of_signing(
    world: World, delivery: Delivery, begins: timedelta, ends: timedelta, *, believed: bool
) -> None:
    """A key that is over today still proves what it signed in its time, and no more."""
    key = enrolled(world.signing[CHIYODA], valid_from=NOW + begins, valid_until=NOW + ends)
    world.enrol(key)
    later = NOW + timedelta(days=30)

    if believed:
        assert key.kid == world.verifier.verify(delivery, at=later).key_id
    else:
        refused(UntrustedSignerError, world.verifier, delivery, at=later)


def test_a_revoked_key_is_believed_no_longer_whatever_time_it_claims(
    world: World, delivery: Delivery
) -> None:
    """A thief dates back; so what arrives after the revocation is refused, and before it not."""
    revoked_at = NOW + timedelta(minutes=1)
    key = enrolled(world.signing[CHIYODA], revoked_at=revoked_at)
    world.enrol(key)

    refused(RevokedKeyError, world.verifier, delivery, at=revoked_at)
    assert key.kid == world.verifier.verify(delivery, at=NOW).key_id


def test_a_fresh_trust_store_counts_at_once(world: World, delivery: Delivery) -> None:
    """A running verifier takes a revocation without being made anew."""
    verifier = world.verifier
    verifier.verify(delivery, at=NOW)
    world.enrol(enrolled(world.signing[CHIYODA], revoked_at=NOW))

    verifier.trust(world.trust_store)

    refused(RevokedKeyError, verifier, delivery)


# --- 4 signature ------------------------------------------------------------------------------


def test_another_signature_of_the_same_key_is_refused(
    world: World, delivery: Delivery, update: IdentityUpdate, header: Header
) -> None:
    """A signature belongs to its bytes; that of another envelope does not fit."""
    other = world.signed(replace(header, sequence=2), update)
    signed = delivery.signed.rpartition(b".")[0] + b"." + other.rpartition(b".")[2]

    error = refused(SignatureMismatchError, world.verifier, replace(delivery, signed=signed))

    assert header == error.facts["claimed"]
    assert "header" not in error.facts


# --- 5 sender = signer = login = routing key --------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"routing_key": "13.130001.01.011002.identity-update"}, SenderMismatchError),
        ({"routing_key": "01.010006.13.131016.identity-update"}, SenderMismatchError),
        ({"routing_key": "13.130001.13.131016.move-out-confirmation"}, SenderMismatchError),
        ({"routing_key": "01.130001.13.131016.identity-update"}, SenderMismatchError),
        ({"routing_key": "#"}, SenderMismatchError),
        ({"user_id": SAPPORO}, SenderMismatchError),
        ({"user_id": None}, SenderMismatchError),
        ({"exchange": "juki.relocation"}, PropertyMismatchError),
        ({"exchange": ""}, PropertyMismatchError),
        ({"message_id": "019d45b1-5a00-7000-8000-0000000000ab"}, PropertyMismatchError),
        ({"message_id": None}, PropertyMismatchError),
        ({"type": "identity-update.v2"}, PropertyMismatchError),
        ({"type": None}, PropertyMismatchError),
        ({"content_type": "application/json"}, PropertyMismatchError),
        ({"content_type": None}, PropertyMismatchError),
    ],
)
def test_what_carries_an_envelope_must_agree_with_it(
    world: World,
    delivery: Delivery,
    header: Header,
    changes: dict[str, Any],
    error: type[JukinetError],
) -> None:
    """Queue, login and every property are held against the signed content."""
    found = refused(error, world.verifier, replace(delivery, **changes))

    assert header == found.facts["header"]
    assert envelope.digest_of(delivery.signed) == found.facts["digest"]


# --- 6 this kind from that node to this one ---------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [(CHIYODA, HOKKAIDO), (CHIYODA, JLIS), (TOKYO, JLIS), (CHIYODA, SAPPORO), (TOKYO, CHIYODA)],
)
def test_a_kind_travels_its_lawful_way_only(
    world: World, update: IdentityUpdate, sender: NodeCode, recipient: NodeCode
) -> None:
    """An identity update goes from a municipality to its own prefecture, and nowhere else."""
    header = header_of(update, sender, recipient)
    signed = world.signed(header, update, readers=(TOKYO, JLIS))

    error = refused(WrongPlaceError, world.verifier, delivery_of(signed, header, "juki.identity"))

    assert header == error.facts["header"]


def test_a_node_that_does_not_exist_gets_nothing(world: World, update: IdentityUpdate) -> None:
    """A recipient outside the directory is no place."""
    header = header_of(update, CHIYODA, NodeCode("999999"))
    signed = world.signing[CHIYODA].sign(
        envelope.encode(header, seal(b"{}", world.readers(TOKYO)), sealed=True)
    )

    refused(WrongPlaceError, world.verifier, delivery_of(signed, header, "juki.identity"))


# --- 7 clock ----------------------------------------------------------------------------------


def test_the_future_is_refused_beyond_the_tolerance(
    world: World, delivery: Delivery, header: Header
) -> None:
    """Ten minutes ahead is a clock, more is an update that would win over later ones."""
    limit = NOW - timedelta(minutes=10)

    assert header == world.verifier.verify(delivery, at=limit).header
    refused(ClockSkewError, world.verifier, delivery, at=limit - timedelta(microseconds=1))


def test_the_past_is_believed(world: World, delivery: Delivery, header: Header) -> None:
    """A municipality that was away for months catches up."""
    assert header == world.verifier.verify(delivery, at=NOW + timedelta(days=300)).header


# --- 8 body -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "readers",
    [
        (TOKYO,),
        (JLIS,),
        (TOKYO, HOKKAIDO),
        (TOKYO, JLIS, CHIYODA),
        (TOKYO, JLIS, JLIS),
        (TOKYO, TOKYO),
    ],
)
def test_a_body_is_sealed_to_exactly_its_lawful_readers(
    world: World, update: IdentityUpdate, header: Header, readers: tuple[NodeCode, ...]
) -> None:
    """One reader too few cannot do its duty, one too many breaks the law."""
    signed = world.signed(header, update, readers=readers)

    error = refused(WrongReadersError, world.verifier, delivery_of(signed, header, "juki.identity"))

    assert header == error.facts["header"]


def test_evidence_keepers_hold_senders_to_the_lawful_readers(world: World) -> None:
    """A prefecture cannot open a move-in notice, yet notices one that is sealed to it."""
    body = MoveInNotice.example()
    header = header_of(body, SAPPORO, CHIYODA)
    signed = world.signed(header, body, readers=(CHIYODA, TOKYO))
    delivery = delivery_of(signed, header, "juki.relocation", node=TOKYO)

    refused(WrongReadersError, world.verifier, delivery)


def test_a_keeper_of_evidence_never_touches_a_key(world: World) -> None:
    """Where the law lets a node keep but not read, its private keys are not even asked for."""
    body = MoveInNotice.example()
    header = header_of(body, SAPPORO, CHIYODA)
    delivery = delivery_of(world.signed(header, body), header, "juki.relocation", node=TOKYO)

    def no_keys(node: NodeCode) -> tuple[SealingKey, ...]:
        raise AssertionError(node)

    verified = Verifier(world.directory, world.trust_store, no_keys).verify(delivery, at=NOW)

    assert verified.body is None
    for entry in orjson.loads(encoding.decode(delivery.signed.split(b".")[1]))["data"][
        "recipients"
    ]:
        assert world.sealing[TOKYO].kid != entry["header"]["kid"]


def test_a_body_sealed_to_an_unknown_key_is_held(
    world: World, update: IdentityUpdate, header: Header
) -> None:
    """A reader that nobody knows is no lawful reader."""
    stranger = enrolled(SealingKey.generate(), JLIS)
    jwe = seal(update.dump_json(), [*world.readers(TOKYO), stranger])
    signed = world.signing[CHIYODA].sign(envelope.encode(header, jwe, sealed=True))

    refused(WrongReadersError, world.verifier, delivery_of(signed, header, "juki.identity"))


def test_a_reader_without_its_private_key_holds_the_envelope(
    world: World, delivery: Delivery, header: Header
) -> None:
    """The envelope is right and the node is not ready; replay opens it once the key is back."""
    world.sealing[TOKYO] = SealingKey.generate()

    error = refused(UnopenableSealError, world.verifier, delivery)

    assert header == error.facts["header"]


def test_a_body_sealed_to_the_key_before_still_opens(world: World, delivery: Delivery) -> None:
    """While a sealing key rolls, what is on its way is read with the old one."""
    new = SealingKey.generate()
    world.enrol(enrolled(new, TOKYO))
    old = world.sealing[TOKYO]
    verifier = Verifier(world.directory, world.trust_store, lambda _: (new, old))

    assert isinstance(verifier.verify(delivery, at=NOW).body, IdentityUpdate)


def test_a_seal_that_does_not_open_is_held(
    world: World, update: IdentityUpdate, header: Header
) -> None:
    """A sender that sealed wrongly is told so: it signed it."""
    jwe = seal(update.dump_json(), world.readers(TOKYO, JLIS))
    jwe["tag"] = "A" * 22
    signed = world.signing[CHIYODA].sign(envelope.encode(header, jwe, sealed=True))

    error = refused(
        UnopenableSealError, world.verifier, delivery_of(signed, header, "juki.identity")
    )

    assert header == error.facts["header"]


@pytest.mark.parametrize("plaintext", [b"", b"{", b"{}", b"[]", b"\xff", b'{"name":"x"}'])
def test_a_body_that_breaks_its_schema_is_the_senders_fault(
    world: World, header: Header, plaintext: bytes
) -> None:
    """Authentic and opened, but not of its kind: rejected, and the sender is known."""
    jwe = seal(plaintext, world.readers(TOKYO, JLIS))
    signed = world.signing[CHIYODA].sign(envelope.encode(header, jwe, sealed=True))

    error = refused(
        MalformedBodyError, world.verifier, delivery_of(signed, header, "juki.identity")
    )

    assert header == error.facts["header"]


def test_a_body_that_names_another_route_is_rejected(world: World, update: IdentityUpdate) -> None:
    """Chiyoda's resident in Sapporo's envelope: only the municipality of residence may speak."""
    header = header_of(update, SAPPORO, HOKKAIDO)
    signed = world.signed(header, update, readers=(HOKKAIDO, JLIS))

    with pytest.raises(RejectedError) as caught:
        world.verifier.verify(delivery_of(signed, header, "juki.identity"), at=NOW)

    assert header == caught.value.facts["header"]


# --- originals inside a forward -----------------------------------------------------------------


def original(world: World, signed: bytes, **changes: Any) -> VerifiedEnvelope:
    """Verify *signed* as J-LIS does for an original in Tokyo's forward."""
    options: dict[str, Any] = {"forwarded_by": TOKYO, "node": JLIS, "at": NOW, **changes}
    forwarded_by = world.directory.node(options.pop("forwarded_by"))
    return world.verifier.verify_original(signed, forwarded_by=forwarded_by, **options)


def test_an_original_is_believed_and_opened_at_the_national_node(
    world: World, delivery: Delivery, update: IdentityUpdate, header: Header
) -> None:
    """J-LIS reads the municipality's own words, whoever carried them."""
    verified = original(world, delivery.signed)

    assert (update, header) == (verified.body, verified.header)
    assert envelope.digest_of(delivery.signed) == verified.digest


def test_a_prefecture_forwards_only_what_was_said_to_it(world: World, delivery: Delivery) -> None:
    """Hokkaido cannot forward what Chiyoda told Tokyo."""
    with pytest.raises(WrongPlaceError) as caught:
        original(world, delivery.signed, forwarded_by=HOKKAIDO)

    assert "header" in caught.value.facts


def test_what_only_the_prefecture_may_read_is_not_forwarded(world: World) -> None:
    """A move-out confirmation is for the prefecture alone."""
    body = MoveOutConfirmation.example()
    signed = world.signed(header_of(body, CHIYODA, TOKYO), body)

    with pytest.raises(WrongPlaceError, match="may not be forwarded"):
        original(world, signed)


def test_a_forward_does_not_nest(world: World) -> None:
    """A forward inside a forward was said to J-LIS, not to a prefecture."""
    body = IdentityForward.example()
    signed = world.signed(header_of(body, TOKYO, JLIS), body)

    with pytest.raises(WrongPlaceError):
        original(world, signed)


@pytest.mark.parametrize(
    ("at", "error"),
    [(NOW - timedelta(hours=1), ClockSkewError), (NOW + timedelta(days=2), RevokedKeyError)],
)
def test_an_original_meets_the_other_checks_too(
    world: World, delivery: Delivery, at: datetime, error: type[JukinetError]
) -> None:
    """Clock and revocation hold for it as for a delivery."""
    world.enrol(enrolled(world.signing[CHIYODA], revoked_at=NOW + timedelta(days=1)))

    with pytest.raises(error):
        original(world, delivery.signed, at=at)


def test_a_tampered_original_is_refused(world: World, delivery: Delivery) -> None:
    """The prefecture's good signature around it does not heal it."""
    signed = bytearray(delivery.signed)
    signed[-1] ^= 4

    with pytest.raises((SignatureMismatchError, MalformedEnvelopeError)):
        original(world, bytes(signed))


def test_no_error_shows_personal_data(world: World, update: IdentityUpdate, header: Header) -> None:
    """Whatever is wrong with a body, its name, number and address stay out of the text."""
    texts = []
    for changes in ({"name": 7}, {"resident_code": "1"}, {"area_code": "011011"}, {"sex": "?"}):
        body = orjson.dumps({**orjson.loads(update.dump_json()), **changes})
        jwe = seal(body, world.readers(TOKYO, JLIS))
        signed = world.signing[CHIYODA].sign(envelope.encode(header, jwe, sealed=True))
        with pytest.raises(RejectedError) as caught:
            world.verifier.verify(delivery_of(signed, header, "juki.identity"), at=NOW)
        texts.append(f"{caught.value} {caught.value.facts}")

    for value in (update.name, update.furigana, update.address, update.resident_code):
        assert not any(str(value) in text for text in texts)
