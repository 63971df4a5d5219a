"""Directories and files of the private servers, and the accounts that own them."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jukinet_mq.errors import MissingPackageError

# Where a server's account can always go, and what a reboot leaves alone.
_ELSEWHERE = Path("/var/tmp")  # noqa: S108 - only mkdtemp makes a name there


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a server runs as."""

    uid: int
    gid: int


def account(name: str, root: Path | None = None) -> Account | None:
    """Return the account *name* if this process is root, else None: the caller's own.

    Both servers are refused or unwise to run as root. An account of a tree *root* is looked up
    in that tree.

    Raises:
        MissingPackageError: There is no such account; its package brings it.
    """
    if os.geteuid() != 0:
        return None
    if root is not None:
        return _account_of_tree(name, root)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise MissingPackageError(_no_account(name, "this machine")) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _account_of_tree(name: str, root: Path) -> Account:
    for line in (root / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return Account(int(fields[2]), int(fields[3]))
    raise MissingPackageError(_no_account(name, str(root)))


def _no_account(name: str, where: str) -> str:
    return (
        f"{where} has no account {name}, which the server needs when it is started by root. "
        "Install the distribution's packages rabbitmq-server and postgresql, or run as another "
        "user than root."
    )


def make_directory(path: Path, owner: Account | None = None) -> None:
    """Make *path* unless it is there, for *owner* alone (mode 0700)."""
    path.mkdir(mode=0o700, exist_ok=True)
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(0o700)


def make_home(path: Path) -> None:
    """Make the directory that holds the servers' own ones, unless it is there.

    Its mode is 0700, for root 0711: the servers' accounts must pass through, not look around.
    """
    path.mkdir(parents=True, mode=0o700, exist_ok=True)
    if path.stat().st_uid == os.geteuid():
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def place(link: Path, owner: Account | None, root: Path | None = None) -> Path:
    """Return the directory of one server, making it if needed; *link* is or leads to it.

    It is elsewhere, and *link* a symbolic link, when the server's account cannot reach *link*
    (a clone in /root) or when the server sees another *root*, which then holds it.
    """
    if link.is_symlink() and not link.exists():
        link.unlink()
    if link.exists():
        return link.resolve()
    if root is None and (owner is None or can_pass(link.parent, owner)):
        make_directory(link, owner)
        return link.resolve()
    parent = _ELSEWHERE if root is None else root / _ELSEWHERE.relative_to("/")
    directory = Path(tempfile.mkdtemp(prefix="jukinet-", dir=parent))
    make_directory(directory, owner)
    link.symlink_to(directory)
    return directory


def remove_place(link: Path) -> None:
    """Remove a server's directory with everything in it, wherever `place` put it."""
    target = link.resolve()
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(target)
    if link.is_symlink():
        link.unlink()


def can_pass(directory: Path, owner: Account) -> bool:
    """Say whether *owner* may enter *directory*, from the top down to it."""
    resolved = directory.resolve()
    return all(_may_enter(path.stat(), owner) for path in (resolved, *resolved.parents))


def _may_enter(status: os.stat_result, owner: Account) -> bool:
    if status.st_uid == owner.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == owner.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def write_private(path: Path, text: str, owner: Account | None = None) -> None:
    """Replace *path* by a file that only *owner* can read (mode 0600), all or nothing."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if owner is not None:
                os.fchown(file.fileno(), owner.uid, owner.gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
