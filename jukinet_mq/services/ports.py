"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from jukinet_mq.errors import ServicesUnavailableError

LOOPBACK = "127.0.0.1"

_LOWEST = 20_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_ATTEMPTS_MAX = 1_000


def free_ports(count: int) -> list[int]:
    """Return *count* different ports that nothing listens on.

    They lie below the range that the kernel gives to outgoing connections, so that no client
    takes one between this call and the server's start.

    Raises:
        ServicesUnavailableError: The range is full.
    """
    with ExitStack() as held:
        ports: list[int] = []
        for port in _candidates():
            listener = _listen(port)
            if listener is not None:
                held.enter_context(listener)
                ports.append(port)
            if len(ports) == count:
                return ports
    msg = (
        f"no {count} free ports found on {LOOPBACK} from {_LOWEST} on, after {_ATTEMPTS_MAX} "
        "attempts. Stop what listens there."
    )
    raise ServicesUnavailableError(msg)


def is_free(port: int) -> bool:
    """Say whether a server could listen on *port* of the loopback interface now."""
    listener = _listen(port)
    if listener is None:
        return False
    listener.close()
    return True


def _candidates() -> Iterator[int]:
    end = _ephemeral_start()
    chance = random.SystemRandom()
    for _ in range(_ATTEMPTS_MAX):
        yield chance.randrange(_LOWEST, end)


def _ephemeral_start() -> int:
    try:
        first = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        first = 32_768
    return first if first > _LOWEST + _ATTEMPTS_MAX else 61_000


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As the servers do: a port whose last connection is in TIME_WAIT is free.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener
