"""Rules that several kinds share: days that have come, and areas that are the header's."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from jukinet_mq.errors import MalformedBodyError, SameMunicipalityError, UnknownNodeError
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.text import PartialDate

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node


def require_not_ahead(day: date | RegisterDate, *, today: date, field: str) -> None:
    """Refuse what lies after *today* as far as it is known.

    Raises:
        ImpossibleDateError: It does.
    """
    partial = day.partial if isinstance(day, RegisterDate) else PartialDate.exact(day)
    partial.not_after(today, field=field)


def require_area(code: str, *, field: str, node: Node) -> None:
    """Refuse an area that is not *node*'s own, or one of its wards.

    Raises:
        UnknownNodeError: No municipality or ward has this code.
        MalformedBodyError: It belongs to somebody else.
    """
    if area_node(code, field=field) != node:
        raise MalformedBodyError(
            f"{field} does not lie in {node.code} ({node.name}), which the header names; "
            "correct the one that is wrong",
            field=field,
        )


def require_move(
    former_area: str,
    new_area: str,
    *,
    former: Node,
    new: Node | None = None,
    new_field: str = "new_area_code",
) -> None:
    """Hold both ends of a move between municipalities against the header.

    Args:
        former_area: Value of the field `former_area_code`.
        new_area: Value of the field *new_field*.
        former: The node that the header says it was.
        new: The node that the header says it is; None where the header does not name it.
        new_field: How the body calls the new area.

    Raises:
        UnknownNodeError: No municipality or ward has one of the codes.
        SameMunicipalityError: Both belong to one municipality; that is a 転居.
        MalformedBodyError: One belongs to somebody else than the header says.
    """
    destination = area_node(new_area, field=new_field)
    if destination == area_node(former_area, field="former_area_code"):
        raise SameMunicipalityError(
            f"former_area_code and {new_field} both lie in {destination.code} "
            f"({destination.name}); a move within a municipality is an identity-update with "
            "reason move_within",
            field=new_field,
        )
    require_area(former_area, field="former_area_code", node=former)
    if new is not None:
        require_area(new_area, field=new_field, node=new)


def area_node(code: str, *, field: str) -> Node:
    """Return the municipality that receives for an area.

    Raises:
        UnknownNodeError: No municipality or ward has this code; prefectures are no areas.
    """
    try:
        node = directory().route(code)
    except UnknownNodeError as error:
        raise UnknownNodeError(f"{field}: {error}", field=field) from None
    if node.tier is not Tier.MUNICIPALITY:
        raise UnknownNodeError(
            f"{field}: {code} ({node.name}) is no municipality; expected the code of a "
            "municipality or of a ward",
            field=field,
        )
    return node
