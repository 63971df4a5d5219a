"""Authentic and other envelopes with every sort of content, against the real pipeline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.receipts import issue
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import CONTENT_TYPE, Delivery, Header, encode, type_name
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
from jukinet_mq.routing import SEQUENCE_MAX, RoutingKey
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
from tests.fuzz.json_trees import altered, bent

Route = tuple[type[Body], NodeCode, NodeCode]
ROUTES: Final[list[Route]] = [
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


LAYERS: Final = ("body", "seal", "header", "event", "bytes", "carriage")
"""Where an envelope may be odd, from the inside out."""
some_layers = st.sets(st.sampled_from(LAYERS), min_size=1, max_size=2)
HEADERS: Final[list[dict[str, Any]]] = [
    {"time": datetime(2026, 4, 2, 3, 0, tzinfo=UTC)},
    {"time": datetime(1, 1, 1, tzinfo=UTC)},
    {"time": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
    {"sequence": 0},
    {"sequence": SEQUENCE_MAX},
    {"sequence": SEQUENCE_MAX + 1},
    {"sequence": 10**20 - 1},
    {"kind": "receipt"},
    {"kind": "unknown"},
    {"version": 2},
    {"version": 9999},
    {"sender": HAKODATE},
    {"sender": NodeCode("999999")},
    {"recipient": HOKKAIDO},
    {"recipient": JLIS},
    {"recipient": NodeCode("999999")},
    {"id": UUID(int=0)},
    {"event_id": UUID(int=2**128 - 1)},
]
CARRIAGES: Final[list[dict[str, Any]]] = [
    {"user_id": None},
    {"user_id": "\0"},
    {"message_id": "not an id"},
    {"message_id": None},
    {"type": "x" * 255},
    {"content_type": "\r\n"},
    {"exchange": ""},
    {"routing_key": "\ufffd" * 80},
    {"node": HOKKAIDO},
]


def odd_delivery(data: st.DataObject, country: Country) -> Delivery:
    """Draw a delivery that is odd in one layer or two, and whole in the others."""
    body, sender, recipient = route = data.draw(st.sampled_from(ROUTES))
    layers = data.draw(some_layers)
    header, signed = odd_envelope(data, country, route, layers)
    return replace(
        Delivery(
            node=recipient,
            signed=signed,
            exchange=body.plane.exchange,
            routing_key=str(RoutingKey(header.recipient, header.sender, header.kind)),
            user_id=sender,
            message_id=str(header.id),
            type=type_name(header.kind, header.version),
            content_type=CONTENT_TYPE,
            received_at=country.now,
        ),
        **(data.draw(st.sampled_from(CARRIAGES)) if "carriage" in layers else {}),
    )


def odd_envelope(
    data: st.DataObject, country: Country, route: Route, layers: Collection[str]
) -> tuple[Header, bytes]:
    """Draw the signed bytes of an envelope that is odd in *layers*, and what it says it is."""
    body, sender, recipient = route
    header = Header(
        uuid7(), body.kind, body.version, sender, recipient, next(_numbers), country.now, uuid7()
    )
    if "header" in layers:
        header = replace(header, **data.draw(st.sampled_from(HEADERS)))
    content = orjson.loads(body.example().dump_json())
    if body is IdentityForward:
        inner = data.draw(st.just(set()) | some_layers)
        content["originals"] = [odd_envelope(data, country, ROUTES[0], inner)[1].decode()]
    text = data.draw(oddly(content)) if "body" in layers else orjson.dumps(content)
    if kind_of(body.example()).sealed:
        text = data.draw(_sealed(country, route, text, odd="seal" in layers))
    payload = _around(header, text, sealed=kind_of(body.example()).sealed)
    if "event" in layers:
        payload = data.draw(oddly(_value_of(payload)))
    signed = country.signing[sender].sign(payload)
    return header, data.draw(_broken(signed)) if "bytes" in layers else signed


def oddly(value: object) -> st.SearchStrategy[bytes]:
    """Draw the JSON text of *value* with something in it replaced, or bent."""
    return altered(value).map(orjson.dumps) | bent(value)


def _sealed(country: Country, route: Route, text: bytes, *, odd: bool) -> st.SearchStrategy[bytes]:
    """Seal *text* to its lawful readers; where *odd*, to others, or what comes of it is bent."""
    body, _, recipient = route
    lawful = list(readers_of(kind_of(body.example()), directory().node(recipient), directory()))
    keys = {node: country.trust.sealing_key(node, country.now) for node in country.sealing}
    whole = seal(text, [keys[node] for node in lawful])
    if not odd:
        return st.just(orjson.dumps(whole))
    others = st.sampled_from([lawful * 2, [*lawful, HOKKAIDO], [HAKODATE], lawful[:1] * 8])
    return st.one_of(
        oddly(whole),
        others.map(lambda nodes: orjson.dumps(seal(text, [keys[node] for node in nodes]))),
        st.just(text),
    )


def _around(header: Header, text: bytes, *, sealed: bool) -> bytes:
    whole = encode(header, {}, sealed=sealed)
    return whole[: whole.rindex(b"{}")] + text + b"}"


def _value_of(payload: bytes) -> object:
    """Return what *payload* says, or half of it where its body is no JSON."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {"data": {}}


def _broken(signed: bytes) -> st.SearchStrategy[bytes]:
    """Change a byte, cut it, or put another header before it."""
    places = st.integers(0, len(signed) - 1)
    return st.one_of(
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
