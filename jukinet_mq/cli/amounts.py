"""Lengths of time, rates and counts on the command line, each with a largest value."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import typer

COUNT_MAX: Final = 1_000_000
"""Rows that a list shows at most: more is for a query of one's own."""
SEED_MAX: Final = 2**63 - 1
AGE_MAX: Final = timedelta(days=60_000)
"""More than the 150 years for which anything is kept."""
WAIT_MAX: Final = timedelta(days=30)

_SPAN: Final = re.compile(r"(?P<count>[0-9]{1,18})\s*(?P<unit>ms|s|min|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_RATE: Final = re.compile(r"(?P<count>[0-9]{1,7})\s*/\s*(?P<unit>s|m|min|h)")


def read_age(text: str | timedelta) -> timedelta:
    """Read how long ago: `90s`, `15m`, `2h` or `7d`."""
    return _read_span(text, AGE_MAX)


def read_wait(text: str | timedelta) -> timedelta:
    """Read how long to wait, as `read_age` reads an age."""
    return _read_span(text, WAIT_MAX)


def read_rate(text: str | float) -> float:
    """Read how many a second, such as `50/s`, `600/min` or `5000/h`."""
    if isinstance(text, float):
        return text
    found = _RATE.fullmatch(text.strip())
    if found is None or not int(found["count"]):
        raise typer.BadParameter(
            f"{text!r} is no rate; write for example 50/s, 600/min, 5000/h; at most 9999999/s"
        )
    return int(found["count"]) / _SECONDS[found["unit"]]


def span_text(length: timedelta) -> str:
    """Return a length of time as it is typed."""
    for unit in ("d", "h", "m"):
        count, rest = divmod(length, timedelta(seconds=_SECONDS[unit]))
        if count and not rest:
            return f"{count}{unit}"
    return f"{length.total_seconds():g}s"


def _read_span(text: str | timedelta, longest: timedelta) -> timedelta:
    if isinstance(text, timedelta):  # a default
        return text
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no length of time; write for example 90s, 15m, 2h, 7d"
        )
    seconds = int(found["count"]) * _SECONDS[found["unit"]]
    if seconds > longest.total_seconds():
        raise typer.BadParameter(f"{text!r} is too long; at most {span_text(longest)}")
    return timedelta(seconds=seconds)
