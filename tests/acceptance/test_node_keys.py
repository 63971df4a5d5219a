"""A node whose keys cannot be used waits alone, in the real processes, until they are mended."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from jukinet_mq.clock import utc_now
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.trust import pki
from tests.fixtures.filing import injected, move, update
from tests.fixtures.installation import (
    CHIYODA,
    HOKKAIDO,
    JLIS,
    TOKYO,
    Installation,
    Process,
)

pytestmark = pytest.mark.timeout(240)
TAKEN_UP_WITHIN = timedelta(seconds=60)
"""What is promised; a worker looks every 10 seconds."""
ENDS_IN = timedelta(seconds=15)
NOTICE_ANSWERED = """
SELECT keeper, level FROM receipt_received JOIN outbox USING (message_id)
WHERE kind = 'move-in-notice' AND event_id = '{}' ORDER BY 1
"""


@contextmanager
def workers(installation: Installation) -> Iterator[dict[Tier, Process]]:
    """Run a worker of each tier, that of the municipalities for all 1,741 in one process."""
    with (
        installation.process("worker", "municipality", "--all") as municipality,
        installation.worker(Tier.PREFECTURE) as prefecture,
        installation.worker(Tier.NATIONAL) as national,
    ):
        yield {
            Tier.MUNICIPALITY: municipality,
            Tier.PREFECTURE: prefecture,
            Tier.NATIONAL: national,
        }


async def logged(process: Process, event: str, node: NodeCode, reason: str | None = None) -> bool:
    """Say whether a worker has logged *event* about *node*."""
    return any(
        line["node"] == node and line.get("reason") == reason for line in process.events(event)
    )


def of_keys(installation: Installation, tier: Tier) -> list[tuple[bool, str]]:
    """Return what `doctor` says of the key files of a tier."""
    found = json.loads(installation.jukinet("doctor", "--json").stdout)["checks"]
    return [(one["ok"], one["said"]) for one in found if one["layer"] == f"keys {tier}"]


def refused_at(installation: Installation, number: int) -> str:
    """File an update at Chiyoda, which must be refused with exit code 78, and say why."""
    content = update(number).model_dump_json(exclude_none=True)
    done = installation.jukinet("inject", "identity-update", "-", given=content)
    assert 78 == done.returncode, done.stdout
    return done.stderr


async def test_node_with_an_unsafe_key_file_waits_until_it_is_mended(
    fresh_installation: Installation,
) -> None:
    """Of all municipalities in one process only that one waits, and is taken up by itself."""
    made = fresh_installation
    key = pki.key_path(made.home / "trust", CHIYODA)
    key.chmod(0o644)
    with workers(made) as running:
        own = running[Tier.MUNICIPALITY]
        event_id = injected(made, move(1))
        notice = NOTICE_ANSWERED.format(event_id)

        others = [(HOKKAIDO, "kept"), (TOKYO, "kept"), (JLIS, "kept")]
        await made.holds(Tier.MUNICIPALITY, notice, others)
        assert await logged(own, "node.suspended", CHIYODA, "private_key_unsafe")
        assert f"{key} has mode 0644" in refused_at(made, 2)
        [(ok, text)] = await asyncio.to_thread(of_keys, made, Tier.MUNICIPALITY)
        assert not ok
        assert "131016 千代田区 waits" in text
        assert "[private_key_unsafe]" in text
        assert {"cs.131016": 1} == await made.depths()

        key.chmod(0o600)
        await made.until(partial(logged, own, "node.resumed", CHIYODA), within=TAKEN_UP_WITHIN)
        await made.holds(
            Tier.MUNICIPALITY, notice, [*others[:2], (CHIYODA, "processed"), *others[2:]]
        )
        await made.settled()
        assert own.popen.poll() is None


async def test_key_file_that_is_lost_under_way_is_noticed_and_taken_up_again(
    fresh_installation: Installation, tmp_path: Path
) -> None:
    """Its prefecture's queue keeps what arrives; the other prefecture and its receipts go on."""
    made = fresh_installation
    key = pki.key_path(made.home / "trust", TOKYO)
    with workers(made) as running:
        own = running[Tier.PREFECTURE]
        injected(made, update(1))
        await made.settled()

        shutil.move(key, tmp_path)
        lost = partial(logged, own, "node.suspended", TOKYO, "private_key_missing")
        await made.until(lost, within=TAKEN_UP_WITHIN)
        injected(made, update(2))
        event_id = injected(made, move(3))
        await made.holds(
            Tier.MUNICIPALITY,
            NOTICE_ANSWERED.format(event_id),
            [(HOKKAIDO, "kept"), (CHIYODA, "processed"), (JLIS, "kept")],
        )
        assert {"pref.13": 3} == await made.depths()

        shutil.move(tmp_path / key.name, key)
        await made.until(partial(logged, own, "node.resumed", TOKYO), within=TAKEN_UP_WITHIN)
        await made.settled()
        assert own.popen.poll() is None


async def test_node_whose_certificate_ends_signs_nothing_until_it_is_renewed(
    fresh_installation: Installation, tmp_path: Path
) -> None:
    """Filing is refused with the end; its receipts wait and go out with the new key."""
    made = fresh_installation
    valid = _aside(made, tmp_path / "valid")
    ends_at = _give_short_lived_keys(made, tmp_path / "short")
    with workers(made) as running:
        own = running[Tier.MUNICIPALITY]
        ended = partial(logged, own, "node.suspended", CHIYODA, "signing_key_not_valid")
        await made.until(ended, within=ENDS_IN + TAKEN_UP_WITHIN)
        text = refused_at(made, 1)
        event_id = injected(made, move(2))
        notice = NOTICE_ANSWERED.format(event_id)
        others = [(HOKKAIDO, "kept"), (TOKYO, "kept"), (JLIS, "kept")]
        await made.holds(Tier.MUNICIPALITY, notice, others)

        assert f"ended at {ends_at:%Y-%m-%dT%H:%M:%SZ}" in text
        signed_later = "SELECT count(*) FROM outbox WHERE node = $1 AND published_at >= $2"
        assert [(0,)] == await made.fetch(Tier.MUNICIPALITY, signed_later, CHIYODA, ends_at)
        for path in valid:
            shutil.copy(path, made.home / "trust" / "nodes")
        await made.until(partial(logged, own, "node.resumed", CHIYODA), within=TAKEN_UP_WITHIN)
        await made.settled()
        for tier in Tier:
            assert [] == await made.fetch(tier, "SELECT reason FROM quarantine")


def _aside(installation: Installation, folder: Path) -> list[Path]:
    """Copy Chiyoda's files, to be put back later."""
    folder.mkdir()
    trust = installation.home / "trust"
    return [
        Path(shutil.copy(path, folder))
        for path in (pki.key_path(trust, CHIYODA), pki.certificate_path(trust, CHIYODA))
    ]


def _give_short_lived_keys(installation: Installation, folder: Path) -> datetime:
    """Give Chiyoda enrolled keys that end soon in place of its own; return when they end."""
    trust = installation.home / "trust"
    folder.mkdir()
    for name in ("ca.key.pem", "ca.cert.pem"):
        shutil.copy(trust / name, folder)
    now = utc_now().replace(microsecond=0)
    pki.init(folder, [directory().node(CHIYODA)], now=now, valid_for=ENDS_IN)
    for place in (pki.key_path, pki.certificate_path):
        shutil.copy(place(folder, CHIYODA), place(trust, CHIYODA))
    certificate = str(pki.certificate_path(trust, CHIYODA))
    enrolled = installation.jukinet("trust", "enrol", CHIYODA, certificate)
    assert 0 == enrolled.returncode, enrolled.stderr
    return now + ENDS_IN


def test_worker_whose_only_node_has_no_key_ends_with_one_clear_error(
    fresh_installation: Installation,
) -> None:
    """Nothing could ever be done, so the process says so and ends with 78."""
    made = fresh_installation
    pki.key_path(made.home / "trust", JLIS).unlink()

    done = made.jukinet("worker", "national")

    assert 78 == done.returncode
    [line] = [line for line in done.stderr.splitlines() if line.startswith("jukinet:")]
    assert "jlis.key.pem is missing" in line
    assert line.endswith("[private_key_missing]")
