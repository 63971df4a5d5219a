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
