"""Rolling keys from the command line, and a machine that serves one tier only."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from jukinet_mq.clock import utc_now
from jukinet_mq.nodes import Tier, directory
from jukinet_mq.trust import pki
from tests.fixtures.doctoring import doctor_on
from tests.fixtures.filing import update
from tests.fixtures.installation import CHIYODA, HAKODATE, SAPPORO, Installation


def states(installation: Installation, node: str) -> dict[str, list[str]]:
    """Return the states of a node's keys in each trust store."""
    shown = installation.jukinet("trust", "show", node, "--json")
    assert 0 == shown.returncode, shown.stderr
    found: dict[str, list[str]] = {}
    for key in json.loads(shown.stdout)["keys"]:
        found.setdefault(key["tier"], []).append(key["state"])
    return {tier: sorted(some) for tier, some in found.items()}


def test_new_keys_are_made_enrolled_and_wait_for_their_time(installation: Installation) -> None:
    """Dry first; then beside the old ones in every store; a second time nothing more."""
    dry = installation.jukinet("trust", "rotate", SAPPORO)
    before = states(installation, SAPPORO)
    done = installation.jukinet("trust", "rotate", SAPPORO, "--begin-in", "1h", "--apply")
    again = installation.jukinet("trust", "rotate", SAPPORO, "--begin-in", "1h", "--apply")

    assert (0, 0, 0) == (dry.returncode, done.returncode, again.returncode), done.stderr
    assert "Nothing was changed" in dry.stdout
    assert {tier.value: ["valid", "valid"] for tier in Tier} == before
    rolled = ["not yet", "not yet", "valid", "valid"]
    assert {tier.value: rolled for tier in Tier} == states(installation, SAPPORO)
    assert "new keys of 1 nodes made, of 0 kept" in done.stdout
    assert "new keys of 0 nodes made, of 1 kept" in again.stdout


def test_interrupted_rotation_is_finished_by_the_same_command(installation: Installation) -> None:
    """Keys that were made and not enrolled are enrolled when it is called again."""
    words = ("trust", "rotate", "012025", "--begin-in", "1h", "--apply")
    away = {f"JUKINET_{tier.name}_DATABASE_URL": "postgresql://a:b@127.0.0.1:9/none"
            for tier in Tier}  # fmt: skip
    alone = replace(installation, environment={**installation.environment, **away})

    broken = alone.jukinet(*words)
    resumed = installation.jukinet(*words)

    assert 75 == broken.returncode
    assert 0 == resumed.returncode, resumed.stderr
    assert "new keys of 0 nodes made, of 1 kept" in resumed.stdout
    rolled = ["not yet", "not yet", "valid", "valid"]
    assert {tier.value: rolled for tier in Tier} == states(installation, "012025")


def test_machine_of_one_tier_is_examined_as_such(installation: Installation) -> None:
    """Other tiers' databases are not missed, nor looked at; and are enrolled in by their own."""
    others = ("JUKINET_MUNICIPALITY_", "JUKINET_NATIONAL_")
    kept = {k: v for k, v in installation.environment.items() if not k.startswith(others)}
    one = replace(installation, environment=kept)

    found = one.jukinet("doctor", "--json")
    rotated = one.jukinet("trust", "rotate", "010006", "--begin-in", "1h", "--apply")

    checks = {check["layer"]: check for check in json.loads(found.stdout)["checks"]}
    assert checks["settings"]["ok"]
    assert "only the prefecture tier" in checks["settings"]["said"]
    assert checks["credentials"]["ok"], checks["credentials"]
    assert not [layer for layer in checks if "municipality" in layer or "national" in layer]
    assert 0 == rotated.returncode, rotated.stderr
    assert "not enrolled in the municipality, national tier" in rotated.stdout
    assert ["valid", "valid"] == states(installation, "010006")["national"]


def test_node_whose_key_file_cannot_be_used_keeps_no_other_from_new_keys(
    fresh_installation: Installation,
) -> None:
    """It is left as it is and named at the end; all others have new keys, enrolled."""
    made = fresh_installation
    key = pki.key_path(made.home / "trust", HAKODATE)
    key.chmod(0o644)

    done = made.jukinet("trust", "rotate", "--all", "--begin-in", "1h", "--apply")

    assert 78 == done.returncode
    assert f"{key} has mode 0644" in done.stderr
    assert "new keys of 5 nodes made" in done.stdout
    rolled = ["not yet", "not yet", "valid", "valid"]
    assert {tier.value: rolled for tier in Tier} == states(made, SAPPORO)
    assert {tier.value: ["valid", "valid"] for tier in Tier} == states(made, HAKODATE)


def test_ended_certificate_is_named_everywhere_and_renewed_by_one_command(
    fresh_installation: Installation, tmp_path: Path
) -> None:
    """Filing, `trust init` and `doctor` say when it ended; `trust rotate` gives a new one."""
    made = fresh_installation
    trust = made.home / "trust"
    began = utc_now() - timedelta(days=9)
    for name in ("ca.key.pem", "ca.cert.pem"):
        shutil.copy(trust / name, tmp_path)
    pki.init(tmp_path, [directory().node(CHIYODA)], now=began, valid_for=timedelta(days=2))
    for place in (pki.key_path, pki.certificate_path):
        shutil.copy(place(tmp_path, CHIYODA), place(trust, CHIYODA))
    ended = f"{began + timedelta(days=2):%Y-%m-%d}"
    content = update(1).model_dump_json(exclude_none=True)

    filed = made.jukinet("inject", "identity-update", "-", given=content)
    again = made.jukinet("trust", "init", "--node", CHIYODA)
    found = doctor_on("keys municipality", made)
    renewed = made.jukinet("trust", "rotate", CHIYODA, "--begin-in", "30s", "--apply")

    assert (78, 76, 0) == (filed.returncode, again.returncode, renewed.returncode), renewed.stderr
    assert f"ended at {ended}T" in filed.stderr
    assert f"valid until {ended}" in again.stderr
    assert "✓ municipality: 0 keys enrolled, 4 were already" in again.stdout
    assert f"ended at {ended}T" in found["said"]
    assert "signing_key_not_valid" in found["fix"]
    assert not found["ok"]
    assert ["not yet", "not yet", "valid", "valid"] == states(made, CHIYODA)["national"]
