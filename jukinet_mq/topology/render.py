"""A topology as RabbitMQ definitions: the file of the repository, and what `apply` imports."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from jukinet_mq.errors import StaleFileError
from jukinet_mq.nodes import directory
from jukinet_mq.topology.build import build

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jukinet_mq.topology.model import Topology

FILE: Final = "deploy/rabbitmq/definitions.json"
NO_PASSWORD: Final = ""
"""RabbitMQ lets nobody in by password whose hash is empty; such users need a certificate."""

_SALT_BYTES: Final = 4


def definitions(
    topology: Topology, *, credentials: Mapping[str, str] | None = None, vhost: str = "/"
) -> dict[str, list[dict[str, Any]]]:
    """Return *topology* in the form of `POST /api/definitions`.

    Equal arguments give equal definitions. A user that *credentials* do not name gets an
    empty password hash and can log in by certificate only.
    """
    passwords = credentials or {}
    return {
        "users": [
            {
                "name": user.name,
                "password_hash": password_hash(user.name, passwords.get(user.name)),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(user.tags),
            }
            for user in topology.users
        ],
        "vhosts": [{"name": vhost}],
        "permissions": [
            {
                "user": given.user,
                "vhost": vhost,
                "configure": given.configure,
                "write": given.write,
                "read": given.read,
            }
            for given in topology.permissions
        ],
        "topic_permissions": [
            {
                "user": given.user,
                "vhost": vhost,
                "exchange": given.exchange,
                "write": given.write,
                "read": given.read,
            }
            for given in topology.topic_permissions
        ],
        **_objects(topology, vhost),
    }


def _objects(topology: Topology, vhost: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.destination,
                "destination_type": binding.destination_type,
                "routing_key": binding.key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }


def password_hash(user: str, password: str | None) -> str:
    """Return RabbitMQ's salted SHA-256 of *password*, or the hash that lets nobody in.

    The salt is derived, not drawn, so that a second import changes nothing; our passwords
    are random and long, which is all that a salt of 4 bytes could add.
    """
    if password is None:
        return NO_PASSWORD
    salt = hashlib.sha256(f"{user}\n{password}".encode()).digest()[:_SALT_BYTES]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def text(definitions: Mapping[str, list[dict[str, Any]]]) -> str:
    """Return *definitions* as JSON with one line per object, so that a difference is one line."""
    sections = (
        f"{orjson.dumps(name).decode()}: [\n"
        + ",\n".join(orjson.dumps(item).decode() for item in items)
        + "\n]"
        for name, items in definitions.items()
    )
    return "{\n" + ",\n".join(sections) + "\n}\n"


def write(root: Path) -> Path:
    """Write the nation's definitions below *root*; return the file."""
    file = root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_nation(), encoding="utf-8")
    return file


def check(root: Path) -> None:
    """Make sure that the file below *root* is what the code renders now.

    Raises:
        StaleFileError: It is not, or is missing.
    """
    file = root / FILE
    if not file.is_file() or file.read_bytes() != _nation().encode():
        raise StaleFileError(
            f"{FILE} is not what the directory and the topology give now; "
            "run `jukinet topology render` and commit the file"
        )


def _nation() -> str:
    return text(definitions(build(directory())))
