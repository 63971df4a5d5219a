"""The private PostgreSQL cluster: three databases, two logins, durable and small."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from signal import SIGINT, SIGQUIT
from string import Template
from typing import ClassVar
from urllib.parse import quote

from jukinet_mq.errors import ServicesUnavailableError
from jukinet_mq.nodes import Tier
from jukinet_mq.services import processes
from jukinet_mq.services.credentials import Credentials
from jukinet_mq.services.endpoints import ADMIN_USER, OWNER_ROLE, WORKER_ROLE, database_name
from jukinet_mq.services.places import Account, make_directory, remove_place, write_private
from jukinet_mq.services.ports import LOOPBACK
from jukinet_mq.services.programs import Programs
from jukinet_mq.services.server import Server

_CONFIGURATION = Template("""\
# Written by `jukinet services up` at every start; changes are lost.
listen_addresses = '$addresses'
port = $port
unix_socket_directories = '$sockets'
max_connections = 200
password_encryption = 'scram-sha-256'

shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
huge_pages = off
jit = off
max_parallel_workers_per_gather = 0
random_page_cost = 1.1

# A commit is on the disk before it is answered: nothing here is faster than it is safe.
fsync = on
synchronous_commit = on
full_page_writes = on

# There is no replica, and checkpoints are paid by size, not by time.
wal_level = minimal
max_wal_senders = 0
wal_compression = $compression
wal_buffers = 16MB
max_wal_size = 1GB
checkpoint_timeout = 15min
autovacuum_naptime = 30s

# Nothing that a log line could quote of a statement, a parameter or a row is ever written:
# it could be about a person.
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
""")

_ACCESS = f"""\
# Written by `jukinet services up` at every start; changes are lost.
local all all scram-sha-256
host all all {LOOPBACK}/32 scram-sha-256
"""

_OWN_CONFIGURATION = "jukinet.conf"
_SOCKET_PORT = 5432
# sun_path of sockaddr_un, with its final zero, is 108 bytes on Linux and 104 on macOS.
_SOCKET_PATH_BYTES_MAX = 103
_INITDB_SECONDS_MAX = 60.0
_PSQL_SECONDS_MAX = 30.0
_KILL_SECONDS_MAX = 10.0


class PostgreSQL(Server):
    """One cluster, reached by a Unix socket or, where its path is too long, by loopback."""

    name: ClassVar = "postgresql"
    title: ClassVar = "PostgreSQL"
    leader: ClassVar = "postgres"
    process_names: ClassVar = frozenset({"postgres"})
    # "Fast shutdown": ends the sessions, then writes a checkpoint.
    stop_signal: ClassVar = SIGINT
    port_purposes: ClassVar = ("database",)

    def __init__(
        self,
        services: Path,
        owner: Account | None,
        *,
        programs: Programs,
        credentials: Credentials,
    ) -> None:
        super().__init__(services, owner)
        self._programs = programs
        self._credentials = credentials

    def version(self) -> str | None:
        """Return the version if the administrator is let in."""
        if not (self._data / "PG_VERSION").exists() or (self._wants_ports() and not self.ports):
            return None
        answer = self._psql("SHOW server_version;")
        return answer.stdout.split()[0] if answer.returncode == 0 else None

    def url(self, role: str, password: str, database: str) -> str:
        """Return the URL of *database* for a login, as libpq and asyncpg read it."""
        if self._wants_ports():
            return f"postgresql://{role}:{password}@{LOOPBACK}:{self.ports['database']}/{database}"
        host = quote(str(self._sockets), safe="/")
        return f"postgresql://{role}:{password}@/{database}?host={host}&port={_SOCKET_PORT}"

    def kill(self) -> None:
        """End the server at once; it has to give back its shared memory itself.

        That belongs to the machine: what a killed server has left there, nobody removes.
        """
        leader = self.leading_process()
        if leader is not None:
            # "Immediate shutdown": no checkpoint, no farewell to anybody.
            processes.signal_all([leader], SIGQUIT)
            processes.wait_gone([leader], _KILL_SECONDS_MAX)
        super().kill()

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _sockets(self) -> Path:
        return self.directory / "run"

    def _wants_ports(self) -> bool:
        socket = self._sockets / f".s.PGSQL.{_SOCKET_PORT}"
        return len(os.fsencode(socket)) > _SOCKET_PATH_BYTES_MAX

    def _prepare(self) -> None:
        if not self._data.exists():
            self._initialise()
        # No process works here: `ensure` has seen to that. The lock files of a killed server could
        # name a pid that another process has by now, and PostgreSQL would not start.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        remove_place(self._sockets)
        make_directory(self._sockets, self._owner)
        configuration = _CONFIGURATION.substitute(
            addresses=LOOPBACK if self._wants_ports() else "",
            port=self.ports["database"] if self._wants_ports() else _SOCKET_PORT,
            sockets="" if self._wants_ports() else str(self._sockets).replace("'", "''"),
            compression="lz4" if self._knows_lz4() else "on",
        )
        write_private(self._data / _OWN_CONFIGURATION, configuration, self._owner)
        write_private(self._data / "pg_hba.conf", _ACCESS, self._owner)

    def _initialise(self) -> None:
        """Make the cluster beside its place and move it there, so that it is never half made."""
        unfinished = self.directory / "data.unfinished"
        password = self.directory / "password"
        remove_place(unfinished)
        write_private(password, self._credentials.database_admin, self._owner)
        try:
            made = self._run(
                "initdb",
                f"--pgdata={unfinished}",
                f"--username={ADMIN_USER}",
                f"--pwfile={password}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                timeout_seconds=_INITDB_SECONDS_MAX,
            )
        finally:
            password.unlink()
        if made.returncode != 0:
            msg = f"initdb failed with exit code {made.returncode}:\n{made.stderr.strip()}"
            raise ServicesUnavailableError(msg)
        # What initdb found out about this machine (its shared memory, for one) stays in force.
        with (unfinished / "postgresql.conf").open("a") as file:
            file.write(f"\ninclude '{_OWN_CONFIGURATION}'\n")
        write_private(unfinished / _OWN_CONFIGURATION, "", self._owner)
        unfinished.rename(self._data)

    def _knows_lz4(self) -> bool:
        asked = ("postgres", "-D", str(self._data), "-C", "wal_compression")
        return self._run(*asked, "-c", "wal_compression=lz4", timeout_seconds=10).returncode == 0

    def _launch(self) -> subprocess.Popen[bytes]:
        return processes.start(self._command("postgres", "-D", str(self._data)), self.log)

    def _complete(self) -> None:
        """Make the roles and databases that are missing, and take from PUBLIC what it has."""
        done = self._psql(_setup(self._credentials))
        if done.returncode != 0:
            msg = f"the databases could not be made:\n{done.stderr.strip()}"
            raise ServicesUnavailableError(msg)

    def _psql(self, script: str) -> subprocess.CompletedProcess[str]:
        # The script goes in by the standard input: arguments can be read by everybody.
        host = LOOPBACK if self._wants_ports() else str(self._sockets)
        port = self.ports["database"] if self._wants_ports() else _SOCKET_PORT
        command = self._command(
            "psql",
            f"--host={host}",
            f"--port={port}",
            f"--username={ADMIN_USER}",
            "--dbname=postgres",
            "--no-password",
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            variables={
                "PGPASSWORD": self._credentials.database_admin,
                "PGCONNECT_TIMEOUT": "3",
            },
        )
        return processes.run(command, text=script, timeout_seconds=_PSQL_SECONDS_MAX)

    def _run(
        self, program: str, *arguments: str, timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        return processes.run(self._command(program, *arguments), timeout_seconds=timeout_seconds)

    def _command(
        self, program: str, *arguments: str, variables: Mapping[str, str] | None = None
    ) -> processes.Command:
        return processes.Command(
            arguments=(str(self._programs.postgresql_bin / program), *arguments),
            directory=self.directory,
            environment={
                "HOME": str(self.directory),
                "LC_ALL": "C",
                "PATH": f"{self._programs.postgresql_bin}:/usr/bin:/bin",
                **(variables or {}),
            },
            account=self._owner,
        )


def _setup(credentials: Credentials) -> str:
    """Return the psql script that makes roles and databases; repeating it changes nothing."""
    script = "SET client_min_messages = warning;\n"
    for role, password in (
        (OWNER_ROLE, credentials.database_owner),
        (WORKER_ROLE, credentials.database_worker),
    ):
        script += _psql_part("role.sql", role=role, password=password)
    for name in map(database_name, Tier):
        script += _psql_part("database.sql", database=name, owner=OWNER_ROLE, worker=WORKER_ROLE)
    return script


def _psql_part(file: str, **variables: str) -> str:
    settings = "".join(f"\\set {name} '{value}'\n" for name, value in variables.items())
    return settings + files(__package__).joinpath(file).read_text(encoding="utf-8")
