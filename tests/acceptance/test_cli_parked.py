"""What an operator sees and decides: parked envelopes and the quarantine."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from jukinet_mq.nodes import Tier
from jukinet_mq.store import parked
from jukinet_mq.store.database import Database
from jukinet_mq.store.parked import Decision, EnvelopeFilter
from tests.fixtures.held_back import hold, park
from tests.fixtures.installation import CHIYODA, TOKYO, Installation

STATE = "SELECT state, attempts, due_at IS NOT NULL, reason FROM inbox WHERE message_id = $1"
ENDS = "SELECT ended_how, operator, explanation FROM parked WHERE message_id = $1"
RECEIPTS = "SELECT level, reason, carried_by FROM receipt_given WHERE message_id = $1"


def listed(installation: Installation, *filters: str) -> tuple[list[Any], list[str]]:
    """Return causes and ids that `parked list` shows of the prefecture tier."""
    done = installation.jukinet("parked", "list", "--tier", "prefecture", "--json", *filters)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)["prefecture"]
    return found["causes"], [envelope["message_id"] for envelope in found["envelopes"]]


async def test_parked_envelopes_are_listed_by_cause_and_filtered(
    installation: Installation,
) -> None:
    """Operators look at causes first; every filter narrows what is shown."""
    old = await park(installation, reason="certificate_used", age=timedelta(hours=3))
    new = await park(installation, reason="certificate_mismatch", kind="move-out-confirmation")

    causes, _ = listed(installation, "--node", TOKYO)
    by_age = listed(installation, "--older-than", "2h", "--reason", "certificate_used")[1]
    too_new = listed(installation, "--older-than", "2h", "--reason", "certificate_mismatch")[1]
    by_kind = listed(installation, "--kind", "move-out-confirmation", "--sender", CHIYODA)[1]
    table = installation.jukinet("parked", "list", "--reason", "certificate_used")

    assert {"certificate_used", "certificate_mismatch"} <= {cause["reason"] for cause in causes}
    assert [str(old)] == by_age
    assert [] == too_new
    assert [str(new)] == by_kind
    assert "131016 千代田区" in table.stdout
    assert str(old) in table.stdout


async def test_parked_envelope_is_shown_without_its_content(installation: Installation) -> None:
    """Header, cause and history; nothing that was sealed."""
    message_id = await park(installation, reason="body_malformed")

    shown = installation.jukinet("parked", "show", str(message_id))

    assert 0 == shown.returncode, shown.stderr
    for said in (str(message_id), "body_malformed", "A body does not meet its kind's schema"):
        assert said in shown.stdout
    assert f"jukinet parked replay {message_id} --why TEXT --apply" in shown.stdout


async def test_replay_is_dry_until_applied_and_remembers_who_and_why(
    installation: Installation,
) -> None:
    """The worker takes it at once, with all tries before it; a second replay finds nothing."""
    message_id = await park(installation)
    words = ("parked", "replay", str(message_id), "--why", "fixed", "--operator", "hanako")

    dry = installation.jukinet(*words)
    untouched = await installation.fetch(Tier.PREFECTURE, STATE, message_id)
    done = installation.jukinet(*words, "--apply")
    twice = installation.jukinet(*words, "--apply")

    assert (0, 0, 65) == (dry.returncode, done.returncode, twice.returncode), done.stderr
    assert "Nothing was changed" in dry.stdout
    assert [("parked", 8, False, "handler_failed")] == untouched
    assert [("pending", 0, True, None)] == await installation.fetch(
        Tier.PREFECTURE, STATE, message_id
    )
    assert [("replayed", "hanako", "fixed")] == await installation.fetch(
        Tier.PREFECTURE, ENDS, message_id
    )
    assert [] == await installation.fetch(Tier.PREFECTURE, RECEIPTS, message_id)


async def test_discarded_envelope_is_answered_and_stays_parked(installation: Installation) -> None:
    """Its sender is owed a rejection; a receipt itself is never answered."""
    update = await park(installation, reason="seal_unopenable")
    receipt = await park(installation, reason="seal_unopenable", kind="receipt")

    done = installation.jukinet(
        "parked",
        "discard",
        "--reason",
        "seal_unopenable",
        "--why",
        "test data",
        "--apply",
        "--json",
    )

    assert 0 == done.returncode, done.stderr
    assert 2 == len(json.loads(done.stdout)["discarded"]["prefecture"])
    expected = ("rejected", "discarded_by_operator", None)
    assert [expected] == await installation.fetch(Tier.PREFECTURE, RECEIPTS, update)
    assert [] == await installation.fetch(Tier.PREFECTURE, RECEIPTS, receipt)
    assert [("parked", 8, False, "discarded_by_operator")] == await installation.fetch(
        Tier.PREFECTURE, STATE, update
    )
    assert str(update) not in listed(installation)[1]


@pytest.mark.parametrize("second", ["replayed", "discarded"])
async def test_of_two_operators_one_decides(installation: Installation, second: str) -> None:
    """Both see the same envelopes; each envelope is decided about once, by one of them."""
    ids = [await park(installation, reason="contested") for _ in range(20)]
    wanted = EnvelopeFilter(ids=ids)

    async def decide(how: Any, operator: str) -> set[UUID]:
        url = installation.databases[Tier.PREFECTURE].worker_url
        async with Database(url) as database, database.transaction() as tx:
            chosen = await parked.envelopes(tx, wanted, limit=100)
            ended = await parked.decide(tx, chosen, Decision(how, operator, "contested"))
        return {one.message_id for one in ended}

    first, other = await asyncio.gather(decide("replayed", "hanako"), decide(second, "taro"))

    assert set(ids) == first | other
    assert set() == first & other
    rows = await installation.fetch(
        Tier.PREFECTURE,
        "SELECT operator, count(*) FROM parked WHERE message_id = ANY ($1) GROUP BY operator",
        ids,
    )
    assert {("hanako", len(first)), ("taro", len(other))} >= set(rows)


async def test_quarantine_shows_claims_and_never_content(
    installation: Installation, tmp_path: Path
) -> None:
    """Metadata only; the bytes go to a private file when they are asked for, and over nothing."""
    position = await hold(installation, b"e30.something-secret.sig")
    name, file = f"prefecture/{position}", tmp_path / "held.jws"

    listing = installation.jukinet("quarantine", "list", "--tier", "prefecture")
    shown = installation.jukinet("quarantine", "show", name)
    saved = installation.jukinet("quarantine", "show", name, "--save", str(file), "--json")
    again = installation.jukinet("quarantine", "show", name, "--save", str(file))

    assert (0, 0, 0) == (listing.returncode, shown.returncode, saved.returncode), shown.stderr
    assert name in listing.stdout
    assert "The signature does not match the bytes." in shown.stdout
    for said in (listing, shown, saved):
        assert "secret" not in said.stdout + said.stderr
    assert b"e30.something-secret.sig" == file.read_bytes()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert 2 == again.returncode


def test_delivery_that_is_not_held_is_told(installation: Installation) -> None:
    """Exit code 65 and where to look."""
    shown = installation.jukinet("quarantine", "show", "national/999999")

    assert 65 == shown.returncode
    assert "jukinet quarantine list" in shown.stderr
