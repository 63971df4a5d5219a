"""`jukinet check` as an operator runs it: what is missing is named, and the exit code says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.filing import answered, inject_updates, injected, update
from tests.fixtures.installation import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    JLIS,
    SAPPORO,
    TOKYO,
    Installation,
)

LONG_AGO = "UPDATE outbox SET relayed_at = relayed_at - interval '1 hour'"


@pytest.fixture(scope="module")
def working(installation: Installation) -> Iterator[Installation]:
    """The installation with a worker of each tier."""
    with installation.workers():
        yield installation


def checked(installation: Installation, *arguments: str) -> tuple[int, Any]:
    """Run a check; return its exit code and what it says as JSON."""
    done = installation.jukinet("check", *arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


async def test_nothing_is_missing_where_all_is_answered(working: Installation) -> None:
    """A node's lists are empty, for a program and for a person, and the exit code is 0."""
    await answered(working, injected(working, update(1)), 2)

    nothing: dict[str, list[object]] = {"outstanding": [], "rejected": []}
    assert (0, {"municipality": nothing}) == checked(working, "overdue", "--node", SAPPORO)
    assert (0, {"prefecture": []}) == checked(working, "gaps", "--node", HOKKAIDO)
    assert (0, []) == checked(working, "notices", "--node", SAPPORO)
    for command in ("overdue", "gaps", "notices"):
        done = working.jukinet("check", command, "--node", SAPPORO)
        assert (0, "") == (done.returncode, done.stderr)
        assert "✓" in done.stdout


async def test_consistency_is_asked_by_message_and_a_changed_register_is_named(
    working: Installation,
) -> None:
    """The command waits for both keepers; a register edited behind their backs is found."""
    event_id = injected(working, update(2))
    await answered(working, event_id, 2)
    await working.fetch(Tier.MUNICIPALITY, LONG_AGO)
    consistency = ("consistency", "--municipality", CHIYODA)

    code, [before] = checked(working, *consistency)
    assert (0, "done", 0) == (code, before["ended_how"], before["differences"])
    [[sequence, message_id]] = await working.fetch(
        Tier.MUNICIPALITY,
        f"SELECT sequence, message_id FROM outbox WHERE event_id = '{event_id}'",
    )
    assert before["last"] >= sequence
    await working.fetch(
        Tier.NATIONAL, "UPDATE register SET present = false WHERE message_id = $1", message_id
    )

    code, [after] = checked(working, *consistency)
    assert (1, [(JLIS, sequence, "not_in_effect")]) == (
        code, [(d["keeper"], d["sequence"], d["difference"]) for d in after["found"]]
    )  # fmt: skip
    shown = working.jukinet("check", "consistency")
    assert 1 == shown.returncode
    assert "not what the register shows" in shown.stdout


async def test_prefecture_is_no_municipality(working: Installation) -> None:
    """Only what municipalities say is checked; the line says so."""
    done = working.jukinet("check", "consistency", "--municipality", TOKYO)

    assert 2 == done.returncode
    assert "is no municipality" in done.stderr


async def test_missing_receipts_numbers_and_notices_are_listed(working: Installation) -> None:
    """What the databases say is missing, the commands list, and they end with 1."""
    inject_updates(working, range(10, 12))
    await working.settled()
    await working.fetch(
        Tier.PREFECTURE,
        "INSERT INTO sequence_gap (node, sender, recipient, plane, sequence, noticed_at, due_at) "
        "VALUES ($1, $2, $1, 'identity', 77, now(), now() + interval '1 hour')",
        TOKYO,
        CHIYODA,
    )
    await working.fetch(
        Tier.MUNICIPALITY,
        "INSERT INTO move_out (resident_code, node, event_id, planned_on, updated_at) "
        "VALUES ('99990000014', $1, gen_random_uuid(), '2020-01-01', now())",
        HAKODATE,
    )
    await working.fetch(
        Tier.MUNICIPALITY,
        "WITH lost AS (DELETE FROM receipt_received WHERE keeper = 'jlis' RETURNING message_id) "
        "INSERT INTO awaited (message_id, noticed_at, due_at) "
        "SELECT DISTINCT message_id, now(), now() + interval '1 hour' FROM lost",
    )

    code, gaps = checked(working, "gaps", "--node", TOKYO)
    assert (1, [(CHIYODA, 77, 1)]) == (
        code, [(g["sender"], g["first"], g["missing"]) for g in gaps["prefecture"]]
    )  # fmt: skip
    code, notices = checked(working, "notices", "--node", HAKODATE)
    assert (1, [("2020-01-01", 1)]) == (code, [(n["planned_on"], n["persons"]) for n in notices])
    code, overdue = checked(working, "overdue", "--node", CHIYODA)
    assert 1 == code
    assert {JLIS} == {k for one in overdue["municipality"]["outstanding"] for k in one["lacks"]}
    for command in ("overdue", "gaps", "notices"):
        done = working.jukinet("check", command)
        assert (1, "") == (done.returncode, done.stderr)
        assert "✓" not in done.stdout
