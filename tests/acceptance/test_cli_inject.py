"""Filing events from the command line, with no broker in reach."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    IdentityUpdateFiled,
    MoveFiled,
)
from tests.fixtures.installation import CHIYODA, HOKKAIDO, SAPPORO, Installation


@pytest.fixture
def offline(installation: Installation) -> Installation:
    """The installation without its broker."""
    nowhere = {
        "JUKINET_AMQP_URL": "amqp://127.0.0.1:9/",
        "JUKINET_MANAGEMENT_URL": "http://127.0.0.1:9",
    }
    return replace(installation, environment={**installation.environment, **nowhere})


def content(event: Any) -> dict[str, Any]:
    """Return an example event under an id of its own."""
    made = event.model_dump(mode="json", exclude_none=True)
    return {**made, "event_id": str(uuid7())}


async def outbox(installation: Installation, event_id: str) -> list[tuple[str, str, str]]:
    """Return what the event has put into the outbox."""
    rows = await installation.fetch(
        Tier.MUNICIPALITY,
        "SELECT kind, node, recipient FROM outbox WHERE event_id = $1 ORDER BY position",
        event_id,
    )
    return [(kind, node, recipient) for kind, node, recipient in rows]


async def test_move_is_safe_in_the_outbox_while_the_broker_is_down(offline: Installation) -> None:
    """Filing needs the database alone; `status` says what it waits for, and where."""
    event = content(MoveFiled.example())

    filed = offline.jukinet("inject", "move", "-", given=json.dumps(event))
    status = offline.jukinet("status", event["event_id"])
    shown = json.loads(offline.jukinet("status", event["event_id"], "--json").stdout)

    assert 0 == filed.returncode, filed.stderr
    assert f"jukinet status {event['event_id']}" in filed.stdout
    assert [
        ("identity-update", SAPPORO, HOKKAIDO),
        ("move-in-notice", SAPPORO, CHIYODA),
    ] == await outbox(offline, event["event_id"])
    assert "… relayed" in status.stdout
    assert "011002 札幌市" in status.stdout
    assert not shown["complete"]
    assert ["130001", HOKKAIDO, "131016", "jlis"] == sorted(
        shown["envelopes"][1]["unanswered"], key=["130001", HOKKAIDO, "131016", "jlis"].index
    )


async def test_event_said_with_options_is_the_one_of_the_file(offline: Installation) -> None:
    """Every field can be said on the command line; class and municipality follow by themselves."""
    said = {
        "--resident-code": synthetic_resident_code(77),
        "--resident-class": "japanese",
        "--name": "髙橋 花子",
        "--furigana": "タカハシ ハナコ",
        "--birth-date": "1994-04-12",
        "--sex": "female",
        "--reason": "death",
        "--event-date": "2026-03-28",
        "--address": "東京都千代田区霞が関二丁目1番2号",
        "--area-code": CHIYODA,
    }
    words = [word for pair in said.items() for word in pair]

    filed = offline.jukinet("inject", "identity-update", *words, "--json")

    assert 0 == filed.returncode, filed.stderr
    answer = json.loads(filed.stdout)
    assert ("published", CHIYODA) == (answer["state"], answer["municipality"])
    assert [("identity-update", CHIYODA, "130001")] == await outbox(offline, answer["event_id"])


async def test_options_change_what_a_file_says(offline: Installation, tmp_path: Path) -> None:
    """A file is a draft; options are laid over it."""
    file = tmp_path / "move.json"
    file.write_text(json.dumps(content(MoveFiled.example())))
    event_id = str(uuid7())

    filed = offline.jukinet("inject", "move", str(file), "--event-id", event_id, "--name", "甲 乙")

    assert 0 == filed.returncode, filed.stderr
    assert 2 == len(await outbox(offline, event_id))


async def test_second_filing_of_an_event_publishes_nothing(offline: Installation) -> None:
    """The same event again is told apart from another event under its id."""
    event = content(IdentityUpdateFiled.example())
    first = offline.jukinet("inject", "identity-update", "-", given=json.dumps(event))

    again = offline.jukinet("inject", "identity-update", "-", "--json", given=json.dumps(event))
    event["update"]["address"] = "東京都千代田区霞が関一丁目"
    other = offline.jukinet("inject", "identity-update", "-", given=json.dumps(event))

    assert (0, 0) == (first.returncode, again.returncode), again.stderr
    assert "already_filed" == json.loads(again.stdout)["state"]
    assert 65 == other.returncode
    assert "[event_id_reused]" in other.stderr
    assert 1 == len(await outbox(offline, event["event_id"]))


async def test_card_move_in_without_its_certificate_waits_for_it(offline: Installation) -> None:
    """Both halves are filed by one command; the second asks for what has not come."""
    out = content(CardMoveOutFiled.example())
    filing = content(CardMoveInFiled.example())
    today = await offline.fetch(Tier.MUNICIPALITY, "SELECT (now() AT TIME ZONE 'Asia/Tokyo')::date")
    for event, days in ((out, ("planned_on", "filed_on")), (filing, ("moved_in_on", "filed_on"))):
        event.update(dict.fromkeys((*days, "planned_on"), today[0][0].isoformat()))

    left = offline.jukinet(
        "inject", "card-move", "--filing", "move-out", "-", given=json.dumps(out)
    )
    arrived = offline.jukinet(
        "inject", "card-move", "--filing", "move-in", "-", "--json", given=json.dumps(filing)
    )
    status = offline.jukinet("status", filing["event_id"])

    assert (0, 0) == (left.returncode, arrived.returncode), left.stderr + arrived.stderr
    assert "waiting" == json.loads(arrived.stdout)["state"]
    assert [("move-out-certificate-request", SAPPORO, CHIYODA)] == await outbox(
        offline, filing["event_id"]
    )
    assert "waits for its move-out certificate" in status.stdout


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"municipality": "131017"}, "check_digit_wrong"),
        ({"municipality": "011011"}, "ward_is_not_a_node"),
        ({"former_area_code": "011011"}, "move_within_municipality"),
        ({"moved_in_on": "2026-02-30"}, "date_impossible"),
        ({"moved_in_on": "2099-01-01", "filed_on": "2099-01-02"}, "date_impossible"),
        ({"new_address": "札" * 300}, "text_unacceptable"),
        ({"new_address": "札幌市\u202e"}, "text_unacceptable"),
        ({"persons": []}, "body_malformed"),
        ({"nonsense": 1}, "body_malformed"),
    ],
)
async def test_bad_input_is_one_clear_error_and_nothing_is_queued(
    offline: Installation, change: dict[str, Any], reason: str
) -> None:
    """Refused before anything is written; the value is not repeated."""
    event = {**content(MoveFiled.example()), **change}

    refused = offline.jukinet("inject", "move", "-", "--json", given=json.dumps(event))

    assert 65 == refused.returncode, refused.stdout
    assert reason == json.loads(refused.stderr)["error"]
    assert "札札札" not in refused.stderr
    assert [] == await outbox(offline, event["event_id"])


def test_invalid_utf8_is_refused(offline: Installation, tmp_path: Path) -> None:
    """Bytes that are no text never reach a parser that might repair them."""
    file = tmp_path / "move.json"
    file.write_bytes(b'{"event": "move", "new_address": "\xff"}')

    refused = offline.jukinet("inject", "move", str(file))

    assert 65 == refused.returncode
    assert "[input_unreadable]" in refused.stderr
    assert "UTF-8" in " ".join(refused.stderr.split())


def refusals(path: Path) -> list[dict[str, Any]]:
    """Return what an error file lists."""
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_bulk_files_the_good_lines_and_lists_the_others_by_number(
    offline: Installation, tmp_path: Path
) -> None:
    """Whatever is wrong with a line, its neighbours go through, and no content is repeated."""
    good = [content(IdentityUpdateFiled.example()) for _ in range(3)]
    future = content(IdentityUpdateFiled.example())
    future["update"]["event_date"]["value"] = "2099-01-01"
    reused = {**good[0], "update": {**good[0]["update"], "address": "東京都千代田区一番町"}}
    lines = [
        json.dumps(good[0]).encode(),
        b"",
        b"[1]",
        b'{"event": "\xff"}',
        json.dumps(good[1]).encode(),
        json.dumps(future).encode(),
        b"x" * (1024 * 1024 + 1),
        json.dumps(reused).encode(),
        json.dumps({**good[1], "municipality": "131017", "event_id": str(uuid7())}).encode(),
        json.dumps(good[2]).encode(),
    ]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(lines))

    filed = offline.jukinet("inject", str(file), "--json")

    assert 65 == filed.returncode, filed.stderr
    tally = json.loads(filed.stdout)
    assert (9, 3, 6) == (tally["lines"], tally["filed"], tally["refused"])
    listed = refusals(Path(f"{file}.errors.ndjson"))
    assert {
        3: "body_malformed",
        4: "body_malformed",
        6: "date_impossible",
        7: "body_malformed",
        8: "event_id_reused",
        9: "check_digit_wrong",
    } == {one["line"]: one["reason"] for one in listed}
    assert all({"line", "reason", "text"} == one.keys() for one in listed)
    for event in good:
        assert 1 == len(await outbox(offline, event["event_id"]))
    assert [] == await outbox(offline, future["event_id"])


async def test_bulk_from_standard_input_keeps_the_order(offline: Installation) -> None:
    """Many transactions, one order: the sequence numbers follow the lines."""
    events = [content(IdentityUpdateFiled.example()) for _ in range(25)]
    given = "".join(json.dumps(event) + "\n" for event in events)

    filed = offline.jukinet("inject", "-", "--chunk", "4", given=given)

    assert 0 == filed.returncode, filed.stderr
    assert "25 of 25 lines filed" in filed.stdout
    rows = await offline.fetch(
        Tier.MUNICIPALITY,
        "SELECT event_id::text FROM outbox WHERE event_id = ANY ($1::uuid[]) ORDER BY sequence",
        [event["event_id"] for event in events],
    )
    assert [event["event_id"] for event in events] == [row[0] for row in rows]
    assert not (offline.home / "stdin.errors.ndjson").exists()


def test_bulk_filed_again_files_nothing_twice(offline: Installation, tmp_path: Path) -> None:
    """After an interruption the same file may simply be filed again."""
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(content(MoveFiled.example())) + "\n" for _ in range(3)))
    first = json.loads(offline.jukinet("inject", str(file), "--json").stdout)

    again = json.loads(offline.jukinet("inject", str(file), "--json").stdout)

    assert (3, 6, 0) == (first["filed"], first["envelopes"], first["already_filed"])
    assert (0, 0, 3) == (again["filed"], again["envelopes"], again["already_filed"])


def test_unknown_id_is_told_from_one_that_waits(offline: Installation) -> None:
    """Exit code 65, and where it was looked for."""
    status = offline.jukinet("status", str(uuid7()))

    assert 65 == status.returncode
    assert "[event_unknown]" in status.stderr


def test_follow_gives_up_at_its_deadline(offline: Installation) -> None:
    """What nobody answers ends in exit code 75, after everything known was shown."""
    event = content(IdentityUpdateFiled.example())
    offline.jukinet("inject", "identity-update", "-", given=json.dumps(event))

    status = offline.jukinet("status", event["event_id"], "--follow", "--deadline", "300ms")

    assert 75 == status.returncode
    assert "✓ published" in status.stdout
    assert "[deadline_exceeded]" in status.stderr
