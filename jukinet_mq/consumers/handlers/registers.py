"""What a register makes of an identity update (Act 30-6(3), 30-7(3))."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from jukinet_mq.messages import EventClass, IdentityUpdate
from jukinet_mq.store import register
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.register import Entry


async def record_updates(tx: Transaction, arrivals: Sequence[Arrival]) -> None:
    """Add every update to the history, and let the register hold each resident's latest event.

    Where a resident code was changed, the entry under the former code ends with that event.
    """
    ended = [e for a in arrivals if (e := _ended(a)) is not None]
    await register.record(tx, [_entry(arrival) for arrival in arrivals], ended=ended)


def _entry(arrival: Arrival) -> Entry:
    update, header = _update(arrival), arrival.envelope.header
    return Entry(
        resident_code=update.resident_code,
        node=arrival.node,
        present=update.event_class is not EventClass.DELETE,
        municipality=header.sender,
        event_class=update.event_class.value,
        reason=update.reason.value,
        event_time=header.time,
        message_id=header.id,
        identity=update.dump_json().decode(),
    )


def _ended(arrival: Arrival) -> Entry | None:
    former = _update(arrival).previous_resident_code
    if former is None:
        return None
    return replace(_entry(arrival), resident_code=former, present=False)


def _update(arrival: Arrival) -> IdentityUpdate:
    return cast("IdentityUpdate", arrival.envelope.body)
