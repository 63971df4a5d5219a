"""転入通知未着 (standard 4.1.3.1.4): planned move-outs without a move-in notice.

Nothing says by when a notice must come; it follows the filing, which must be made within 14 days
of the move (Act 22). Who waits longer is inquired after by a person, with the filing's id.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.clock import today_in_japan
from jukinet_mq.store import relocation
from jukinet_mq.store.database import Database

EXPECTED_WITHIN: Final = timedelta(days=21)
"""After the planned day: the 14 days for filing, and a week for a paper filing's notice."""
COUNT_EVERY: Final = timedelta(hours=6)


def planned_before(today: date, within: timedelta = EXPECTED_WITHIN) -> date:
    """Return the first planned day whose notice need not have come by *today*."""
    return today - within


async def count_missing(database: Database) -> None:
    """Say, per municipality, of how many persons no notice has come in time."""
    async with database.transaction() as tx:
        missing = await relocation.count_missing_notices(
            tx, planned_before=planned_before(today_in_japan(tx.at))
        )
    for node, persons, oldest in missing:
        telemetry.emit(
            telemetry.NOTICES_MISSING, node=node, persons=persons, oldest=oldest.isoformat()
        )
