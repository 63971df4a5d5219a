"""Both private servers together: up, down, status, endpoints."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from jukinet_mq.errors import ConfigurationError, ServicesUnavailableError
from jukinet_mq.nodes import Tier
from jukinet_mq.services.credentials import Credentials, load_credentials, make_credentials
from jukinet_mq.services.endpoints import (
    ADMIN_USER,
    OWNER_ROLE,
    WORKER_ROLE,
    DatabaseEndpoint,
    Endpoints,
    ServicesStatus,
    database_name,
)
from jukinet_mq.services.places import account, make_home, write_private
from jukinet_mq.services.ports import LOOPBACK
from jukinet_mq.services.postgresql import PostgreSQL
from jukinet_mq.services.programs import find_programs
from jukinet_mq.services.rabbitmq import RabbitMQ
from jukinet_mq.services.server import Server, wait_until

LOCK_SECONDS_MAX = 180.0


class Services:
    """A private RabbitMQ node and a private PostgreSQL cluster under `<home>/services`.

    Several objects, also in several processes, may speak for one home: what runs is read from
    the kernel, and one lock orders those who change it.
    """

    def __init__(self, home: Path, *, rabbitmq_root: Path | None = None) -> None:
        """Speak for *home*; RabbitMQ comes from the tree *rabbitmq_root*, if that is given."""
        self._services = home.absolute() / "services"
        self.rabbitmq_root = rabbitmq_root.resolve() if rabbitmq_root else None

    def up(self) -> Endpoints:
        """Return when both servers answer; starts what does not run, repairs what is broken.

        Whatever this call started is stopped again if it fails or is interrupted.

        Raises:
            MissingPackageError: A server is not installed.
            ServicesUnavailableError: A server does not come up, or the lock is held for long.
        """
        make_home(self._services.parent)
        make_home(self._services)
        with self._lock():
            self._refuse_other_root()
            servers = self._servers(self._credentials(make=True))
            _ensure([server for server in servers if not server.healthy()])
            return self._endpoints(*servers)

    def down(self, *, purge: bool = False) -> None:
        """Stop both servers; with *purge*, remove their data and credentials too.

        Returns when none of their processes is left. Does nothing where nothing is.
        """
        if not self._services.exists():
            return
        with self._lock():
            # Stopping must not need a password: a damaged file must not keep a server alive.
            servers = self._servers(Credentials())
            # What is thrown away need not be left in order.
            _in_parallel([server.kill if purge else server.stop for server in servers])
            if purge:
                for server in servers:
                    server.remove()
                self._credentials_file.unlink(missing_ok=True)
                self._root_file.unlink(missing_ok=True)

    def status(self) -> ServicesStatus:
        """Return how both servers are now, without changing anything."""
        credentials = self._credentials(make=False) if self._services.exists() else Credentials()
        rabbitmq, postgresql = self._servers(credentials)
        return ServicesStatus(self._services.parent, rabbitmq.status(), postgresql.status())

    def endpoints(self) -> Endpoints:
        """Return where the running servers are.

        Raises:
            ServicesUnavailableError: They are not up.
        """
        if self._credentials_file.exists():
            servers = self._servers(self._credentials(make=False))
            if all(server.leading_process() for server in servers):
                return self._endpoints(*servers)
        msg = (
            f"the private servers of {self._services.parent} are not up. "
            "Run `jukinet services up`, or `jukinet services status` for what is missing."
        )
        raise ServicesUnavailableError(msg)

    def last_endpoints(self) -> Endpoints | None:
        """Return where the servers were when they started last, running or not.

        One that is down must not hide the other: a client of the database needs no broker.
        None before the first start.
        """
        if not self._credentials_file.exists():
            return None
        try:
            return self._endpoints(*self._servers(self._credentials(make=False)))
        except KeyError:  # one of them has no ports yet
            return None

    @contextmanager
    def session(self) -> Iterator[Endpoints]:
        """Have both servers up for a while; those that ran before keep running after."""
        before = self.status().up if self._credentials_file.exists() else False
        endpoints = self.up()
        try:
            yield endpoints
        finally:
            if not before:
                self.down()

    # --- Parts ----------------------------------------------------------------------------

    @property
    def _credentials_file(self) -> Path:
        return self._services / "credentials.json"

    @property
    def _root_file(self) -> Path:
        return self._services / "rabbitmq-root"

    def _servers(self, credentials: Credentials) -> tuple[RabbitMQ, PostgreSQL]:
        programs = find_programs(self.rabbitmq_root)
        broker = account("rabbitmq", self.rabbitmq_root)
        database = account("postgres")
        return (
            RabbitMQ(self._services, broker, programs=programs, credentials=credentials),
            PostgreSQL(self._services, database, programs=programs, credentials=credentials),
        )

    def _credentials(self, *, make: bool) -> Credentials:
        found = load_credentials(self._credentials_file)
        if found is not None:
            return found
        kept = [name for name in ("rabbitmq", "postgresql") if (self._services / name).exists()]
        if kept:
            msg = (
                f"{self._credentials_file} is gone, but {' and '.join(kept)} of it is there. "
                "Put the file back, or remove all of it with `jukinet services down --purge`."
            )
            raise ConfigurationError(msg)
        return make_credentials(self._credentials_file) if make else Credentials()

    def _refuse_other_root(self) -> None:
        """Data of one RabbitMQ must not be opened by another: an upgrade is not undone."""
        wanted = str(self.rabbitmq_root or "")
        if not self._root_file.exists():
            write_private(self._root_file, wanted)
        found = self._root_file.read_text()
        if found != wanted:
            msg = (
                f"the RabbitMQ data in {self._services} belongs to the RabbitMQ of "
                f"{found or 'this machine'}, not of {wanted or 'this machine'}. Use another home, "
                "or remove the data with `jukinet services down --purge`."
            )
            raise ConfigurationError(msg)

    def _endpoints(self, rabbitmq: RabbitMQ, postgresql: PostgreSQL) -> Endpoints:
        credentials = self._credentials(make=False)
        login = f"{ADMIN_USER}:{credentials.broker_admin}@{LOOPBACK}"
        ports = rabbitmq.ports
        return Endpoints(
            amqp_url=f"amqp://{login}:{ports['amqp']}/",
            management_url=f"http://{login}:{ports['management']}",
            prometheus_url=f"http://{LOOPBACK}:{ports['prometheus']}",
            admin_user=ADMIN_USER,
            admin_password=credentials.broker_admin,
            database_admin_url=postgresql.url(ADMIN_USER, credentials.database_admin, "postgres"),
            databases={
                tier: DatabaseEndpoint(
                    owner_url=postgresql.url(
                        OWNER_ROLE, credentials.database_owner, database_name(tier)
                    ),
                    worker_url=postgresql.url(
                        WORKER_ROLE, credentials.database_worker, database_name(tier)
                    ),
                )
                for tier in Tier
            },
            pids=_pids(rabbitmq, postgresql),
        )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of this home; the kernel gives it back however the holder ends."""
        handle = os.open(self._services / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not wait_until(lambda: _try_lock(handle), LOCK_SECONDS_MAX):
                msg = (
                    f"another process has been starting or stopping the servers of "
                    f"{self._services.parent} for more than {LOCK_SECONDS_MAX:.0f} s. "
                    "End that process, then try again."
                )
                raise ServicesUnavailableError(msg)
            yield
        finally:
            os.close(handle)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pids(rabbitmq: RabbitMQ, postgresql: PostgreSQL) -> dict[str, int]:
    leaders = {
        "rabbitmq": rabbitmq.leading_process(),
        "postgresql": postgresql.leading_process(),
    }
    pids = {name: leader.pid for name, leader in leaders.items() if leader is not None}
    port_mapper = rabbitmq.port_mapper()
    return pids if port_mapper is None else {**pids, "epmd": port_mapper}


def _ensure(servers: Sequence[Server]) -> None:
    """Start *servers* side by side; if one fails or we are interrupted, stop them all."""
    if not servers:
        return
    cancelled = Event()
    with ThreadPoolExecutor(len(servers)) as threads:
        starting = [threads.submit(server.ensure, cancelled) for server in servers]
        try:
            ended, _ = wait(starting, return_when=FIRST_EXCEPTION)
            for start in ended:
                start.result()
        except BaseException:
            cancelled.set()
            wait(starting)
            for server in servers:
                server.break_off()
            raise


def _in_parallel(calls: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(calls)) as threads:
        for running in [threads.submit(call) for call in calls]:
            running.result()
