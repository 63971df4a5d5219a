"""Base64url as JOSE wants it: one spelling per value."""

from __future__ import annotations

from typing import Final

import pybase64

_URL: Final = b"-_"


def encode(raw: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 §2)."""
    return pybase64.b64encode(raw, altchars=_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Read canonical base64url without padding.

    Raises:
        ValueError: A foreign character, padding, or bits left over: the same bytes have one
            spelling only, so nothing can change in transit without changing what is signed.
    """
    if b"+" in text or b"/" in text:
        raise ValueError("base64, not base64url")
    raw = pybase64.b64decode(text + b"==="[: -len(text) % 4], altchars=_URL, validate=True)
    # Padding and left-over bits are read over; encoding again shows both.
    if encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw
