from __future__ import annotations

import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGINT, SIGKILL
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import httpx
import psutil
import pytest

from jukinet_mq.errors import ServicesUnavailableError
from jukinet_mq.nodes import Tier
from jukinet_mq.services import Endpoints, Services
from jukinet_mq.services.ports import is_free
from jukinet_mq.services.server import wait_until
from tests.fixtures.servers import private_home

START_SECONDS_MAX = 20
MEMORY_BYTES_MAX = 450 * 1024 * 1024


@pytest.fixture
def own(rabbitmq_root: Path | None) -> Iterator[Services]:
    """Servers of this test alone, not started yet."""
    with private_home("services-", Path(tempfile.gettempdir())) as home:
        yield Services(home, rabbitmq_root=rabbitmq_root)


@pytest.fixture(scope="module")
def shared(
    rabbitmq_root: Path | None,
) -> Iterator[tuple[Services, Endpoints, float]]:
    """Servers that several tests look at or break, and how long their first start took."""
    with private_home("services-", Path(tempfile.gettempdir())) as home:
        servers = Services(home, rabbitmq_root=rabbitmq_root)
        begun = time.monotonic()
        endpoints = servers.up()
        yield servers, endpoints, time.monotonic() - begun


async def _assert_both_usable(endpoints: Endpoints) -> None:
    async with await aio_pika.connect(endpoints.amqp_url) as connection:
        queue = await (await connection.channel()).declare_queue(
            "usable", durable=True, arguments={"x-queue-type": "quorum"}
        )
        assert "usable" == queue.name
    for database in endpoints.databases.values():
        login = await asyncpg.connect(database.worker_url)
        assert "jukinet_worker" == await login.fetchval("SELECT current_user")
        await login.close()


def _children_and_self(endpoints: Endpoints) -> list[psutil.Process]:
    leaders = [psutil.Process(pid) for pid in endpoints.pids.values()]
    return leaders + [child for leader in leaders for child in leader.children(recursive=True)]


async def test_first_start_is_quick_and_both_servers_are_usable(
    shared: tuple[Services, Endpoints, float],
) -> None:
    """From nothing, broker and databases are there in under 20 s and let the worker in."""
    servers, endpoints, seconds = shared

    assert seconds < START_SECONDS_MAX
    servers.up()
    await _assert_both_usable(servers.endpoints())
    assert {"rabbitmq", "postgresql", "epmd"} == set(endpoints.pids)
    status = servers.status()
    assert status.up
    assert status.rabbitmq.memory_bytes + status.postgresql.memory_bytes < MEMORY_BYTES_MAX


def test_nothing_listens_beyond_loopback(shared: tuple[Services, Endpoints, float]) -> None:
    """AMQP, management, Prometheus, epmd, Erlang distribution: none is open to the network."""
    servers, _, _ = shared
    endpoints = servers.up()

    listening = {
        connection.laddr
        for process in _children_and_self(endpoints)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    ports = servers.status().rabbitmq.ports
    assert set(ports.values()) <= {address.port for address in listening}
    assert {"127.0.0.1", "::1"} >= {address.ip for address in listening}


def test_only_the_owner_reads_what_the_servers_keep(
    shared: tuple[Services, Endpoints, float],
) -> None:
    """No file is open to others; the passwords are in files of mode 0600."""
    servers, endpoints, _ = shared
    kept = [path for path in _tree(servers) if not path.is_symlink() and not path.is_socket()]

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in kept}

    assert {} == {path: oct(mode) for path, mode in modes.items() if mode & 0o066}
    secrets = [endpoints.admin_password, *_passwords(endpoints)]
    holding = [
        path for path in kept if path.is_file() and _mentions(path, secrets) and modes[path] & 0o077
    ]
    assert [] == holding


def _tree(servers: Services) -> list[Path]:
    status = servers.status()
    tops = [status.home, status.rabbitmq.directory, status.postgresql.directory]
    return [path for top in tops if top for path in (top, *top.rglob("*"))]


def _passwords(endpoints: Endpoints) -> list[str]:
    urls = [endpoints.databases[Tier.NATIONAL].owner_url, endpoints.database_admin_url]
    return [password for url in urls if (password := urlsplit(url).password)]


def _mentions(path: Path, secrets: list[str]) -> bool:
    content = path.read_bytes()
    return any(secret.encode() in content for secret in secrets)


async def test_broker_refuses_guest_and_wrong_password(
    shared: tuple[Services, Endpoints, float],
) -> None:
    """The well-known login of a fresh RabbitMQ does not exist here."""
    servers, _, _ = shared
    url = urlsplit(servers.up().management_url)
    address = f"http://{url.hostname}:{url.port}/api/whoami"

    async with httpx.AsyncClient() as client:
        for login in (("guest", "guest"), (str(url.username), "wrong")):
            assert 401 == (await client.get(address, auth=login)).status_code


async def test_worker_may_connect_and_nothing_else(
    shared: tuple[Services, Endpoints, float],
) -> None:
    """Before any migration the worker can make nothing, and no stranger can connect."""
    servers, _, _ = shared
    worker = await asyncpg.connect(servers.up().databases[Tier.PREFECTURE].worker_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute("CREATE TABLE public.own (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute("CREATE SCHEMA own")
        public = await worker.fetchval(
            "SELECT datacl::text FROM pg_database WHERE datname = $1", "jukinet_prefecture"
        )
        assert "{=" not in public
        assert ",=" not in public
    finally:
        await worker.close()


async def test_commits_are_durable(shared: tuple[Services, Endpoints, float]) -> None:
    """Nothing that PostgreSQL answered is lost to a power cut."""
    servers, _, _ = shared
    admin = await asyncpg.connect(servers.up().database_admin_url)
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert "on" == await admin.fetchval("SELECT current_setting($1)", setting)
    finally:
        await admin.close()


async def test_all_stable_feature_flags_are_enabled(
    shared: tuple[Services, Endpoints, float],
) -> None:
    """At-least-once dead-lettering needs `stream_queue` on RabbitMQ 3.10."""
    servers, _, _ = shared
    async with httpx.AsyncClient(base_url=servers.up().management_url) as client:
        flags = (await client.get("/api/feature-flags")).json()

    disabled = [
        flag["name"]
        for flag in flags
        if flag["stability"] == "stable" and flag["state"] != "enabled"
    ]
    assert [] == disabled


def test_second_up_reuses_what_runs(shared: tuple[Services, Endpoints, float]) -> None:
    """A second start, by another object, starts nothing and answers at once."""
    servers, _, _ = shared
    first = servers.up()
    begun = time.monotonic()

    second = Services(servers.status().home, rabbitmq_root=servers.rabbitmq_root).up()

    assert first == second
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("killed", [{"rabbitmq"}, {"postgresql"}, {"rabbitmq", "postgresql"}])
async def test_killed_servers_are_repaired_with_their_data(
    shared: tuple[Services, Endpoints, float], killed: set[str]
) -> None:
    """After SIGKILL the next start brings back what was killed, at the same address."""
    servers, _, _ = shared
    before = servers.up()
    owner = await asyncpg.connect(before.databases[Tier.NATIONAL].owner_url)
    await owner.execute("CREATE TABLE IF NOT EXISTS survivor (id int)")
    await owner.close()
    for name in killed:
        _kill(before.pids[name])

    with pytest.raises(ServicesUnavailableError):
        servers.endpoints()
    after = servers.up()

    assert before.environment() == after.environment()
    survived = {name for name in before.pids if before.pids[name] == after.pids[name]}
    assert {"rabbitmq", "postgresql"} - killed <= survived
    await _assert_both_usable(after)
    owner = await asyncpg.connect(after.databases[Tier.NATIONAL].owner_url)
    assert 0 == await owner.fetchval("SELECT count(*) FROM survivor")
    await owner.close()


async def test_taken_port_is_replaced(shared: tuple[Services, Endpoints, float]) -> None:
    """Another program on the broker's port does not keep the broker from coming back."""
    servers, _, _ = shared
    before = servers.up()
    port = servers.status().rabbitmq.ports["amqp"]
    _kill(before.pids["rabbitmq"])
    _until(lambda: is_free(port))

    with socket.create_server(("127.0.0.1", port)):
        after = servers.up()

    assert before.amqp_url != after.amqp_url
    await _assert_both_usable(after)


def _kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.send_signal(SIGKILL)
    _until(lambda: not _alive(process))


def _until(condition: Callable[[], bool]) -> None:
    assert wait_until(condition, timeout_seconds=10), "what was waited for did not happen"


def test_down_leaves_no_process_and_status_says_so(own: Services) -> None:
    """After `down` none of the servers' processes is left; the data is kept, `purge` takes it."""
    running = _children_and_self(own.up())

    own.down()

    assert [] == [process for process in running if _alive(process)]
    status = own.status()
    assert not status.rabbitmq.running
    assert not status.postgresql.running
    with pytest.raises(ServicesUnavailableError, match="not up"):
        own.endpoints()
    directory = status.rabbitmq.directory
    assert directory is not None
    assert directory.exists()
    own.down(purge=True)
    assert not directory.exists()
    assert ["lock"] == [path.name for path in (status.home / "services").iterdir()]


def _shared_memory_of(process: psutil.Process) -> set[str]:
    """Return what the process has mapped and the machine would keep after its death."""
    maps = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
    return {
        f"System V segment {inode}" if path.startswith("/SYSV") else path
        for *_, inode, path in (found[:6] for found in maps if len(found) >= 6)
        if path.startswith(("/SYSV", "/dev/shm/"))  # noqa: S108  # as the kernel names it
    }


def _shared_memory() -> set[str]:
    segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    objects = Path("/dev/shm").iterdir()  # noqa: S108  # where the kernel shows it
    return {f"System V segment {line.split()[1]}" for line in segments} | set(map(str, objects))


def test_purge_gives_back_what_the_database_shared(own: Services) -> None:
    """Shared memory outlives a killed server, on a machine that allows some thousand pieces."""
    mapped = _shared_memory_of(psutil.Process(own.up().pids["postgresql"]))

    own.down(purge=True)

    assert mapped
    assert set() == mapped & _shared_memory()


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


_UP = """
import sys
from pathlib import Path
from jukinet_mq.services import Services
home, *root = map(Path, sys.argv[1:])
print(sorted(Services(home, rabbitmq_root=root[0] if root else None).up().pids.items()))
"""


def _up_elsewhere(servers: Services) -> subprocess.Popen[str]:
    root = [] if servers.rabbitmq_root is None else [str(servers.rabbitmq_root)]
    return subprocess.Popen(
        [sys.executable, "-c", _UP, str(servers.status().home), *root],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_ups_at_once_share_one_pair_of_servers(own: Services) -> None:
    """Two processes that start at the same moment end with the same servers."""
    both = [_up_elsewhere(own), _up_elsewhere(own)]

    said = [process.communicate(timeout=60)[0] for process in both]

    assert said[0]
    assert said[0] == said[1]


def test_interrupted_start_leaves_no_process(own: Services) -> None:
    """Ctrl-C while the servers start ends them, and the next start works."""
    with _up_elsewhere(own) as starting:
        _until(lambda: own.status().rabbitmq.running)
        starting.send_signal(SIGINT)
        starting.communicate(timeout=30)

    assert starting.returncode != 0
    status = own.status()
    assert not status.rabbitmq.running
    assert not status.postgresql.running
    assert own.up().pids.keys() == {"rabbitmq", "postgresql", "epmd"}
