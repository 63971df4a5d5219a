"""Reads JSON that other programs wrote so that it has one meaning for every reader.

Everything that is signed, sealed, filed or imported is read here. Two readers of a member that
stands twice, of a number beyond the exact ones, or of `NaN` may each believe something else of
the same signed bytes (RFC 8259 §4 and §6, RFC 7493 §2).
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

NUMBER_MAX: Final = 2**53 - 1
"""The largest whole number that every JSON reader reads exactly (RFC 7493 §2.2)."""
SIZE_MAX: Final = 256 * 1024
"""Bytes of one text: what a signed envelope may have."""
DEPTH_MAX: Final = 16
"""Arrays and objects inside each other; the published schemas need 7."""
VALUES_MAX: Final = 16_384
"""Values in one text, at all depths; the largest answer about holdings has about 5,000."""


def read(text: bytes, *, size_max: int = SIZE_MAX) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text in UTF-8.

    Raises:
        ValueError: Not JSON in UTF-8, a member's name twice in one object, a number outside
            ±(2**53 - 1) or that is none (NaN, infinity, 1e400), or a text that is too large, too
            deeply nested or has too many values. The message repeats no content.
    """
    if len(text) > size_max:
        raise ValueError(f"the text has {len(text)} bytes; at most {size_max} are allowed")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    _check_values(value)
    # Only Python's own reader shows every pair; what could upset it is refused by now.
    json.loads(text, object_pairs_hook=_check_names)
    return value


def read_object(text: bytes) -> dict[str, Any]:
    """Return the members of a JSON text that is one object.

    Raises:
        ValueError: As `read`, or the text is another value.
    """
    value = read(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - the text's value, not an argument's
    return value


def _check_values(value: object) -> None:
    """Check depth, number of values and numbers, level by level; recursion could overflow."""
    level, depth, count = [value], 0, 0
    while level:
        count += len(level)
        if count > VALUES_MAX:
            raise ValueError(f"more than {VALUES_MAX} values")
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, int | float) and not -NUMBER_MAX <= one <= NUMBER_MAX:
                raise ValueError(f"a number lies outside ±{NUMBER_MAX}")
            else:
                continue
            if depth == DEPTH_MAX:
                raise ValueError(f"nested deeper than {DEPTH_MAX} levels")
        level, depth = inner, depth + 1


def _check_names(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member's name stands twice in one object")
