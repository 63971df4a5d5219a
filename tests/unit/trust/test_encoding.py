from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.trust import encoding


@given(st.binary(max_size=200))
def test_bytes_come_back_from_base64url(raw: bytes) -> None:
    """What is encoded is what the standard library writes without padding, and comes back."""
    text = encoding.encode(raw)

    assert base64.urlsafe_b64encode(raw).rstrip(b"=") == text
    assert raw == encoding.decode(text)


@pytest.mark.parametrize(
    "text",
    [b"YQ==", b"YR", b"+/+/", b"YW Jj", b"YWJj\n", b"Y", "YWｊj".encode(), b"YWJj=", b"YW.Jj"],
)
def test_a_second_spelling_is_refused(text: bytes) -> None:
    """Padding, left-over bits, the other alphabet and foreign characters are errors."""
    with pytest.raises(ValueError, match=r"."):
        encoding.decode(text)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_one_value_has_one_spelling(one: bytes, other: bytes) -> None:
    """Any text that can be read is the text that its bytes are written as."""
    try:
        raw = encoding.decode(other)
    except ValueError:
        return
    assert other == encoding.encode(raw)
    assert (one == raw) is (encoding.encode(one) == other)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"\\u0062":2}}',
        b'[{"a":1}]',
        b"null",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1}{}',
        b'{"a":1',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16-le"),
        b'{"a":' * 100_000,
    ],
)
def test_json_with_two_readings_is_refused(text: bytes) -> None:
    """A name twice at any depth, no object, what is not JSON, and endless nesting are errors."""
    with pytest.raises(ValueError, match=r"."):
        encoding.members(text)
