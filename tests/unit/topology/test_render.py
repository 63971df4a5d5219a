from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from jukinet_mq.errors import ConfigurationError, StaleFileError, UnsafeKeyFileError
from jukinet_mq.nodes import directory
from jukinet_mq.topology import render
from jukinet_mq.topology.build import build
from jukinet_mq.topology.credentials import load, load_or_make

REPOSITORY = Path(__file__).parents[3]
SMALL = build(directory(), nodes=[directory().node("131016"), directory().node("jlis")])


def test_file_of_the_repository_is_fresh() -> None:
    """deploy/rabbitmq/definitions.json is what the code renders now."""
    render.check(REPOSITORY)


def test_written_file_is_fresh_and_a_changed_one_is_stale(tmp_path: Path) -> None:
    """`render` and `check` agree, and check notices a missing and a changed file."""
    with pytest.raises(StaleFileError, match="topology render"):
        render.check(tmp_path)
    file = render.write(tmp_path)
    render.check(tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("quorum", "classic", 1), "utf-8")
    with pytest.raises(StaleFileError):
        render.check(tmp_path)


def test_text_has_one_line_per_object() -> None:
    """A change of one binding is a change of one line."""
    definitions = render.definitions(SMALL)
    text = render.text(definitions)

    assert definitions == json.loads(text)
    objects = sum(map(len, definitions.values()))
    assert objects == sum(line.startswith("{") for line in text.splitlines()[1:])


def test_without_credentials_nobody_can_log_in_by_password() -> None:
    """An empty hash admits no password: such a login needs its certificate."""
    assert {""} == {user["password_hash"] for user in render.definitions(SMALL)["users"]}


def test_password_hash_is_rabbitmqs_salted_sha256() -> None:
    """Four bytes of salt, then SHA-256 over salt and password; the same again next time."""
    text = render.password_hash("131016", "secret")
    raw = base64.b64decode(text)

    assert hashlib.sha256(raw[:4] + b"secret").digest() == raw[4:]
    assert text == render.password_hash("131016", "secret")
    assert text != render.password_hash("jlis", "secret")


def test_every_object_is_in_the_named_virtual_host() -> None:
    """Nothing is rendered into another virtual host by mistake."""
    definitions = render.definitions(SMALL, vhost="test-1")

    assert [{"name": "test-1"}] == definitions.pop("vhosts")
    definitions.pop("users")
    assert {"test-1"} == {item["vhost"] for items in definitions.values() for item in items}


def test_passwords_are_made_once_and_kept_private(tmp_path: Path) -> None:
    """A second call finds the same passwords and adds only what is new; others cannot read."""
    path = tmp_path / "home" / "credentials.json"
    assert {} == dict(load(path))

    first = load_or_make(path, ["131016", "jlis"])
    second = load_or_make(path, ["131016", "130001"])

    assert 0o600 == path.stat().st_mode & 0o777
    assert first["131016"] == second["131016"] == load(path)["131016"]
    assert {"131016", "jlis", "130001"} == set(load(path))
    assert 3 == len(set(second.values()))
    assert first["131016"] not in repr(first)


def test_passwords_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """A file of mode 0644 is an error that says how to mend it."""
    path = tmp_path / "credentials.json"
    load_or_make(path, ["jlis"])
    path.chmod(0o644)

    with pytest.raises(UnsafeKeyFileError, match="chmod 600"):
        load(path)


def test_damaged_password_file_is_refused_without_its_content(tmp_path: Path) -> None:
    """The error names the file and the way out, and no password."""
    path = tmp_path / "credentials.json"
    path.touch(0o600)
    path.write_text('{"jlis": ["secret"]}', encoding="utf-8")

    with pytest.raises(ConfigurationError, match="damaged") as caught:
        load(path)
    assert "secret" not in str(caught.value)
