"""Options that several commands share; how their values are read stands in three modules.

`codes` reads nodes and prefectures, `names` reasons, kinds and logins, `amounts` times and rates.
An option for such a value is declared here or reads by those, so that each refuses what is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from jukinet_mq.cli import amounts, codes, names
from jukinet_mq.nodes import Tier

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this, only say what it does.")]


def node_option(*flags: str, help: str) -> Any:  # noqa: A002  # as typer calls it
    """Return how an option for a node, or for several, is declared."""
    return typer.Option(
        *flags,
        metavar="CODE",
        help=help,
        parser=codes.read_node,
        autocompletion=codes.complete_node,
    )


NodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="CODE",
        help="Six digits of the node, or jlis.",
        parser=codes.read_node,
        autocompletion=codes.complete_node,
    ),
]
AreaArgument = Annotated[
    str,
    typer.Argument(
        metavar="CODE",
        help="Six digits of the node or of a ward, or jlis.",
        parser=codes.read_area,
        autocompletion=codes.complete_node,
    ),
]
NodeOption = Annotated[str | None, node_option("--node", help="This node.")]
NodesOption = Annotated[
    list[str] | None, node_option("--node", help="A node, by its six digits; may be repeated.")
]
Sender = Annotated[str | None, node_option("--sender", help="From this node.")]
Login = Annotated[
    str | None,
    typer.Option(
        "--sender",
        metavar="LOGIN",
        help="Brought by this login of the broker.",
        parser=names.read_login,
        autocompletion=names.completing(names.logins),
    ),
]
Tiers = Annotated[
    list[Tier] | None,
    typer.Option(
        "--tier",
        help="This tier only; may be repeated.",
        show_default="all",
        parser=names.member_of(Tier),
    ),
]


def kind_option(help: str) -> Any:  # noqa: A002  # as typer calls it
    """Return how an option for a kind is declared."""
    return typer.Option(
        metavar="KIND",
        help=help,
        parser=names.read_kind,
        autocompletion=names.completing(names.kinds),
    )


def handling_reason_option(help: str) -> Any:  # noqa: A002  # as typer calls it
    """Return how an option for why handling failed is declared."""
    return typer.Option(
        metavar="REASON",
        help=help,
        parser=names.read_reason_of_handling,
        autocompletion=names.completing(names.reasons_of_handling),
    )


Kind = Annotated[str | None, kind_option("Of this kind.")]
OlderThan = Annotated[
    timedelta | None,
    typer.Option(
        metavar="AGE",
        help="Only what is older than, for example, 15m, 2h or 7d.",
        parser=amounts.read_age,
    ),
]
NewerThan = Annotated[
    timedelta | None,
    typer.Option(
        metavar="AGE",
        help="Only what is newer than, for example, 15m, 2h or 7d.",
        parser=amounts.read_age,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        metavar="N/s",
        help="At most so many, for example 50/s, 600/min or 5000/h; default: all.",
        parser=amounts.read_rate,
    ),
]
Operator = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Who decides; default: the user of this session.",
        parser=names.read_operator,
    ),
]
DecidedBy = Annotated[
    str | None,
    typer.Option("--operator", metavar="NAME", help="Decided by.", parser=names.read_operator),
]
Why = Annotated[
    str,
    typer.Option(
        metavar="TEXT", help="Why; needed with --apply, and kept.", parser=names.read_text
    ),
]


def limit_option(help: str) -> Any:  # noqa: A002  # as typer calls it
    """Return how an option for how many are shown is declared."""
    return typer.Option(min=1, max=amounts.COUNT_MAX, help=help)


def ages(
    older_than: timedelta | None, newer_than: timedelta | None
) -> tuple[datetime | None, datetime | None]:
    """Return before and after which instant a thing must have happened."""
    from jukinet_mq.clock import utc_now

    now = utc_now()
    if older_than is not None and newer_than is not None and older_than >= newer_than:
        raise typer.BadParameter("nothing is older and newer than that")
    return (
        now - older_than if older_than is not None else None,
        now - newer_than if newer_than is not None else None,
    )


def check_place(node: str | None, tiers: Sequence[Tier] | None) -> None:
    """Refuse a node together with tiers none of which is its own: nothing could be found."""
    from jukinet_mq.nodes import directory

    found = None if node is None else directory().find(node)
    if found is not None and tiers and found.tier not in tiers:
        raise typer.BadParameter(
            f"{found.code} {found.name} is a node of the {found.tier} tier; leave --tier out"
        )
