"""The commands that install and check, each as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from jukinet_mq.clock import utc_now
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.trust import SigningKey, pki
from tests.fixtures.doctoring import doctor_on
from tests.fixtures.installation import CHIYODA, HAKODATE, NODES, TOKYO, Installation

ONLY_OURS = [word for code in NODES for word in ("--node", code)]
NOWHERE = "127.0.0.1:9"


def elsewhere(installation: Installation, **environment: str) -> Installation:
    """Return the installation as seen with other settings."""
    return replace(installation, environment={**installation.environment, **environment})


async def test_empty_database_is_refused_upgraded_and_then_right(
    installation: Installation, empty_database: DatabaseEndpoint
) -> None:
    """`db check` names what lacks, `db upgrade` brings it, and a second one has nothing to do."""
    fresh = elsewhere(
        installation,
        JUKINET_NATIONAL_DATABASE_URL=empty_database.worker_url,
        JUKINET_NATIONAL_OWNER_DATABASE_URL=empty_database.owner_url,
    )

    before = fresh.jukinet("db", "check", "--tier", "national", "--json")
    upgraded = fresh.jukinet("db", "upgrade", "--tier", "national")
    again = fresh.jukinet("db", "upgrade", "--tier", "national")
    after = fresh.jukinet("db", "check")

    assert 78 == before.returncode
    assert not json.loads(before.stdout)["national"]["ok"]
    assert "schema_version_mismatch" == json.loads(before.stderr)["error"]
    assert 0 == upgraded.returncode, upgraded.stderr
    assert "0001_spine.sql" in upgraded.stdout
    assert "was up to date" in again.stdout
    assert 0 == after.returncode, after.stderr


async def test_policy_that_would_lose_envelopes_is_a_difference_and_turns_doctor_red(
    installation: Installation, management: httpx.AsyncClient
) -> None:
    """Exit 78 with the policy's name and the command that removes it; nothing says ✓."""
    policy = f"/policies/{quote(installation.vhost, safe='')}/cleaner"
    sets = {"pattern": ".*", "definition": {"message-ttl": 2000, "max-length": 5}}
    (await management.put(policy, json=sets)).raise_for_status()

    checked = installation.jukinet("topology", "check", *ONLY_OURS)
    listed = installation.jukinet("topology", "check", *ONLY_OURS, "--json")
    found = doctor_on("topology", installation)
    (await management.delete(policy)).raise_for_status()
    right = installation.jukinet("topology", "check", *ONLY_OURS)

    assert (78, 78, 0) == (checked.returncode, listed.returncode, right.returncode), right.stderr
    text = " ".join(checked.stdout.split())
    assert "✗ unexpected policy cleaner: sets max-length 5, message-ttl 2000 on" in text
    assert f"rabbitmqctl clear_policy -p {installation.vhost} cleaner" in text
    assert "✓" not in checked.stdout
    [one] = json.loads(listed.stdout)
    assert ("unexpected", "policy", "cleaner") == (one["problem"], one["what"], one["name"])
    assert not found["ok"]


async def test_what_the_broker_does_not_tell_is_marked_as_not_known(
    installation: Installation, management: httpx.AsyncClient
) -> None:
    """A login without the rights to see all gets `?` and exit 78, and never ✓."""
    given = f"/permissions/{quote(installation.vhost, safe='')}/watcher"
    user = {"password": "secret", "tags": "monitoring"}
    nothing = dict.fromkeys(("configure", "write", "read"), "^$")
    (await management.put("/users/watcher", json=user)).raise_for_status()
    (await management.put(given, json=nothing)).raise_for_status()
    place = urlsplit(installation.environment["JUKINET_MANAGEMENT_URL"]).netloc.rpartition("@")[2]
    watched = elsewhere(installation, JUKINET_MANAGEMENT_URL=f"http://watcher:secret@{place}")

    checked = watched.jukinet("topology", "check", *ONLY_OURS)
    found = doctor_on("topology", watched)
    (await management.delete("/users/watcher")).raise_for_status()

    assert 78 == checked.returncode
    assert "? unknown users: RabbitMQ refuses" in " ".join(checked.stdout.split())
    assert "✓" not in checked.stdout
    assert "✗" not in checked.stdout
    assert not found["ok"]
    assert "parts not known" in found["said"]


async def test_topology_check_names_what_the_broker_lacks_and_apply_brings_it_back(
    installation: Installation, management: httpx.AsyncClient
) -> None:
    """A queue that somebody deleted is found, named, and made again."""
    queue = f"/queues/{quote(installation.vhost, safe='')}/cs.{HAKODATE}"
    right = installation.jukinet("topology", "check", *ONLY_OURS)
    (await management.delete(queue)).raise_for_status()

    wrong = installation.jukinet("topology", "check", *ONLY_OURS)
    differences = installation.jukinet("topology", "check", *ONLY_OURS, "--json")
    applied = installation.jukinet("topology", "apply", *ONLY_OURS)

    assert 0 == right.returncode, right.stderr
    assert 78 == wrong.returncode
    assert f"missing queue cs.{HAKODATE}" in wrong.stdout
    assert f"cs.{HAKODATE}" in {d["name"] for d in json.loads(differences.stdout)}
    assert "topology_drift" == json.loads(differences.stderr)["error"]
    assert 0 == applied.returncode, applied.stderr
    assert 0 == installation.jukinet("topology", "check", *ONLY_OURS).returncode


def test_generated_files_of_the_repository_are_checked(
    installation: Installation, tmp_path: Path
) -> None:
    """A file that is not fresh is named with exit code 78, and generating mends it."""
    folder = str(tmp_path / "schemas")

    assert 78 == installation.jukinet("schema", "check", folder).returncode
    assert 0 == installation.jukinet("schema", "generate", folder).returncode
    assert 0 == installation.jukinet("schema", "check", folder).returncode
    assert 78 == installation.jukinet("topology", "render", folder, "--check").returncode
    assert 0 == installation.jukinet("topology", "render", folder).returncode
    assert 0 == installation.jukinet("topology", "render", folder, "--check").returncode


def test_trust_init_brings_a_node_with_everybody_it_answers_to(
    installation: Installation, tmp_path: Path
) -> None:
    """One municipality needs keys of its prefecture and of J-LIS; a repetition keeps all."""
    # Its own databases would be better trusted with these keys, so it enrols nothing here.
    environment = {k: v for k, v in installation.environment.items() if "DATABASE" not in k}
    alone = replace(installation, environment={**environment, "JUKINET_HOME": str(tmp_path)})

    made = alone.jukinet("trust", "init", "--node", "462012")
    again = alone.jukinet("trust", "init", "--node", "462012")

    assert 0 == made.returncode, made.stderr
    assert {"462012", "460001", "jlis"} == {
        path.name.removesuffix(".key.pem") for path in (tmp_path / "trust/nodes").glob("*.key.pem")
    }
    assert "keys of 3 nodes made, of 0 kept" in made.stdout
    assert "nothing is enrolled" in made.stdout
    assert "keys of 0 nodes made, of 3 kept" in again.stdout


async def test_rolled_key_is_enrolled_and_the_old_one_revoked(installation: Installation) -> None:
    """Enrolment holds the certificate against the node; revocation is dry until it is applied."""
    node = directory().node(HAKODATE)
    [old, *_] = keys(installation, HAKODATE, "sig")
    pki.rotate(installation.home / "trust", [node], now=utc_now())
    certificate = str(pki.certificate_path(installation.home / "trust", HAKODATE))

    stranger = installation.jukinet("trust", "enrol", TOKYO, certificate)
    enrolled = installation.jukinet("trust", "enrol", HAKODATE, certificate)
    dry = installation.jukinet("trust", "revoke", old)
    still = keys(installation, HAKODATE, "sig")
    done = installation.jukinet("trust", "revoke", old, "--apply")
    twice = installation.jukinet("trust", "revoke", old, "--apply")

    assert 76 == stranger.returncode
    assert 0 == enrolled.returncode, enrolled.stderr
    assert "2 keys enrolled, 2 were already" in enrolled.stdout
    assert (0, 0) == (dry.returncode, done.returncode), done.stderr
    assert "Nothing was changed" in dry.stdout
    assert "valid" == still[old]
    assert "revoked" == keys(installation, HAKODATE, "sig")[old]
    assert 76 == twice.returncode


async def test_kid_that_begins_with_a_dash_is_a_kid(installation: Installation) -> None:
    """One thumbprint of 64 does; what is not enrolled is named, and keeps nothing from the rest."""
    candidates = (SigningKey(number.to_bytes(32, "big")) for number in count())
    [kid, twin] = islice((k.kid for k in candidates if k.kid.startswith("-")), 2)
    await installation.fetch(
        Tier.NATIONAL,
        "INSERT INTO trust_store (key_id, node, use, public, valid_from, valid_until, enrolled_at)"
        " VALUES ($1, $2, 'sig', $3, now(), now() + interval '1 day', now())",
        kid,
        TOKYO,
        bytes(32),
    )
    revoke = ("trust", "revoke", "--tier", "national")

    dry = installation.jukinet(*revoke, kid)
    plain = installation.jukinet(*revoke, "--", kid)
    both = installation.jukinet(*revoke, twin, kid, "--apply")

    assert (0, 0) == (dry.returncode, plain.returncode), dry.stderr
    assert f"would revoke signing key {kid} of" in " ".join(dry.stdout.split())
    assert 76 == both.returncode
    assert f"no key {twin} is enrolled" in " ".join(both.stderr.split())
    assert f"revoked signing key {kid} of" in " ".join(both.stdout.split())


def keys(installation: Installation, node: NodeCode, use: str) -> dict[str, str]:
    """Return a node's keys at the national tier with their states."""
    shown = installation.jukinet("trust", "show", node, "--tier", "national", "--json")
    assert 0 == shown.returncode, shown.stderr
    return {k["kid"]: k["state"] for k in json.loads(shown.stdout)["keys"] if k["use"] == use}


def test_doctor_names_the_layer_and_the_fix(installation: Installation) -> None:
    """On a broker with six nodes only the topology and the trust stores lack the others.

    Whether a node's key was revoked depends on which tests came before.
    """
    found = installation.jukinet("doctor", "--json")

    assert 1 == found.returncode, found.stderr
    checks = json.loads(found.stdout)["checks"]
    wrong = {check["layer"]: check["fix"] for check in checks if not check["ok"]}
    trust = {f"trust {tier}" for tier in Tier}
    revoked = {"credentials", "keys municipality"}
    assert {"topology", *revoked, *trust} >= wrong.keys() >= {"topology", *trust}
    assert all("`jukinet " in fix for fix in wrong.values())


def test_doctor_works_when_everything_is_down(installation: Installation) -> None:
    """Each layer says that it does not answer, in one line with the fix; no layer is left out."""
    dead = elsewhere(
        installation,
        JUKINET_AMQP_URL=f"amqp://{NOWHERE}/",
        JUKINET_MANAGEMENT_URL=f"http://a:b@{NOWHERE}",
        **{
            f"JUKINET_{tier.name}_DATABASE_URL": f"postgresql://a:b@{NOWHERE}/none" for tier in Tier
        },
    )

    found = dead.jukinet("doctor")

    assert 1 == found.returncode
    assert "Traceback" not in found.stderr + found.stdout
    for layer in ("broker", "topology", *(f"database {tier}" for tier in Tier)):
        assert f"✗  {layer}" in found.stdout
    assert "jukinet services up" in found.stdout


def test_doctor_without_any_setting_says_how_to_begin(
    installation: Installation, tmp_path: Path
) -> None:
    """Nothing is set and nothing runs: one line, and the way out."""
    kept = {k: v for k, v in installation.environment.items() if not k.startswith("JUKINET_")}
    bare = replace(installation, environment={**kept, "JUKINET_HOME": str(tmp_path / "none")})

    found = bare.jukinet("doctor")

    assert 1 == found.returncode
    assert "run `jukinet services up`" in found.stdout
    assert not (tmp_path / "none").exists()


def test_node_show_knows_ward_city_keys_and_queue(installation: Installation) -> None:
    """A ward leads to its city; keys come from the trust store, the depth from the broker."""
    ward = installation.jukinet("node", "show", "011011")
    shown = installation.jukinet("node", "show", CHIYODA, "--json")

    assert 0 == ward.returncode, ward.stderr
    assert "011011 札幌市中央区 is a ward" in ward.stdout
    assert "011002 札幌市" in ward.stdout
    node = json.loads(shown.stdout)
    assert (TOKYO, "cs.131016") == (node["parent"], node["queue"])
    assert 2 == node["condition"]["enrolled_keys"]
    assert "cs.131016" == node["condition"]["queue"]["name"]
    assert [] == node["condition"]["trouble"]


def test_node_list_of_a_prefecture_holds_its_municipalities(installation: Installation) -> None:
    """Tokyo has 62 municipalities and itself."""
    listed = installation.jukinet("node", "list", "--prefecture", "13", "--json")

    assert 63 == len(json.loads(listed.stdout))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("131017", "131016 千代田区?"),
        ("999999", "mistyped digit"),
        ("13101", "131016 千代田区?"),
    ],
)
def test_unknown_node_is_refused_with_what_is_wrong(
    installation: Installation, code: str, said: str
) -> None:
    """A mistyped code ends with exit code 2 and what was likely meant."""
    shown = installation.jukinet("node", "show", code)

    assert 2 == shown.returncode
    assert said in shown.stderr


def test_reader_that_goes_away_hears_nothing_more(installation: Installation) -> None:
    """`jukinet node list | head -1` ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "jukinet_mq", "node", "list"],
        env=installation.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()

    assert b"" == said
    assert 1 == process.returncode


def test_wrong_setting_is_one_line(installation: Installation) -> None:
    """The variable is named, and what it may be."""
    wrong = elsewhere(installation, JUKINET_LOG_LEVEL="loud").jukinet("db", "check")

    assert 78 == wrong.returncode
    assert wrong.stderr.startswith(
        "jukinet: the environment's settings are wrong: JUKINET_LOG_LEVEL"
    )
    assert 1 == len(wrong.stderr.splitlines())
