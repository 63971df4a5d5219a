"""Where an envelope must be, and what each keeper must answer: the law's rules, as expectations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from jukinet_mq.consumers.handlers.tables import HANDLERS
from jukinet_mq.errors import UnknownKindError
from jukinet_mq.messages import (
    IdentityUpdate,
    ReceiptLevel,
    find_kind,
    keepers_of,
    readers_of,
)
from jukinet_mq.nodes import NodeCode, Tier, directory


@dataclass(frozen=True, slots=True)
class Duty:
    """What one keeper owes.

    Attributes:
        opens: It reads the body and has a handler for it.
        level: The receipt that its sender must get in the end; None where none is owed.
        records: It writes the envelope into a register's history.
    """

    keeper: NodeCode
    tier: Tier
    opens: bool
    level: str | None
    records: bool


@cache
def duties(kind: str, version: int, sender: NodeCode, recipient: NodeCode) -> tuple[Duty, ...]:
    """Return what the keepers of an envelope owe, its recipient first.

    Raises:
        UnknownKindError: The catalogue has no such kind; a newer program has published it.
    """
    found = find_kind(kind, version)
    if found is None:
        raise UnknownKindError(
            f"{kind}.v{version} is in an outbox, but not in this program's catalogue; prove it "
            "with the program that has published it"
        )
    nodes = directory()
    to = nodes.node(recipient)
    readers = readers_of(found, to, nodes)
    made = []
    for keeper in keepers_of(found, nodes.node(sender), to, nodes):
        tier = nodes.node(keeper).tier
        opens = kind in HANDLERS[tier] and (keeper in readers or not found.sealed)
        level = ReceiptLevel.PROCESSED if opens else ReceiptLevel.KEPT
        made.append(
            Duty(
                keeper,
                tier,
                opens=opens,
                level=level.value if found.answered else None,
                records=opens and kind == IdentityUpdate.kind,
            )
        )
    return tuple(made)
