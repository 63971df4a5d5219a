"""Options that several commands share."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from jukinet_mq.nodes import Tier

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this, only say what it does.")]


def complete_node(incomplete: str) -> list[tuple[str, str]]:
    """Return the codes that begin like this, with their names."""
    from jukinet_mq.nodes import directory

    return [(n.code, n.name) for n in directory().nodes() if n.code.startswith(incomplete)]


NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="CODE", help="Six digits of the node, or jlis.", autocompletion=complete_node
    ),
]
NodeOption = Annotated[
    str | None,
    typer.Option("--node", metavar="CODE", help="This node.", autocompletion=complete_node),
]
NodesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--node",
        metavar="CODE",
        help="A node, by its six digits; may be repeated.",
        autocompletion=complete_node,
    ),
]
Tiers = Annotated[
    list[Tier] | None,
    typer.Option("--tier", help="This tier only; may be repeated.", show_default="all"),
]

_AGE: Final = re.compile(r"(?P<count>\d{1,6})\s*(?P<unit>ms|s|min|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def read_span(text: str | None) -> timedelta | None:
    """Read a length of time such as `90s`, `15m`, `2h` or `7d`."""
    if text is None:
        return None
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is no length of time; write for example 90s, 15m, 2h, 7d"
        )
    return timedelta(seconds=int(found["count"]) * _SECONDS[found["unit"]])


OlderThan = Annotated[
    str | None,
    typer.Option(metavar="AGE", help="Only what is older than, for example, 15m, 2h or 7d."),
]
NewerThan = Annotated[
    str | None,
    typer.Option(metavar="AGE", help="Only what is newer than, for example, 15m, 2h or 7d."),
]
Kind = Annotated[str | None, typer.Option(help="Of this kind.")]
Sender = Annotated[
    str | None,
    typer.Option(metavar="CODE", help="From this node.", autocompletion=complete_node),
]


def read_ages(
    older_than: str | None, newer_than: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return before and after which instant a thing must have happened."""
    from jukinet_mq.clock import utc_now

    now = utc_now()
    older, newer = read_span(older_than), read_span(newer_than)
    if older is not None and newer is not None and older >= newer:
        raise typer.BadParameter("nothing is older and newer than that")
    return now - older if older is not None else None, now - newer if newer is not None else None


Rate = Annotated[
    str | None,
    typer.Option(
        metavar="N/s", help="At most so many, for example 50/s, 600/min or 5000/h; default: all."
    ),
]
_RATE: Final = re.compile(r"(?P<count>\d{1,7})\s*/\s*(?P<unit>s|m|min|h)")


def read_rate(text: str | None) -> float | None:
    """Read how many a second, such as `50/s`, `600/min` or `5000/h`."""
    if text is None:
        return None
    found = _RATE.fullmatch(text.strip())
    if found is None or not int(found["count"]):
        raise typer.BadParameter(f"{text!r} is no rate; write for example 50/s, 600/min, 5000/h")
    return int(found["count"]) / _SECONDS[found["unit"]]
