"""Rolling keys from the command line, and a machine that serves one tier only."""

from __future__ import annotations

import json
from dataclasses import replace

from jukinet_mq.nodes import Tier
from tests.fixtures.installation import SAPPORO, Installation


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
