"""The private RabbitMQ node: 3.10 to 4.3 from one configuration, loopback only."""

from __future__ import annotations

import base64
import http.client
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from signal import SIGTERM
from string import Template
from typing import ClassVar

import orjson

from jukinet_mq.errors import ServicesUnavailableError
from jukinet_mq.services import processes
from jukinet_mq.services.credentials import Credentials
from jukinet_mq.services.endpoints import ADMIN_USER
from jukinet_mq.services.places import Account, make_directory, remove_place, write_private
from jukinet_mq.services.ports import LOOPBACK
from jukinet_mq.services.programs import Programs
from jukinet_mq.services.server import Server, wait_until

_CONFIGURATION = Template("""\
# Written by `jukinet services up` at every start; changes are lost.
listeners.tcp.local = $loopback:$amqp
management.tcp.ip = $loopback
management.tcp.port = $management
prometheus.tcp.ip = $loopback
prometheus.tcp.port = $prometheus

default_user = $user
default_pass = $password
default_user_tags.administrator = true

heartbeat = 10
vm_memory_high_watermark.absolute = 1536MiB
vm_memory_calculation_strategy = rss
disk_free_limit.absolute = 256MB

# The log that all quorum queues share is kept in memory up to this size before it moves to
# their own files. Moving touches a file of each of 1,789 queues: at 32 MB it took half of all
# the node's time under load. The default of 512 MB is more than a small machine can spare.
raft.wal_max_size_bytes = 268435456

# Statistics of 1,789 queues every 5 s cost more than the queues do while nothing happens.
# _ADVANCED says the same of those that the queues give by themselves.
collect_statistics_interval = 10000
management.rates_mode = none

log.dir = $logs
log.file = rabbitmq.log
log.file.level = info
log.console = false
""")

_ADVANCED = "[{rabbit, [{quorum_tick_interval, 10000}]}].\n"

_HTTP_TIMEOUT_SECONDS = 3.0
_EPMD_SECONDS_MAX = 10.0
_HTTP_OK = 200


class RabbitMQ(Server):
    """One node `jukinet@localhost` with a port mapper of its own."""

    name: ClassVar = "rabbitmq"
    title: ClassVar = "RabbitMQ"
    leader: ClassVar = "beam.smp"
    process_names: ClassVar = frozenset(
        {"rabbitmq-server", "erl", "erlexec", "beam.smp", "erl_child_setup", "inet_gethost", "epmd"}
    )
    # RabbitMQ closes its connections and its queues in order on this signal.
    stop_signal: ClassVar = SIGTERM
    port_purposes: ClassVar = ("amqp", "management", "prometheus", "distribution", "epmd")

    def __init__(
        self,
        services: Path,
        owner: Account | None,
        *,
        programs: Programs,
        credentials: Credentials,
    ) -> None:
        super().__init__(services, owner, programs.root)
        self._programs = programs
        self._credentials = credentials

    def version(self) -> str | None:
        """Return the version if all three listeners are there and the administrator is let in."""
        ports = self.ports
        if not ports or not all(_accepts(ports[name]) for name in ("amqp", "prometheus")):
            return None
        return _version(ports["management"], self._credentials.broker_admin)

    def healthy(self) -> bool:
        """Say whether the node answers and its port mapper runs."""
        return super().healthy() and self.port_mapper() is not None

    def port_mapper(self) -> int | None:
        """Return the pid of this node's epmd, or None if it does not run."""
        return next((found.pid for found in self.processes() if found.name() == "epmd"), None)

    def _wants_ports(self) -> bool:
        return True

    @property
    def _completed(self) -> Path:
        return self.directory / "first-boot-completed"

    def _prepare(self) -> None:
        directory = self.directory
        if not self._completed.exists():
            # A first boot that was broken off may have left a database without our user in it.
            remove_place(directory / "data")
        for name in ("data", "logs", "plugins"):
            make_directory(directory / name, self._owner)
        seen = self._seen(directory)
        texts = {
            "rabbitmq.conf": render_configuration(seen, self.ports, self._credentials.broker_admin),
            "advanced.config": _ADVANCED,
            "rabbitmq-env.conf": "",
            "enabled_plugins": "[rabbitmq_management,rabbitmq_prometheus].\n",
            ".erlang.cookie": self._credentials.erlang_cookie,
        }
        for name, text in texts.items():
            write_private(directory / name, text, self._owner)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._launch_port_mapper()
        return processes.start(self._command(str(self._programs.rabbitmq_server)), self.log)

    def _launch_port_mapper(self) -> None:
        # Ours, in the foreground: the one that Erlang would start makes itself a daemon
        # that survives the node and that nobody can tell from others.
        port = self.ports["epmd"]
        arguments = (str(self._programs.epmd), "-address", LOOPBACK, "-port", str(port))
        processes.start(self._command(*arguments), self.directory / "epmd.log")
        if not wait_until(lambda: _accepts(port), _EPMD_SECONDS_MAX):
            msg = f"epmd did not answer on {LOOPBACK}:{port} within {_EPMD_SECONDS_MAX:.0f} s"
            raise ServicesUnavailableError(msg)

    def _command(self, *arguments: str) -> processes.Command:
        return processes.Command(
            arguments=arguments,
            directory=self.directory,
            environment=environment(self._seen(self.directory), self.ports),
            account=self._owner,
            root=self._root,
        )

    def _complete(self) -> None:
        write_private(self._completed, "", self._owner)

    def _seen(self, directory: Path) -> Path:
        """Return *directory* as the server sees it."""
        return directory if self._root is None else "/" / directory.relative_to(self._root)


def render_configuration(directory: Path, ports: Mapping[str, int], password: str) -> str:
    """Return rabbitmq.conf for a node that works in *directory*."""
    return _CONFIGURATION.substitute(
        ports,
        loopback=LOOPBACK,
        user=ADMIN_USER,
        password=password,
        logs=directory / "logs",
    )


def environment(directory: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the environment of the node and its tools; nothing is inherited.

    Every file that RabbitMQ would look for in the system's places is named, so that neither
    reads or writes what belongs to a node of the system.
    """
    data = directory / "data"
    return {
        "HOME": str(directory),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(ports["epmd"]),
        # For every Erlang VM, also the short-lived ones that the node starts.
        "ERL_AFLAGS": "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
        "RABBITMQ_NODENAME": "jukinet@localhost",
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_PLUGINS_EXPAND_DIR": str(directory / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_MNESIA_DIR": str(data / "node"),
        "RABBITMQ_FEATURE_FLAGS_FILE": str(data / "feature_flags"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(data / "config"),
        "RABBITMQ_SCHEMA_DIR": str(data / "schema"),
        "RABBITMQ_LOG_BASE": str(directory / "logs"),
        "RABBITMQ_PID_FILE": str(data / "node.pid"),
        # Bound threads of several servers would crowd on the same cores.
        "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
        # The start script then becomes the Erlang VM instead of waiting for it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _version(port: int, password: str) -> str | None:
    token = base64.b64encode(f"{ADMIN_USER}:{password}".encode()).decode()
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_HTTP_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/api/overview", headers={"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if response.status != _HTTP_OK:
        return None
    return str(orjson.loads(body)["rabbitmq_version"])
