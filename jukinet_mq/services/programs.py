"""Where the servers' programs are on this machine."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from jukinet_mq.errors import MissingPackageError

POSTGRESQL_VERSION_MIN = 15

_DEBIAN_RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_DEBIAN_POSTGRESQL = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that the private servers are made of; RabbitMQ's are seen from *root*.

    Attributes:
        rabbitmq_server: RabbitMQ's start script, not a distribution's wrapper around it.
        epmd: Erlang's port mapper.
        postgresql_bin: The directory of `initdb`, `postgres` and `psql` of one version.
        root: A tree to change the root to for RabbitMQ, or None for this machine's own.
    """

    rabbitmq_server: Path
    epmd: Path
    postgresql_bin: Path
    root: Path | None


def find_programs(rabbitmq_root: Path | None = None) -> Programs:
    """Find the servers' programs, RabbitMQ's inside *rabbitmq_root* if that is given.

    Raises:
        MissingPackageError: One or both servers are not installed; names the packages.
    """
    rabbitmq_server = _rabbitmq_server(rabbitmq_root)
    epmd = _epmd(rabbitmq_root)
    postgresql_bin = _postgresql_bin()
    if rabbitmq_root is not None and (rabbitmq_server is None or epmd is None):
        msg = (
            f"{rabbitmq_root} holds no RabbitMQ; expected the tree of a distribution with the "
            f"package rabbitmq-server. Build it with `scripts/rabbitmq-4 {rabbitmq_root}`."
        )
        raise MissingPackageError(msg)
    if rabbitmq_server is None or epmd is None or postgresql_bin is None:
        raise MissingPackageError(_missing(rabbitmq_server and epmd, postgresql_bin))
    return Programs(rabbitmq_server, epmd, postgresql_bin, rabbitmq_root)


def _missing(rabbitmq: Path | None, postgresql: Path | None) -> str:
    packages = []
    if rabbitmq is None:
        packages.append("rabbitmq-server")
    if postgresql is None:
        packages.append("postgresql")
    names = " ".join(packages)
    return (
        f"these packages are not installed: {names} (PostgreSQL {POSTGRESQL_VERSION_MIN} or newer, "
        "RabbitMQ 3.10 or newer). Run `make services-up`, which installs them without starting "
        f"their system services, or as an administrator `scripts/install-packages {names}`."
    )


def _rabbitmq_server(root: Path | None) -> Path | None:
    # Debian's command on PATH is a wrapper for the system's own node: it changes the user and
    # writes to the system's log. The script behind it comes first.
    if (_inside(root, _DEBIAN_RABBITMQ)).exists():
        return _DEBIAN_RABBITMQ
    found = shutil.which("rabbitmq-server") if root is None else None
    return Path(found) if found else None


def _epmd(root: Path | None) -> Path | None:
    if root is not None:
        inside = Path("/usr/bin/epmd")
        return inside if _inside(root, inside).exists() else None
    found = shutil.which("epmd", path=None)
    if found is None and Path("/usr/bin/epmd").exists():
        found = "/usr/bin/epmd"
    return Path(found) if found else None


def _inside(root: Path | None, path: Path) -> Path:
    return path if root is None else root / path.relative_to("/")


def _postgresql_bin() -> Path | None:
    candidates = list(_DEBIAN_POSTGRESQL.glob("*/bin"))
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    usable = [
        (version, directory)
        for directory in candidates
        if (version := _postgresql_version(directory)) >= POSTGRESQL_VERSION_MIN
    ]
    return max(usable)[1] if usable else None


def _postgresql_version(directory: Path) -> int:
    """Return the major version, or 0 if *directory* lacks one of the programs."""
    if not all((directory / name).exists() for name in ("initdb", "postgres", "psql")):
        return 0
    named = re.fullmatch(r"(\d+)", directory.parent.name)
    return int(named[1]) if named else POSTGRESQL_VERSION_MIN
