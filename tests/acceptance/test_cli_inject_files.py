"""Importing files as people have them, and what interrupts an import."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.clock import utc_now
from jukinet_mq.nodes import Tier
from jukinet_mq.producers.events import IdentityUpdateFiled, MoveFiled
from jukinet_mq.trust import pki
from tests.fixtures.installation import SAPPORO, Installation, Process

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def event(**changes: object) -> dict[str, Any]:
    """Return an update at Chiyoda under an id of its own, with other members."""
    content = IdentityUpdateFiled.example().model_dump(mode="json", exclude_none=True)
    return {**content, "event_id": str(uuid7()), **changes}


def write(path: Path, events: Sequence[dict[str, Any]]) -> Path:
    """Write one event on each line, in UTF-8 without escapes."""
    path.write_text("".join(line(one) for one in events))
    return path


def line(content: dict[str, Any]) -> str:
    """Return an event as a line."""
    return json.dumps(content, ensure_ascii=False) + "\n"


async def filed(installation: Installation, events: Sequence[dict[str, Any]]) -> list[str]:
    """Return which of *events* have been filed, in their order."""
    ids = [one["event_id"] for one in events]
    rows = await installation.fetch(
        Tier.MUNICIPALITY,
        "SELECT event_id::text FROM filed_event WHERE event_id = ANY ($1::uuid[])",
        ids,
    )
    found = {row[0] for row in rows}
    return [one for one in ids if one in found]


def names(directory: Path) -> list[str]:
    """Return what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


def listed(path: Path) -> dict[int, str]:
    """Return the reasons of an error list by line."""
    found = [json.loads(one) for one in path.read_text().splitlines()]
    return {one["line"]: one["reason"] for one in found}


async def test_line_with_an_impossible_instant_or_day_harms_no_other(
    installation: Installation, tmp_path: Path
) -> None:
    """Ends of the calendar, the future and the time before the first key are matters of a line."""
    ahead = utc_now() + timedelta(seconds=30)
    good = [event(), event(occurred_at=ahead.isoformat()), event()]
    bad = [
        event(occurred_at="0001-01-01T00:00:00+09:00"),
        event(occurred_at="9999-12-31T23:59:59-01:00"),
        event(occurred_at=(utc_now() + timedelta(hours=1)).isoformat()),
        event(occurred_at="2015-10-05T09:00:00+09:00"),
        event(update={**event()["update"], "event_date": {"kind": "exact", "value": "9999-12-31"}}),
    ]
    file = write(tmp_path / "events.ndjson", [good[0], *bad, *good[1:]])

    done = installation.jukinet("inject", str(file))

    assert 65 == done.returncode, done.stderr
    assert [one["event_id"] for one in good] == await filed(installation, [*good, *bad])
    expected = dict.fromkeys(range(2, 7), "date_impossible")
    assert expected == listed(Path(f"{file}.errors.ndjson"))


async def test_member_that_stands_twice_is_refused_in_its_line(
    installation: Installation, tmp_path: Path
) -> None:
    """At the top and inside the update: nobody may read another value than we do."""
    good, twice, deep = event(), event(), event()
    text = line(deep).replace('"sex": ', '"sex": "male", "sex": ')
    assert text != line(deep)
    file = tmp_path / "events.ndjson"
    file.write_text(line(twice).replace("{", '{"event": "move", ', 1) + text + line(good))

    done = installation.jukinet("inject", str(file))

    assert 65 == done.returncode, done.stderr
    assert [good["event_id"]] == await filed(installation, [twice, deep, good])
    assert {1: "body_malformed", 2: "body_malformed"} == listed(Path(f"{file}.errors.ndjson"))


async def test_lines_of_a_node_without_its_key_wait_for_it_alone(
    installation: Installation, tmp_path: Path
) -> None:
    """Other nodes' lines are filed; the exit code says that the installation is what is wrong."""
    move = MoveFiled.example().model_dump(mode="json", exclude_none=True)
    at_sapporo = {**move, "event_id": str(uuid7())}
    at_chiyoda = [event(), event()]
    file = write(tmp_path / "events.ndjson", [at_chiyoda[0], at_sapporo, at_chiyoda[1]])
    key = pki.key_path(Path(installation.environment["JUKINET_HOME"]) / "trust", SAPPORO)
    key.rename(key.with_suffix(".away"))
    try:
        done = installation.jukinet("inject", str(file))
    finally:
        key.with_suffix(".away").rename(key)

    assert 78 == done.returncode, done.stderr
    assert {2: "private_key_missing"} == listed(Path(f"{file}.errors.ndjson"))
    assert [one["event_id"] for one in at_chiyoda] == await filed(
        installation, [*at_chiyoda, at_sapporo]
    )


@pytest.mark.parametrize("asked", ["events.ndjson", "link", "hard"])
async def test_input_as_error_list_is_refused_before_anything_is_touched(
    installation: Installation, tmp_path: Path, asked: str
) -> None:
    """Exit code 2; the file is as it was and nothing of it is filed."""
    events = [event(), event(event="nothing")]
    file = write(tmp_path / "events.ndjson", events)
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "hard").hardlink_to(file)
    before = file.read_bytes()

    refused = installation.jukinet("inject", str(file), "--errors", str(tmp_path / asked))

    assert 2 == refused.returncode, refused.stdout
    assert before == file.read_bytes()
    assert [] == await filed(installation, events)


def test_error_list_stays_when_the_next_run_fails(
    installation: Installation, tmp_path: Path
) -> None:
    """A run that cannot begin knows nothing new about any line."""
    file = write(tmp_path / "events.ndjson", [event(event="nothing")])
    first = installation.jukinet("inject", str(file))
    errors = Path(f"{file}.errors.ndjson")
    before = errors.read_text()
    variable = "JUKINET_MUNICIPALITY_DATABASE_URL"
    away = {**installation.environment, variable: "postgresql://nobody@127.0.0.1:9/none"}

    failed = subprocess.run(
        [sys.executable, "-m", "jukinet_mq", "inject", str(file)],
        env=away,
        capture_output=True,
        check=False,
    )

    assert (65, 75) == (first.returncode, failed.returncode), failed.stderr
    assert b"no line is dealt with" in failed.stderr
    assert before == errors.read_text()
    assert [file.name, errors.name] == names(tmp_path)


def in_shell(
    installation: Installation, command: str, directory: Path
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of bash in *directory*."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env=installation.environment,
        capture_output=True,
        check=False,
    )


async def test_process_substitution_is_a_file_like_any_other(
    installation: Installation, tmp_path: Path
) -> None:
    """Good lines are filed, and the list of the others is in the working directory."""
    good, bad = event(), event(municipality="131017")
    file = tmp_path / "events.gz"
    file.write_bytes(gzip.compress((line(bad) + line(good)).encode()))
    program = f"{shlex.quote(sys.executable)} -m jukinet_mq"

    done = in_shell(installation, f"{program} inject <(zcat {shlex.quote(str(file))})", tmp_path)

    assert 65 == done.returncode, done.stderr
    assert [good["event_id"]] == await filed(installation, [bad, good])
    assert {1: "check_digit_wrong"} == listed(tmp_path / "inject.errors.ndjson")


async def test_compressed_file_with_a_mark_and_blank_lines_is_filed(
    installation: Installation, tmp_path: Path
) -> None:
    """What is no doubt the same file is read as the same file."""
    events = [event(), event()]
    text = "\ufeff" + line(events[0]) + "\r\n\n" + line(events[1]) + "\n"
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(text.encode()))

    done = installation.jukinet("inject", str(file), "--json")

    assert 0 == done.returncode, done.stderr
    assert (2, 2) == (json.loads(done.stdout)["lines"], json.loads(done.stdout)["filed"])
    assert 2 == len(await filed(installation, events))


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16"])
async def test_file_in_another_encoding_is_one_error(
    installation: Installation, tmp_path: Path, encoding: str
) -> None:
    """Not a list of as many errors as there are lines; nothing of it is filed."""
    update = {**event()["update"], "name": "高橋 花子"}
    events = [event(update=update) for _ in range(700)]
    file = tmp_path / "events.ndjson"
    file.write_bytes("".join(map(line, events)).encode(encoding))

    refused = installation.jukinet("inject", str(file), "--json")

    assert 65 == refused.returncode, refused.stderr
    assert "input_unreadable" == json.loads(refused.stderr)["error"]
    assert [] == await filed(installation, events)
    assert [file.name] == names(tmp_path)


def ends_with(process: Process, number: signal.Signals) -> str:
    """Wait for the end that *number* makes, and return what was said."""
    assert 128 + number == process.popen.wait(timeout=40)
    return process.log.read_text()


@pytest.mark.parametrize("number", SIGNALS)
async def test_import_that_waits_for_input_ends_at_a_signal(
    installation: Installation, tmp_path: Path, number: signal.Signals
) -> None:
    """It says which lines are dealt with, and their refusals are listed; a rerun files the rest."""
    events = [event(), event(municipality="131017"), event(), event(), event()]
    pipe, errors = tmp_path / "pipe", tmp_path / "errors"
    os.mkfifo(pipe)

    with (
        installation.process(
            "inject", str(pipe), "--chunk", "2", "--errors", str(errors)
        ) as process,
        pipe.open("w") as writer,
    ):
        writer.write("".join(map(line, events)))
        writer.flush()

        async def three() -> bool:
            return 3 == len(await filed(installation, events))

        await installation.until(three)
        process.popen.send_signal(number)
        said = ends_with(process, number)

    assert f"ended by {number.name}: lines 1 to 4 are dealt with" in said
    assert {2: "check_digit_wrong"} == listed(errors)
    again = installation.jukinet("inject", str(write(tmp_path / "all", events)), "--json")
    tally = json.loads(again.stdout)
    assert (1, 3, 1) == (tally["filed"], tally["already_filed"], tally["refused"])


async def test_transaction_in_hand_is_finished_before_a_signal_ends_the_import(
    installation: Installation, tmp_path: Path
) -> None:
    """No line is half dealt with: what was begun is filed, and nothing after it."""
    events = [event() for _ in range(4)]
    file = write(tmp_path / "events.ndjson", events)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass"
    owner = await asyncpg.connect(installation.databases[Tier.MUNICIPALITY].owner_url)

    async def blocked() -> bool:
        return bool(await owner.fetchval(waiting))

    try:
        await owner.execute("BEGIN")
        await owner.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        with installation.process("inject", str(file), "--chunk", "2") as process:
            await installation.until(blocked)
            process.popen.send_signal(signal.SIGTERM)
            await owner.execute("COMMIT")
            said = ends_with(process, signal.SIGTERM)
    finally:
        await owner.close()

    assert "ended by SIGTERM: lines 1 to 2 are dealt with" in said
    assert [one["event_id"] for one in events[:2]] == await filed(installation, events)


def test_event_is_filed_although_a_file_has_its_name(installation: Installation) -> None:
    """A file with the name of an event does not hide it; with a path it is the file."""
    name = "identity-update"
    (installation.home / name).write_text(line(event()))
    try:
        by_event = installation.jukinet("inject", name, "-", "--json", given=line(event()))
        by_file = installation.jukinet("inject", f"./{name}", "--json")
    finally:
        (installation.home / name).unlink()

    assert (0, 0) == (by_event.returncode, by_file.returncode), by_event.stderr + by_file.stderr
    assert name == json.loads(by_event.stdout)["event"]
    assert 1 == json.loads(by_file.stdout)["filed"]
