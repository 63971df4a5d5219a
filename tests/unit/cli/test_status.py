from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from jukinet_mq.cli import status, terminal
from jukinet_mq.store.timeline import Filed


def test_reason_of_a_refused_filing_is_shown() -> None:
    """The reason in brackets is text for the person, not markup."""
    at = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
    filed = Filed(
        event_id=UUID(int=1),
        node="131016",
        kind="card-move-in",
        filed_at=at,
        former="011002",
        state="refused",
        reason="certificate_erased",
        ended_at=at,
    )

    with terminal.console().capture() as shown:
        status._print([filed], [])

    assert "refused [certificate_erased]" in shown.get()
