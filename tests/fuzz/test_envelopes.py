"""Authentic and other envelopes with every sort of content, against the real pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.receipts import issue
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import Delivery, Header, encode, type_name
from jukinet_mq.errors import RejectedError, UntrustedError
from jukinet_mq.messages import (
    Body,
    HoldingsAnswer,
    HoldingsRequest,
    IdentityForward,
    IdentityUpdate,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    MoveOutConfirmation,
    ReceiptNotice,
    ResendRequest,
    readers_of,
)
from jukinet_mq.messages.catalogue import kind_of
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.routing import RoutingKey
from jukinet_mq.trust import encoding, seal
from tests.fixtures.bodies import update
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Country,
    delivery,
)
from tests.fuzz.budget import examples
from tests.fuzz.error_texts import assert_impersonal
from tests.fuzz.json_trees import bent

ROUTES: Final[list[tuple[type[Body], NodeCode, NodeCode]]] = [
    (IdentityUpdate, CHIYODA, TOKYO),
    (MoveOutConfirmation, CHIYODA, TOKYO),
    (IdentityForward, TOKYO, JLIS),
    (MoveInNotice, SAPPORO, CHIYODA),
    (MoveOutCertificateRequest, SAPPORO, CHIYODA),
    (MoveOutCertificate, CHIYODA, SAPPORO),
    (ReceiptNotice, TOKYO, CHIYODA),
    (ResendRequest, TOKYO, CHIYODA),
    (HoldingsRequest, CHIYODA, TOKYO),
    (HoldingsAnswer, TOKYO, CHIYODA),
]
_numbers = iter(range(1, 10**9))


def odd_delivery(data: st.DataObject, country: Country) -> Delivery:
    """Draw a delivery whose body, envelope, signature or carriage may be bent."""
    body, sender, recipient = data.draw(st.sampled_from(ROUTES))
    header = Header(
        uuid7(), body.kind, body.version, sender, recipient, next(_numbers), country.now, uuid7()
    )
    text = body.example().dump_json()
    if data.draw(st.booleans()):
        text = data.draw(bent(orjson.loads(text)))
    payload = _payload(country, header, body, text)
    if data.draw(st.booleans()) and b"\xff" not in payload:
        payload = data.draw(bent(_value_of(payload)))
    signed = country.signing[sender].sign(payload)
    return replace(
        Delivery(
            node=recipient,
            signed=data.draw(_broken(signed)),
            exchange=body.plane.exchange,
            routing_key=str(RoutingKey(recipient, sender, body.kind)),
            user_id=sender,
            message_id=str(header.id),
            type=type_name(body.kind, body.version),
            content_type="application/jose",
            received_at=country.now,
        ),
        **data.draw(st.sampled_from([{}, {}, {}, *CARRIAGES])),
    )


CARRIAGES: Final[list[dict[str, Any]]] = [
    {"user_id": None},
    {"user_id": "\0"},
    {"message_id": "not an id"},
    {"message_id": None},
    {"type": "x" * 255},
    {"content_type": "\r\n"},
    {"exchange": ""},
    {"routing_key": "\ufffd" * 80},
]


def _payload(country: Country, header: Header, body: type[Body], text: bytes) -> bytes:
    kind = kind_of(body.example())
    if not kind.sealed:
        whole = encode(header, {}, sealed=False)
        return whole[: whole.rindex(b"{}")] + text + b"}"
    recipient = directory().node(header.recipient)
    readers = readers_of(kind, recipient, directory())
    keys = [country.trust.sealing_key(node, country.now) for node in readers]
    return encode(header, seal(text, keys), sealed=True)


def _value_of(payload: bytes) -> object:
    """Return what *payload* says, or half of it where its body is no JSON."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {"data": {}}


def _broken(signed: bytes) -> st.SearchStrategy[bytes]:
    """Leave it whole, change a byte, cut it, or put another header before it."""
    places = st.integers(0, len(signed) - 1)
    return st.one_of(
        st.just(signed),
        st.just(signed),
        places.map(lambda at: signed[:at] + b"A" + signed[at + 1 :]),
        places.map(lambda at: signed[:at]),
        st.just(encoding.encode(b'{"alg":"none"}') + signed[signed.index(b".") :]),
    )


@examples(25)
@given(data=st.data(), count=st.integers(1, 6))
async def test_whatever_is_signed_is_kept_or_held_and_its_neighbours_are_kept(
    country: Country, data: st.DataObject, count: int
) -> None:
    """Every delivery of a batch ends kept, repeated or held; good ones end kept and receipted."""
    good = [await country.say(HAKODATE, HOKKAIDO, update(n, area_code=HAKODATE)) for n in range(2)]
    strange = [odd_delivery(data, country) for _ in range(count)]

    tallies = await country.hand_over(
        [
            delivery(good[0], HOKKAIDO, country.now),
            *strange,
            delivery(good[1], HOKKAIDO, country.now),
        ]
    )
    for tier in Tier:
        await retry_due(country.desk(tier))
        await issue(country.databases[tier], country.publisher)

    ended = sum(t.kept + t.duplicates + t.quarantined for t in tallies)
    assert ended >= len(strange) + 2
    ids = [envelope.header.id for envelope in good]
    done = "SELECT count(*) FROM inbox WHERE message_id = ANY ($1) AND node = $2 AND state = 'done'"
    assert [(2,)] == await country.fetch(Tier.PREFECTURE, done, ids, HOKKAIDO)


@examples(150)
@given(data=st.data())
async def test_verification_ends_in_an_envelope_or_a_documented_error(
    country: Country, data: st.DataObject
) -> None:
    """No content makes verification fail in a way that nobody has foreseen."""
    strange = odd_delivery(data, country)
    verifier = country.desk(directory().node(strange.node).tier).verifier

    try:
        verifier.verify(strange, at=country.now)
    except (UntrustedError, RejectedError) as error:
        assert_impersonal(error)
