"""Waits for what comes of replayed envelopes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli import running, terminal

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Tier
    from jukinet_mq.store.parked import ParkedEnvelope, Parking

LOOK_EVERY: Final = timedelta(milliseconds=500)


async def until_decided(
    given: Settings, tier: Tier, replayed: Sequence[ParkedEnvelope], *, within: timedelta
) -> list[Parking]:
    """Return what came of *replayed*, as soon as that is known of all, or when time is up.

    Those that are still tried then are returned as `pending`.
    """
    from jukinet_mq.store import parked

    ends = time.monotonic() + within.total_seconds()
    waiting = [one.position for one in replayed]
    decided: list[Parking] = []
    with terminal.console(stderr=True).status(f"{tier}: waiting for the worker ..."):
        async with running.open_database(given, tier) as db:
            while waiting:
                async with db.transaction() as tx:
                    found = await parked.history(
                        tx, parked.EnvelopeFilter(), positions=waiting, limit=len(waiting)
                    )
                pending = [one for one in found if one.outcome == "pending"]
                decided += [one for one in found if one.outcome != "pending"]
                left = ends - time.monotonic()
                if left <= 0 or not pending:
                    return decided + pending
                waiting = [one.position for one in pending]
                await asyncio.sleep(min(LOOK_EVERY.total_seconds(), left))
    return decided
