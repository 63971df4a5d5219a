"""When a run is at its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jukinet_mq.load.progress import Reached, reached
from jukinet_mq.nodes import NATIONAL_NODE, NodeCode, Tier
from jukinet_mq.store.proof import Group, Progress

CHIYODA, TOKYO = NodeCode("131016"), NodeCode("130001")
UPDATES = Group("identity-update", 1, CHIYODA, TOKYO, 10, 10)
FORWARDS = Group("identity-forward", 1, TOKYO, NATIONAL_NODE, 2, 2)
TO_MUNICIPALITY = Group("receipt", 1, TOKYO, CHIYODA, 3, 3)
TO_PREFECTURE = Group("receipt", 1, NATIONAL_NODE, TOKYO, 1, 1)
DONE = {
    Tier.MUNICIPALITY: Progress((UPDATES,), kept=3, done=3, answered=20, left=()),
    Tier.PREFECTURE: Progress((FORWARDS, TO_MUNICIPALITY), 11, 11, 2, left=()),
    Tier.NATIONAL: Progress((TO_PREFECTURE,), kept=12, done=12, answered=0, left=()),
}


def test_everything_kept_and_answered_is_complete() -> None:
    """Ten updates in two forwards, with their receipts in four envelopes, have all arrived."""
    found = reached(DONE)

    assert found.complete
    assert (16, 16, (22, 22)) == (found.published, found.relayed, found.receipts)
    assert {Tier.MUNICIPALITY: (3, 3), Tier.PREFECTURE: (11, 11), Tier.NATIONAL: (12, 12)} == (
        found.kept
    )


@pytest.mark.parametrize(
    ("tier", "change"),
    [
        (Tier.MUNICIPALITY, {"groups": (UPDATES._replace(relayed=9),)}),
        (Tier.NATIONAL, {"kept": 11}),
        (Tier.MUNICIPALITY, {"answered": 19}),
        (Tier.PREFECTURE, {"left": (("inbox_pending", 1),)}),
        (Tier.NATIONAL, {"left": (("receipts_due", 1),)}),
        (Tier.MUNICIPALITY, {"left": (("filings_waiting", 1),)}),
    ],
)
def test_anything_under_way_is_not_complete(tier: Tier, change: dict[str, object]) -> None:
    """An envelope not relayed, not kept, not handled or not answered keeps the run going."""
    assert not reached({**DONE, tier: replace(DONE[tier], **change)}).complete  # type: ignore[arg-type]


def test_what_waits_for_a_person_does_not_keep_a_run_going() -> None:
    """Something parked never ends by itself; the proof names it."""
    parked = replace(DONE[Tier.NATIONAL], left=(("parked", 1), ("gaps_open", 1)))

    assert reached({**DONE, Tier.NATIONAL: parked}).complete


def test_run_that_has_published_nothing_is_complete() -> None:
    """Nothing must arrive."""
    assert reached({tier: Progress((), 0, 0, 0, ()) for tier in Tier}).complete
    assert Reached().complete
