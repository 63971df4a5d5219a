"""What is not trusted, held for a person with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jukinet_mq.envelope import SIZE_MAX, Delivery, digest_of
from jukinet_mq.errors import JukinetError
from jukinet_mq.store.database import Transaction

CLAIM_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery and why it is not trusted."""

    delivery: Delivery
    error: JukinetError


async def hold(tx: Transaction, held: Held) -> None:
    """Hold one delivery; the same bytes for the same reason are counted, not held again.

    At most 256 KiB of the bytes are kept, so that a flood of huge ones fills no disk; size and
    digest are of the whole.
    """
    delivery = held.delivery
    await tx.execute(
        "quarantine/hold",
        delivery.node,
        digest_of(delivery.signed),
        held.error.reason,
        str(held.error),
        _claim(delivery.user_id),
        _claim(delivery.routing_key) or "",
        delivery.exchange,
        _claim(delivery.message_id),
        _claim(delivery.type),
        _sender_of(delivery),
        len(delivery.signed),
        delivery.signed[:SIZE_MAX],
        tx.at,
    )


def _sender_of(delivery: Delivery) -> str | None:
    return _claim(delivery.user_id)


def _claim(text: str | None) -> str | None:
    """Return what a stranger wrote as far as it may be stored: bounded, without NUL."""
    return None if text is None else text[:CLAIM_LENGTH_MAX].replace("\0", "�")
