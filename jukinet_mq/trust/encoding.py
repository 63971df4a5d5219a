"""Base64url and JSON as JOSE wants them: one spelling per value, no name twice."""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from typing import Any, Final

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


def encode(raw: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 §2)."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Read canonical base64url without padding.

    Raises:
        ValueError: A foreign character, padding, or bits left over: the same bytes have one
            spelling only, so nothing can change in transit without changing what is signed.
    """
    raw = a2b_base64(text.translate(_FROM_URL) + b"==="[: -len(text) % 4])
    # binascii skips what it does not know and drops left-over bits; encoding again shows both.
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
