from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.errors import ConfigurationError, MissingPackageError, ServicesUnavailableError
from jukinet_mq.nodes import Tier
from jukinet_mq.services import DatabaseEndpoint, Endpoints, Services
from jukinet_mq.services.credentials import load_credentials, make_credentials
from jukinet_mq.services.places import (
    Account,
    can_pass,
    make_home,
    place,
    remove_place,
    write_private,
)
from jukinet_mq.services.ports import free_ports, is_free
from jukinet_mq.services.processes import Command
from jukinet_mq.services.programs import find_programs
from jukinet_mq.services.rabbitmq import environment, render_configuration

PORTS = {"amqp": 1, "management": 2, "prometheus": 3, "distribution": 4, "epmd": 5}


def test_free_ports_are_free_different_and_below_the_ephemeral_range() -> None:
    """No client's outgoing connection can take a port before its server starts."""
    ports = free_ports(10)

    assert 10 == len(set(ports))
    assert all(is_free(port) for port in ports)
    assert all(20_000 <= port < 61_000 for port in ports)


def test_port_that_is_listened_on_is_not_free() -> None:
    """A taken port is seen as taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not is_free(taken.getsockname()[1])


def test_every_broker_listener_is_bound_to_loopback() -> None:
    """No listener of the configuration names a port without an address."""
    text = render_configuration(Path("/somewhere"), PORTS, "secret")

    assert "listeners.tcp.local = 127.0.0.1:1" in text
    for plugin in ("management", "prometheus"):
        assert f"{plugin}.tcp.ip = 127.0.0.1" in text
    variables = environment(Path("/somewhere"), PORTS)
    assert "127.0.0.1" == variables["ERL_EPMD_ADDRESS"]
    assert "{127,0,0,1}" in variables["ERL_AFLAGS"]


def test_broker_reads_and_writes_nothing_outside_its_directory() -> None:
    """Every path that RabbitMQ is given lies in its own directory, never in the system's."""
    variables = environment(Path("/somewhere"), PORTS)

    paths = {name: value for name, value in variables.items() if value.startswith("/")}
    paths.pop("PATH")
    assert len(paths) > 10
    assert all(Path(value).is_relative_to("/somewhere") for value in paths.values())


def test_credentials_are_random_private_and_kept(tmp_path: Path) -> None:
    """Made once, read again, never twice the same, and never shown by accident."""
    file = tmp_path / "credentials.json"
    made = make_credentials(file)

    assert made == load_credentials(file)
    assert made != make_credentials(tmp_path / "other.json")
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert 5 == len(set(made.model_dump().values()))
    assert made.broker_admin not in repr(made)


def test_damaged_credentials_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    """What was found and what to do are said; the content is not."""
    file = tmp_path / "credentials.json"
    file.write_text('{"broker_admin": "hunter2"')

    with pytest.raises(ConfigurationError, match="purge") as caught:
        load_credentials(file)
    assert "hunter2" not in str(caught.value)


def test_lost_credentials_beside_data_are_an_error(tmp_path: Path) -> None:
    """New passwords would not open the old data, so none are made."""
    (tmp_path / "services" / "postgresql").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match="is gone"):
        Services(tmp_path).up()
    assert not (tmp_path / "services" / "credentials.json").exists()


def test_endpoints_of_servers_that_never_ran_are_an_error(tmp_path: Path) -> None:
    """Asking for the address of nothing says how to start it, and makes nothing."""
    with pytest.raises(ServicesUnavailableError, match="jukinet services up"):
        Services(tmp_path).endpoints()
    assert not Services(tmp_path).status().up
    Services(tmp_path).down()
    assert [] == list(tmp_path.iterdir())


def test_environment_names_every_server_and_repr_hides_passwords() -> None:
    """One variable per server and login; a logged Endpoints shows no password."""
    endpoints = Endpoints(
        amqp_url="amqp://admin:secret@127.0.0.1:1/",
        management_url="http://admin:secret@127.0.0.1:2",
        prometheus_url="http://127.0.0.1:3",
        admin_user="admin",
        admin_password="secret",
        database_admin_url="postgresql://admin:secret@/postgres",
        databases={tier: DatabaseEndpoint(f"{tier}-secret", f"{tier}-worker") for tier in Tier},
        pids={},
    )

    assert {
        "JUKINET_AMQP_URL",
        "JUKINET_MANAGEMENT_URL",
        "JUKINET_MUNICIPALITY_DATABASE_URL",
        "JUKINET_MUNICIPALITY_OWNER_DATABASE_URL",
        "JUKINET_PREFECTURE_DATABASE_URL",
        "JUKINET_PREFECTURE_OWNER_DATABASE_URL",
        "JUKINET_NATIONAL_DATABASE_URL",
        "JUKINET_NATIONAL_OWNER_DATABASE_URL",
    } == set(endpoints.environment())
    assert "national-worker" == endpoints.environment()["JUKINET_NATIONAL_DATABASE_URL"]
    assert "secret" not in repr(endpoints)


def test_missing_programs_are_named_all_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One message names every package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("_DEBIAN_RABBITMQ", "_DEBIAN_POSTGRESQL"):
        monkeypatch.setattr(f"jukinet_mq.services.programs.{name}", tmp_path / "absent")

    with pytest.raises(MissingPackageError, match="rabbitmq-server postgresql"):
        find_programs()


def test_tree_without_rabbitmq_is_an_error(tmp_path: Path) -> None:
    """A wrong tree is named, not silently replaced by this machine's RabbitMQ."""
    with pytest.raises(MissingPackageError, match=str(tmp_path)):
        find_programs(tmp_path)


def test_private_file_replaces_a_public_one(tmp_path: Path) -> None:
    """Neither the old mode nor a half-written file survives."""
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(0o644)

    write_private(file, "new")

    assert "new" == file.read_text()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert [file] == list(tmp_path.iterdir())


def test_server_in_another_root_is_placed_inside_it(tmp_path: Path) -> None:
    """What the server must reach lies in its tree; a link leads there and both are removed."""
    root = tmp_path / "tree"
    (root / "var/tmp").mkdir(parents=True)
    link = tmp_path / "rabbitmq"

    directory = place(link, None, root)

    assert directory.is_relative_to(root)
    assert directory == place(link, None, root)
    assert link.is_symlink()
    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    remove_place(link)
    assert not directory.exists()
    assert not link.is_symlink()


def test_link_to_a_directory_that_is_gone_is_replaced(tmp_path: Path) -> None:
    """A cleaned temporary directory means a new start, not an error."""
    link = tmp_path / "postgresql"
    link.symlink_to(tmp_path / "gone")

    assert place(link, None).is_dir()
    assert not link.is_symlink()


def test_directory_closed_to_an_account_is_no_place_for_its_server(tmp_path: Path) -> None:
    """A clone in a directory like /root is noticed before a server fails on it."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    stranger = Account(65_534, 65_534)

    assert not can_pass(closed, stranger)
    assert can_pass(Path("/usr/bin"), stranger)
    assert can_pass(closed, Account(closed.stat().st_uid, 65_534)) == can_pass(
        tmp_path, Account(closed.stat().st_uid, 65_534)
    )


def test_home_is_closed_to_the_eyes_of_others(tmp_path: Path) -> None:
    """Others may at most pass through, where root's servers need it."""
    home = tmp_path / "home"
    make_home(home)

    assert 0 == stat.S_IMODE(home.stat().st_mode) & 0o066


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=20), min_size=1))
def test_arguments_reach_a_program_in_another_root_unchanged(arguments: list[str]) -> None:
    """The way through `unshare`, `chroot` and two shells neither splits nor expands anything."""
    command = Command(arguments, Path("/tree/work"), {}, account=Account(7, 8), root=Path("/tree"))

    argv = command.argv()

    assert arguments == argv[-len(arguments) :]
    assert "unshare" == argv[0]
    assert ["/tree", "--userspec=7:8", "--groups=", "/tree"] == argv[5:9]
    assert "/work" == argv[-len(arguments) - 1]
