"""Private RabbitMQ and PostgreSQL servers for the demo, the tests and development."""

from __future__ import annotations

from jukinet_mq.services.endpoints import (
    ADMIN_USER,
    OWNER_ROLE,
    WORKER_ROLE,
    DatabaseEndpoint,
    Endpoints,
    ServerStatus,
    ServicesStatus,
    database_name,
)
from jukinet_mq.services.lifecycle import Services

__all__ = [
    "ADMIN_USER",
    "OWNER_ROLE",
    "WORKER_ROLE",
    "DatabaseEndpoint",
    "Endpoints",
    "ServerStatus",
    "Services",
    "ServicesStatus",
    "database_name",
]
