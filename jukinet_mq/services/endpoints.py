"""What a client needs to reach the private servers, and what can be said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jukinet_mq.nodes import Tier

ADMIN_USER = "jukinet_admin"
OWNER_ROLE = "jukinet_owner"
WORKER_ROLE = "jukinet_worker"


def database_name(tier: Tier) -> str:
    """Return the name of a tier's database."""
    return f"jukinet_{tier.value}"


@dataclass(frozen=True, slots=True)
class DatabaseEndpoint:
    """One tier's database, by the two logins that it knows.

    Attributes:
        owner_url: Owns the database: for migrations.
        worker_url: May connect; what else it may do, the migrations grant.
    """

    owner_url: str = field(repr=False)
    worker_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the private servers are and how to log in; every URL holds its password.

    Attributes:
        amqp_url: The broker, as its administrator, virtual host `/`.
        management_url: The management API, same login.
        prometheus_url: The broker's metrics; no login.
        database_admin_url: The PostgreSQL cluster's superuser, database `postgres`.
        databases: One database per tier.
        pids: The leading process of `rabbitmq`, `epmd` and `postgresql`.
    """

    amqp_url: str = field(repr=False)
    management_url: str = field(repr=False)
    prometheus_url: str
    admin_user: str
    admin_password: str = field(repr=False)
    database_admin_url: str = field(repr=False)
    databases: Mapping[Tier, DatabaseEndpoint]
    pids: Mapping[str, int]

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make `jukinet` use these servers."""
        variables = {
            "JUKINET_AMQP_URL": self.amqp_url,
            "JUKINET_MANAGEMENT_URL": self.management_url,
        }
        for tier, database in self.databases.items():
            name = tier.value.upper()
            variables[f"JUKINET_{name}_DATABASE_URL"] = database.worker_url
            variables[f"JUKINET_{name}_OWNER_DATABASE_URL"] = database.owner_url
        return variables


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server now.

    Attributes:
        directory: Its data, configuration and log; None if it was never started.
        pid: Its leading process, None if there is none.
        since: When that process started.
        version: What it says of itself; None if it does not answer.
        memory_bytes: Of all its processes, shared memory counted once.
        ports: Loopback ports by purpose.
    """

    directory: Path | None
    pid: int | None = None
    since: datetime | None = None
    version: str | None = None
    memory_bytes: int = 0
    ports: Mapping[str, int] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether its leading process is there."""
        return self.pid is not None

    @property
    def answering(self) -> bool:
        """Whether it lets its administrator in."""
        return self.version is not None


@dataclass(frozen=True, slots=True)
class ServicesStatus:
    """Both servers now."""

    home: Path
    rabbitmq: ServerStatus
    postgresql: ServerStatus

    @property
    def up(self) -> bool:
        """Whether both servers answer."""
        return self.rabbitmq.answering and self.postgresql.answering
