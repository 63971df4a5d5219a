from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from jukinet_mq.cli.journey import Journey, journeys
from jukinet_mq.errors import DiscardedByOperatorError
from jukinet_mq.messages import Kind
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.store.timeline import Answered, Arrived, Forwarded, HeldBack, Known, Published, Said

BEGUN = datetime(2026, 3, 28, 1, 0, tzinfo=UTC)
ID = UUID("01997c3e-5f00-7000-8000-0000000000a1")
UPDATE = Said(ID, ID, "131016", "130001", "identity", "identity-update", 1, 1, BEGUN)
NOTICE = Said(ID, ID, "011002", "131016", "relocation", "move-in-notice", 1, 1, BEGUN)


def at(seconds: int) -> datetime:
    """Return an instant of the story."""
    return BEGUN + timedelta(seconds=seconds)


RELAYED = at(1)


def published(said: Said = UPDATE, relayed: datetime | None = RELAYED) -> Published:
    """Return an envelope in its sender's outbox."""
    return Published(said, BEGUN, relayed, 1 if relayed else 0)


def answered(keeper: str, level: str = "processed", reason: str | None = None) -> Answered:
    """Return a keeper's receipt."""
    processed = at(3) if level == "processed" else None
    kept = None if level == "rejected" else at(2)
    return Answered(ID, "131016", keeper, level, reason, kept, processed, at(4), matches=True)


def arrived(node: str, state: str, **more: Any) -> Arrived:
    """Return an envelope in a keeper's inbox."""
    facts = {"attempts": 1, "due_at": None, "reason": None, "handled_at": None, **more}
    return Arrived(said=UPDATE, node=node, carried_by=None, kept_at=at(2), state=state, **facts)


def known(**facts: Any) -> Known:
    """Return what a database knows."""
    nothing: dict[str, Any] = dict.fromkeys(
        ("filed", "published", "arrived", "answered", "forwarded", "held"), ()
    )
    return Known(**{**nothing, **facts})


def journey(municipality: Known, prefecture: Known | None = None) -> Journey:
    """Return the one envelope's way."""
    asked = {Tier.MUNICIPALITY: municipality}
    if prefecture is not None:
        asked[Tier.PREFECTURE] = prefecture
    [way] = journeys(asked, directory(), handled)
    return way


def handled(kind: Kind, tier: Tier) -> bool:
    """Say what the tiers handle."""
    return (kind.name, tier) in {
        ("identity-update", Tier.PREFECTURE),
        ("identity-update", Tier.NATIONAL),
        ("move-in-notice", Tier.MUNICIPALITY),
    }


def steps(way: Journey) -> list[tuple[str, str, str]]:
    """Return what stands where, and how."""
    return [(step.what, step.node, step.state.value) for step in way.steps]


def test_event_in_the_outbox_waits_for_the_relay() -> None:
    """Nothing but its publication is known, and every keeper is still to answer."""
    way = journey(known(published=[published(relayed=None)]))

    assert [
        ("published", "131016", "done"),
        ("relayed", "131016", "waiting"),
        ("kept", "130001", "waiting"),
        ("forwarded", "130001", "waiting"),
        ("kept", "jlis", "waiting"),
    ] == steps(way)
    assert ["130001", "jlis"] == list(way.unanswered)


def test_answered_update_has_gone_all_its_way() -> None:
    """Receipts alone tell that it was kept, forwarded and processed."""
    way = journey(known(published=[published()], answered=[answered("130001"), answered("jlis")]))

    assert [
        ("published", "131016", "done"),
        ("relayed", "131016", "done"),
        ("kept", "130001", "done"),
        ("processed", "130001", "done"),
        ("forwarded", "130001", "done"),
        ("kept", "jlis", "done"),
        ("processed", "jlis", "done"),
    ] == steps(way)
    assert [] == list(way.unanswered)
    assert not way.refused


def test_prefectures_database_tells_that_the_forward_waits() -> None:
    """What the municipality cannot know, the prefecture's outbox says."""
    forwarded = Forwarded(ID, "130001", at(3), None)
    way = journey(
        known(published=[published()], answered=[answered("130001")]),
        known(forwarded=[forwarded]),
    )

    assert ("forwarded", "130001", "waiting") in steps(way)
    assert ["jlis"] == list(way.unanswered)


def test_rejection_says_why_and_is_an_answer() -> None:
    """A keeper that refuses has answered; the journey shows its reason."""
    way = journey(
        known(
            published=[published()],
            answered=[answered("130001", "rejected", "signature_mismatch"), answered("jlis")],
        )
    )

    [rejected] = [step for step in way.steps if step.what == "rejected"]
    assert ("130001", "signature_mismatch") == (rejected.node, rejected.reason)
    assert way.refused
    assert [] == list(way.unanswered)


def test_evidence_is_kept_and_never_processed() -> None:
    """Of a relocation envelope only the recipient's processing is waited for."""
    keepers = ("010006", "130001", "jlis")
    way = journey(
        known(
            published=[published(NOTICE)],
            answered=[answered("131016"), *(answered(keeper, "kept") for keeper in keepers)],
        )
    )

    assert [("processed", "131016", "done")] == [s for s in steps(way) if s[0] == "processed"]
    assert [] == list(way.unanswered)


@pytest.mark.parametrize(
    ("state", "more", "expected"),
    [
        ("pending", {"due_at": at(9), "reason": "not_now"}, ("processed", "waiting", "not_now")),
        ("parked", {"reason": "body_malformed"}, ("parked", "failed", "body_malformed")),
        ("parked", {"reason": DiscardedByOperatorError.reason},
         ("discarded", "failed", "discarded_by_operator")),
        ("done", {"handled_at": at(3)}, ("processed", "done", None)),
    ],
)  # fmt: skip
def test_keepers_inbox_tells_why_it_is_not_processed(
    state: str, more: dict[str, Any], expected: tuple[str, str, str | None]
) -> None:
    """Where no receipt has come yet, the keeper's database says how it stands."""
    way = journey(known(published=[published()]), known(arrived=[arrived("130001", state, **more)]))

    last = [step for step in way.steps if step.node == "130001" and step.what != "forwarded"][-1]
    assert expected == (last.what, last.state.value, last.reason)
    assert "130001" in way.unanswered


def test_quarantined_envelope_is_shown_where_it_lies() -> None:
    """What claims this id and is not trusted is told, with the reason."""
    held = HeldBack(1, "130001", at(2), "key_unknown", str(ID))

    way = journey(known(published=[published()]), known(held=[held]))

    assert ("quarantined", "130001", "failed") in steps(way)


def test_receipt_about_other_bytes_is_alarming() -> None:
    """A receipt for something that was not said is never taken for an answer silently."""
    wrong = Answered(ID, "131016", "130001", "processed", None, at(2), at(3), at(4), matches=False)

    way = journey(known(published=[published()], answered=[wrong]))

    assert ("mismatched", "130001", "failed") in steps(way)
