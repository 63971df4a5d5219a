from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.envelope import (
    PLAIN,
    SEALED,
    Header,
    SignedEnvelope,
    decode,
    digest_of,
    encode,
    schema_urn,
    type_name,
)
from jukinet_mq.errors import MalformedEnvelopeError
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.routing import SEQUENCE_MAX, Plane
from jukinet_mq.strict_json import NUMBER_MAX

HEADER = Header(
    id=UUID("019d45b1-5a00-7000-8000-0000000000aa"),
    kind="move-in-notice",
    version=1,
    sender=NodeCode("011002"),
    recipient=NodeCode("131016"),
    sequence=7,
    time=datetime(2026, 4, 1, 3, 0, 0, 123456, tzinfo=UTC),
    event_id=UUID("019d45b1-5a00-7000-8000-0000000000bb"),
)
codes = st.sampled_from([node.code for node in directory().nodes()])
headers = st.builds(
    Header,
    id=st.uuids(),
    kind=st.from_regex(r"[a-z]{1,12}(-[a-z]{1,12}){0,4}", fullmatch=True),
    version=st.integers(1, 9999),
    sender=codes,
    recipient=codes,
    sequence=st.integers(1, SEQUENCE_MAX),
    time=st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1800 <= at.year < 2200),
    event_id=st.uuids(),
)
leaves = st.none() | st.booleans() | st.integers(-NUMBER_MAX, NUMBER_MAX) | st.text(max_size=20)
contents = st.dictionaries(
    st.text(max_size=10),
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3)),
    max_size=5,
)


def changed(**attributes: Any) -> bytes:
    """Return an encoded envelope with some attributes changed; None leaves one out."""
    event = orjson.loads(encode(HEADER, {"a": 1}, sealed=False)) | attributes
    return orjson.dumps({name: value for name, value in event.items() if value is not None})


@given(header=headers, content=contents, sealed=st.booleans())
def test_an_envelope_is_read_back_as_it_was_written(
    header: Header, content: dict[str, Any], *, sealed: bool
) -> None:
    """Header and data survive, whether given as an object or as JSON text."""
    payload = encode(header, orjson.dumps(content), sealed=sealed)

    again, event = decode(payload)

    assert header == again
    assert content == event.data
    assert event.datacontenttype == (SEALED if sealed else PLAIN)
    assert event.type == type_name(header.kind, header.version)
    assert event.dataschema == schema_urn(header.kind, header.version)
    assert payload == encode(header, content, sealed=sealed)


def test_an_envelope_is_the_cloudevent_that_is_published() -> None:
    """The exact attributes and spellings on the wire."""
    assert orjson.loads(encode(HEADER, {"a": 1}, sealed=False)) == {
        "specversion": "1.0",
        "id": "019d45b1-5a00-7000-8000-0000000000aa",
        "source": "011002",
        "subject": "131016",
        "type": "move-in-notice.v1",
        "time": "2026-04-01T03:00:00.123456Z",
        "dataschema": "urn:jukinet-mq:schema:move-in-notice:v1",
        "datacontenttype": "application/json",
        "sequence": "00000000000000000007",
        "traceparent": "00-019d45b15a00700080000000000000bb-80000000000000aa-01",
        "data": {"a": 1},
    }


def test_time_is_said_in_utc() -> None:
    """The instant counts, not the zone of the clock that it was read from."""
    japan = replace(HEADER, time=HEADER.time.astimezone(timezone(timedelta(hours=9))))

    assert encode(HEADER, {}, sealed=False) == encode(japan, {}, sealed=False)


def test_the_body_travels_byte_for_byte() -> None:
    """JSON text is put in as it is, so nothing can change a rare character on the way."""
    body = '{"name":"葛\U000e0100城 𠮷男"}'.encode()

    assert body in encode(HEADER, body, sealed=False)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"\xff", b'"x"', b"{}{}"])
def test_bytes_that_are_no_cloudevent_are_refused(payload: bytes) -> None:
    """Garbage under a good signature is still garbage."""
    with pytest.raises(MalformedEnvelopeError, match="no CloudEvent"):
        decode(payload)


@given(payload=st.binary(max_size=300))
def test_garbage_is_malformed_and_nothing_else(payload: bytes) -> None:
    """No bytes make the reader fail in another way."""
    with pytest.raises(MalformedEnvelopeError):
        decode(payload)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", 1.0),
        ("id", "not-a-uuid"),
        ("id", "{019d45b1-5a00-7000-8000-0000000000aa}"),
        ("id", "019D45B1-5A00-7000-8000-0000000000AA"),
        ("source", "13101"),
        ("source", "１３１０１６"),
        ("source", "١٣١٠١٦"),
        ("subject", "jlis\n"),
        ("subject", 131016),
        ("type", "move-in-notice"),
        ("type", "Move-In-Notice.v1"),
        ("type", "move-in-notice.v0"),
        ("type", "move-in-notice.v01"),
        ("time", "2026-04-01T03:00:00"),
        ("time", "2026-04-01T12:00:00+09:00"),
        ("time", "2026-02-30T03:00:00Z"),
        ("time", "1775012400"),
        ("time", 1775012400),
        ("dataschema", "https://example.com/schema"),
        ("datacontenttype", "text/plain"),
        ("sequence", "7"),
        ("sequence", 7),
        ("sequence", "-0000000000000000007"),
        ("sequence", f"{0:020d}"),
        ("sequence", f"{SEQUENCE_MAX + 1:020d}"),
        ("sequence", f"{2**63:020d}"),
        ("sequence", "9" * 20),
        ("sequence", "０" * 20),
        ("traceparent", "00-019d45b15a00700080000000000000bb-80000000000000aa-00"),
        ("traceparent", "00-019D45B15A00700080000000000000BB-80000000000000aa-01"),
        ("data", "text"),
        ("data", [1]),
    ],
)
def test_a_wrong_attribute_is_refused_by_name(attribute: str, value: Any) -> None:
    """Every attribute has one spelling; the error names the attribute and not its value."""
    with pytest.raises(MalformedEnvelopeError, match=rf"wrong: {attribute}$"):
        decode(changed(**{attribute: value}))


@pytest.mark.parametrize("attribute", orjson.loads(encode(HEADER, {}, sealed=False)))
def test_a_missing_attribute_is_refused_by_name(attribute: str) -> None:
    """No attribute is optional."""
    with pytest.raises(MalformedEnvelopeError, match=rf"wrong: {attribute}$"):
        decode(changed(**{attribute: None}))


def test_an_unknown_attribute_is_refused_without_repeating_it() -> None:
    """What a sender invents stands in no log."""
    with pytest.raises(MalformedEnvelopeError, match=r"wrong: \(unknown attribute\)$"):
        decode(changed(山田太郎="x"))


def test_a_digest_is_sha_256_over_the_signed_bytes() -> None:
    """What receipts speak of can be recomputed by anybody."""
    envelope = SignedEnvelope(HEADER, Plane.RELOCATION, "key", b"signed")

    assert envelope.digest == digest_of(b"signed") == hashlib.sha256(b"signed").digest()
