"""Base64url and JSON as JOSE wants them: one spelling per value, no name twice."""

from __future__ import annotations

import json
from typing import Any, Final

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


def members(text: bytes) -> dict[str, Any]:
    """Read one JSON object in which no object at any depth names a member twice.

    Two readers of a doubled member may each believe another of its values.

    Raises:
        ValueError: No JSON, no object, a name twice, or nested too deeply to read.
    """
    try:
        found = json.loads(text.decode(), object_pairs_hook=_distinct, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a value of the text's, not of ours
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member's name stands twice")
    return found


def _no_number(_: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")
