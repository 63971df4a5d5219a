"""Retries, replays and releases as an operator has them, with the real program as processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from jukinet_mq.clock import utc_now
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import SEQUENCE_MAX
from tests.fixtures.failing import failing_worker
from tests.fixtures.filing import injected, update
from tests.fixtures.installation import CHIYODA, HOKKAIDO, TOKYO, Installation

PENDING = "SELECT attempts, due_at, reason FROM inbox WHERE state = 'pending' AND event_id = $1"
STATE = "SELECT state FROM inbox WHERE event_id = $1 AND kind = 'identity-update'"
HELD = "SELECT reason, ended_how FROM quarantine WHERE message_id = $1"


def told(installation: Installation, *words: str, code: int = 0) -> Any:
    """Run a command with --json and return what it says."""
    done = installation.jukinet(*words, "--json")
    assert code == done.returncode, done.stdout + done.stderr
    return json.loads(done.stdout)


async def in_state(installation: Installation, event_id: str, state: str) -> None:
    """Wait until the prefecture tier's inbox holds the event in this state."""

    async def reached() -> bool:
        return [(state,)] == await installation.fetch(Tier.PREFECTURE, STATE, UUID(event_id))

    await installation.until(reached)


async def test_due_time_is_visible_and_a_restart_changes_nothing_about_it(
    fresh_installation: Installation, tmp_path: Path
) -> None:
    """What waits is listed with its tries, due time and reason; killed workers keep to it (G8)."""
    installation = fresh_installation
    counter = tmp_path / "fail"
    counter.write_text("ever")
    worker = (installation, "prefecture", TOKYO)
    asked = {"kind": "identity-update", "counter": counter, "policy": "0,3600,4"}
    with installation.process("worker", "municipality", "--node", CHIYODA):
        with failing_worker(*worker, **asked) as first:  # type: ignore[arg-type]
            event = injected(installation, update(1))
            await in_state(installation, event, "pending")
            before = await installation.fetch(Tier.PREFECTURE, PENDING, UUID(event))
            first.kill()
        counter.write_text("0")
        with failing_worker(*worker, **asked):  # type: ignore[arg-type]
            other = injected(installation, update(2))
            await in_state(installation, other, "done")
    listed = told(installation, "retries", "list", "--tier", "prefecture", event)["prefecture"]
    shown = installation.jukinet("node", "show", TOKYO)

    assert before == await installation.fetch(Tier.PREFECTURE, PENDING, UUID(event))
    [(attempts, due_at, reason)] = before
    assert (1, "handler_failed") == (attempts, reason)
    assert timedelta(minutes=3) < due_at - utc_now() < timedelta(minutes=10)
    [envelope] = listed["envelopes"]
    assert (1, 12, "handler_failed") == (
        envelope["attempts"], envelope["tries_max"], envelope["reason"]
    )  # fmt: skip
    assert "1, the next try at" in shown.stdout
    await installation.fetch(
        Tier.PREFECTURE, "UPDATE inbox SET due_at = now() WHERE event_id = $1", UUID(event)
    )
    with failing_worker(*worker, **asked):  # type: ignore[arg-type]
        await in_state(installation, event, "done")


async def test_spent_retries_park_and_each_replay_shows_its_outcome(
    installation: Installation, tmp_path: Path
) -> None:
    """Never works: parked. A replay too early: parked again. After the repair: done (G8)."""
    counter = tmp_path / "fail"
    counter.write_text("ever")
    with (
        installation.process("worker", "municipality", "--node", CHIYODA),
        failing_worker(installation, "prefecture", TOKYO, kind="identity-update", counter=counter),
    ):
        event = injected(installation, update(3))
        await in_state(installation, event, "parked")
        words = ("parked", "replay", event, "--apply", "--follow", "30s")
        early = installation.jukinet(*words, "--why", "a guess", "--operator", "hanako")
        counter.write_text("1")
        repaired = installation.jukinet(*words, "--why", "repaired", "--operator", "taro")
    past = told(installation, "parked", "history", event, "--tier", "prefecture")["prefecture"]
    shown = installation.jukinet("parked", "show", event)

    assert 1 == early.returncode, early.stderr
    assert "1 parked again" in early.stdout
    assert 0 == repaired.returncode, repaired.stdout + repaired.stderr
    assert "1 done" in repaired.stdout
    assert [("taro", "repaired", "done", 2), ("hanako", "a guess", "parked_again", 3)] == [
        (p["operator"], p["explanation"], p["outcome"], p["tries"]) for p in past
    ]
    assert "parked again: handler_failed (3 tries)" in shown.stdout
    assert [("done",)] == await installation.fetch(Tier.PREFECTURE, STATE, UUID(event))


async def test_following_ends_at_its_deadline_and_says_what_is_still_tried(
    installation: Installation,
) -> None:
    """Without a worker nothing is decided: the command ends in time and tells it."""
    [message_id] = await park(installation, 1, reason="card_privilege_lost")

    done = installation.jukinet(
        "parked",
        "replay",
        "--reason",
        "card_privilege_lost",
        "--why",
        "test",
        "--apply",
        "--follow",
        "1s",
    )
    past = told(installation, "parked", "history", str(message_id), "--tier", "prefecture")

    assert 1 == done.returncode
    assert "1 still tried" in done.stdout
    assert ["pending"] == [p["outcome"] for p in past["prefecture"]]
    await installation.fetch(
        Tier.PREFECTURE, "UPDATE inbox SET state = 'done', due_at = NULL WHERE message_id = $1",
        message_id,
    )  # fmt: skip


INBOX = """
INSERT INTO inbox (message_id, node, sender, recipient, plane, kind, version, sequence, event_id,
                   event_time, digest, key_id, kept_at, state, attempts, reason)
SELECT m, $2, $3, $2, 'identity', 'identity-update', 1, n + $4, m, now(), sha256(m::text::bytea),
       'kid', now(), 'parked', 8, $5
FROM unnest($1::uuid[]) WITH ORDINALITY AS x (m, n)
"""
PARKED = """
INSERT INTO parked (message_id, node, sender, parked_at, reason, attempts)
SELECT m, $2, $3, now(), $4, 8 FROM unnest($1::uuid[]) AS x (m)
"""


async def park(installation: Installation, count: int, *, reason: str) -> Sequence[UUID]:
    """Leave parked envelopes of Chiyoda at Hokkaido, where no worker of these tests runs."""
    ids = [uuid7() for _ in range(count)]
    number = ids[0].int % (SEQUENCE_MAX - count) + 1
    await installation.fetch(Tier.PREFECTURE, INBOX, ids, HOKKAIDO, CHIYODA, number, reason)
    await installation.fetch(Tier.PREFECTURE, PARKED, ids, HOKKAIDO, CHIYODA, reason)
    return ids


async def test_replay_that_is_killed_is_resumed_by_the_same_command(
    installation: Installation,
) -> None:
    """SIGKILL between two batches: what was replayed is, and the rest is replayed once (G11)."""
    ids = await park(installation, 60, reason="text_unacceptable")
    words = ["parked", "replay", "--reason", "text_unacceptable", "--why", "fixed", "--apply"]
    ended = (
        "SELECT count(*) FROM parked WHERE reason = 'text_unacceptable' AND ended_at IS NOT NULL"
    )

    async def some_ended() -> bool:
        [(count,)] = await installation.fetch(Tier.PREFECTURE, ended)
        return bool(count >= 10)

    with installation.process(*words, "--rate", "10/s", "--batch", "5") as operator:
        await installation.until(some_ended, closely=True)
        operator.kill()
    [(before,)] = await installation.fetch(Tier.PREFECTURE, ended)
    resumed = told(installation, *words)
    nothing_left = installation.jukinet(*words)

    assert 10 <= before < 60
    assert 60 - before == resumed["total"]["prefecture"] == len(resumed["replayed"]["prefecture"])
    assert 65 == nothing_left.returncode
    rows = await installation.fetch(
        Tier.PREFECTURE,
        "SELECT count(*), count(DISTINCT message_id) FROM parked WHERE message_id = ANY ($1) "
        "AND ended_how = 'replayed'",
        ids,
    )
    assert [(60, 60)] == rows
    await installation.fetch(
        Tier.PREFECTURE,
        "UPDATE inbox SET state = 'done', due_at = NULL WHERE message_id = ANY ($1)",
        ids,
    )


async def held_for_an_unknown_key(installation: Installation, number: int) -> tuple[str, str]:
    """Let Tokyo hold an update whose key it does not know; return its id and its place."""
    await installation.fetch(
        Tier.PREFECTURE, "DELETE FROM trust_store WHERE node = $1 AND use = 'sig'", CHIYODA
    )
    with (
        installation.process("worker", "municipality", "--node", CHIYODA),
        installation.process("worker", "prefecture", "--node", TOKYO),
    ):
        event = injected(installation, update(number))
        [(message_id,)] = await installation.fetch(
            Tier.MUNICIPALITY,
            "SELECT message_id::text FROM outbox WHERE event_id = $1",
            UUID(event),
        )

        async def held() -> bool:
            return bool(await installation.fetch(Tier.PREFECTURE, HELD, message_id))

        await installation.until(held)
    [(position,)] = await installation.fetch(
        Tier.PREFECTURE, "SELECT position FROM quarantine WHERE message_id = $1", message_id
    )
    return str(message_id), f"prefecture/{position}"


async def test_held_envelope_is_kept_after_its_key_was_enrolled(
    installation: Installation, tmp_path: Path
) -> None:
    """Not before; then dry, then applied: it goes on to J-LIS, and who did it is remembered."""
    message_id, place = await held_for_an_unknown_key(installation, 4)
    words = ("quarantine", "replay", place, "--reason", "key_unknown")

    early = told(installation, *words, "--why", "too early", "--apply", code=1)
    enrolled = installation.jukinet(
        "trust", "enrol", CHIYODA, str(installation.home / f"trust/nodes/{CHIYODA}.cert.pem"),
        "--tier", "prefecture",
    )  # fmt: skip
    dry = told(installation, *words)
    untouched = await installation.fetch(Tier.PREFECTURE, HELD, message_id)
    done = installation.jukinet(*words, "--why", "key enrolled", "--operator", "hanako", "--apply")
    again = installation.jukinet(*words, "--why", "once more", "--apply")

    assert 0 == enrolled.returncode, enrolled.stderr
    assert [("refused", "key_unknown")] == [
        (v["outcome"], v["reason"]) for v in early["deliveries"]["prefecture"]
    ]
    assert (False, ["accepted"]) == (
        dry["applied"],
        [v["outcome"] for v in dry["deliveries"]["prefecture"]],
    )
    assert [("key_unknown", None)] == untouched
    assert 0 == done.returncode, done.stderr
    assert "prefecture: 1 accepted" in done.stdout
    assert 65 == again.returncode
    past = told(installation, "quarantine", "history", place)["prefecture"]
    assert [
        ("accepted", "hanako", "key enrolled"),
        ("refused", past[1]["operator"], "too early"),
    ] == [(p["outcome"], p["operator"], p["explanation"]) for p in past]
    with (
        installation.process("worker", "municipality", "--node", CHIYODA),
        installation.process("worker", "prefecture", "--node", TOKYO),
        installation.process("worker", "national"),
    ):
        await installation.holds(
            Tier.MUNICIPALITY,
            "SELECT keeper, level FROM receipt_received "
            f"WHERE message_id = '{message_id}' ORDER BY keeper, level",
            [(TOKYO, "processed"), (TOKYO, "rejected"), ("jlis", "processed")],
        )
    listed = told(installation, "quarantine", "list", "--tier", "prefecture")["prefecture"]
    assert place not in [one["id"] for one in listed["deliveries"]]
    refused = installation.jukinet("check", "overdue", "--tier", "municipality", "--json")
    assert message_id not in refused.stdout


async def test_release_without_the_private_keys_is_refused_and_says_where_to_run_it(
    installation: Installation, tmp_path: Path
) -> None:
    """A machine without the node's keys cannot open what is sealed to it: nothing changes."""
    message_id, place = await held_for_an_unknown_key(installation, 5)
    certificate = installation.home / f"trust/nodes/{CHIYODA}.cert.pem"
    authority = installation.home / "trust/ca.cert.pem"
    installation.jukinet("trust", "enrol", CHIYODA, str(certificate), "--ca", str(authority))
    elsewhere = {**installation.environment, "JUKINET_HOME": str(tmp_path / "elsewhere")}
    here, installation.environment = installation.environment, elsewhere

    done = installation.jukinet("quarantine", "replay", place, "--why", "test", "--apply")
    installation.environment = here

    assert 1 == done.returncode, done.stderr
    assert "private_key_missing" in done.stdout
    assert "JUKINET_HOME" in done.stdout
    assert [("key_unknown", None)] == await installation.fetch(Tier.PREFECTURE, HELD, message_id)
    discarded = installation.jukinet(
        "quarantine", "discard", place, "--why", "test data", "--apply"
    )
    assert 0 == discarded.returncode, discarded.stderr
    assert [("key_unknown", "discarded")] == await installation.fetch(
        Tier.PREFECTURE, HELD, message_id
    )
