"""What RabbitMQ and PostgreSQL have in common: started, asked, stopped, repaired."""

from __future__ import annotations

import os
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL, Signals
from threading import Event
from typing import ClassVar

import orjson
import psutil

from jukinet_mq.errors import ServicesUnavailableError
from jukinet_mq.services import processes
from jukinet_mq.services.endpoints import ServerStatus
from jukinet_mq.services.places import Account, place, remove_place, write_private
from jukinet_mq.services.ports import free_ports, is_free

START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
BREAK_OFF_SECONDS_MAX = 3.0
PORT_ATTEMPTS_MAX = 3
PORT_FREE_SECONDS_MAX = 1.0

_POLL_SECONDS = 0.05
_LOG_TAIL_BYTES = 4_096
_LOG_TAIL_LINES = 12


class Server(ABC):
    """One private server under `<home>/services/<name>`."""

    name: ClassVar[str]
    title: ClassVar[str]
    leader: ClassVar[str]
    process_names: ClassVar[frozenset[str]]
    stop_signal: ClassVar[Signals]
    port_purposes: ClassVar[tuple[str, ...]]

    def __init__(self, services: Path, owner: Account | None, root: Path | None = None) -> None:
        self._link = services / self.name
        self._ports_file = services / f"{self.name}.json"
        self._owner = owner
        self._root = root

    # --- What each server does its own way ------------------------------------------------

    @abstractmethod
    def version(self) -> str | None:
        """Return what the server calls its version, or None if it lets nobody in."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write configuration and whatever else must be there before the start."""

    @abstractmethod
    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the server; the process is its leader."""

    @abstractmethod
    def _complete(self) -> None:
        """Do what needs the running server; must bear being repeated."""

    @abstractmethod
    def _wants_ports(self) -> bool:
        """Say whether the server listens on ports at all."""

    # --- What both do the same way --------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The server's directory, as this process sees it; made if needed."""
        return place(self._link, self._owner, self._root)

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.directory / "server.log"

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the last start, by purpose; empty before the first."""
        try:
            found: dict[str, int] = orjson.loads(self._ports_file.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return found if set(found) == set(self.port_purposes) else {}

    def ensure(self, cancelled: Event) -> None:
        """Return when the server answers, starting or repairing it if it does not.

        Raises:
            ServicesUnavailableError: It does not come up; tells the end of its log.
        """
        if self.healthy():
            return
        self.break_off()
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            self._choose_ports(anew=attempt > 1)
            self._prepare()
            start_of_log = self._log_size()
            launched = self._launch()
            if self._wait_answer(launched, cancelled):
                self._complete()
                return
            ended = launched.poll()
            self.break_off()
            if cancelled.is_set() or not self._port_was_taken(start_of_log):
                raise ServicesUnavailableError(self._excuse(cancelled, ended))
        raise ServicesUnavailableError(self._excuse(cancelled, ended))

    def healthy(self) -> bool:
        """Say whether the server runs and answers, so that nothing has to be done."""
        return self.leading_process() is not None and self.version() is not None

    def processes(self) -> list[psutil.Process]:
        """Return every process of this server that runs now."""
        if not self._link.exists():
            return []
        return processes.working_in(self._link.resolve(), self.process_names)

    def leading_process(self) -> psutil.Process | None:
        """Return the server's first process, or None if it does not run."""
        return self._leader_of(self.processes())

    def stop(self, *, patience_seconds: float = STOP_SECONDS_MAX) -> None:
        """End the server: asked first, then forced; all of its processes are gone after."""
        leader = self.leading_process()
        if leader is not None:
            processes.signal_all([leader], self.stop_signal)
            processes.wait_gone([leader], patience_seconds)
        rest = self.processes()
        processes.signal_all(rest, SIGKILL)
        processes.wait_gone(rest, STOP_SECONDS_MAX)

    def break_off(self) -> None:
        """End a server that does not answer (yet); both bear being killed at any time."""
        self.stop(patience_seconds=BREAK_OFF_SECONDS_MAX)

    def kill(self) -> None:
        """End a server whose data nobody wants any more."""
        self.stop(patience_seconds=0)

    def remove(self) -> None:
        """Remove everything that the stopped server kept."""
        remove_place(self._link)
        self._ports_file.unlink(missing_ok=True)

    def status(self) -> ServerStatus:
        """Return how the server is now."""
        running = self.processes()
        leader = self._leader_of(running)
        if leader is None:
            return ServerStatus(self._link.resolve() if self._link.exists() else None)
        return ServerStatus(
            directory=self._link.resolve(),
            pid=leader.pid,
            since=datetime.fromtimestamp(leader.create_time(), UTC),
            version=self.version(),
            memory_bytes=processes.resident_bytes(running),
            ports=self.ports,
        )

    def _leader_of(self, running: Sequence[psutil.Process]) -> psutil.Process | None:
        # By the path it was started with: PostgreSQL's other processes bear the same name, but
        # call themselves "postgres: checkpointer" and the like. Without the first they are no
        # server any more.
        return next((found for found in running if processes.program(found) == self.leader), None)

    def _choose_ports(self, *, anew: bool) -> None:
        """Keep the ports of the last start if they are free, so that URLs stay valid."""
        if not self._wants_ports():
            return
        kept = self.ports
        # A process that was killed a moment ago may not have let go of its ports yet.
        if (
            kept
            and not anew
            and wait_until(lambda: all(map(is_free, kept.values())), PORT_FREE_SECONDS_MAX)
        ):
            return
        chosen = dict(zip(self.port_purposes, free_ports(len(self.port_purposes)), strict=True))
        write_private(self._ports_file, orjson.dumps(chosen).decode())

    def _wait_answer(self, launched: subprocess.Popen[bytes], cancelled: Event) -> bool:
        def settled() -> bool:
            return cancelled.is_set() or launched.poll() is not None or self.version() is not None

        return (
            wait_until(settled, START_SECONDS_MAX)
            and not cancelled.is_set()
            and launched.poll() is None
        )

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _port_was_taken(self, start_of_log: int) -> bool:
        with self.log.open("rb") as file:
            file.seek(start_of_log)
            text = file.read().lower()
        return b"eaddrinuse" in text or b"address already in use" in text

    def _excuse(self, cancelled: Event, ended: int | None) -> str:
        if cancelled.is_set():
            return f"the start of {self.title} was broken off"
        found = (
            f"did not answer within {START_SECONDS_MAX:.0f} s"
            if ended is None
            else f"ended with exit code {ended} while it started"
        )
        return (
            f"{self.title} {found}; its log {self.log} ends with:\n{tail(self.log)}\n"
            "Correct what it names and run `jukinet services up` again; if its data is damaged, "
            "`jukinet services down --purge` begins anew."
        )


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask *condition* again and again; say whether it came true in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def tail(log: Path) -> str:
    """Return the last lines of *log*."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return "(no log was written)"
    return "\n".join(text.splitlines()[-_LOG_TAIL_LINES:])
