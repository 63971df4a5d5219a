"""The servers' processes: started apart from us, found by the directory they work in.

No pid is ever written down. Every process of a server has the server's directory as its working
directory, from its start to its end, so what runs is read from the kernel and cannot be stale.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

import psutil

from jukinet_mq.services.places import Account

_POLL_SECONDS = 0.02
_WITH_PROC = 'mount -t proc proc "$0/proc" && exec chroot "$@"'
_IN_DIRECTORY = 'cd "$0" && exec "$@"'
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run: where, as whom, with which surroundings."""

    arguments: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    account: Account | None = None
    root: Path | None = None

    def argv(self) -> list[str]:
        """Return the arguments, led through `chroot` where the program sees another root.

        There it has a /proc of its own, which is gone with it. All that leads to the program
        replaces itself: the pid stays that of the program.
        """
        if self.root is None:
            return list(self.arguments)
        user = self.account or Account(os.getuid(), os.getgid())
        inside = "/" + str(self.directory.relative_to(self.root))
        see_proc = ["unshare", "--mount", "/bin/sh", "-c", _WITH_PROC, str(self.root)]
        enter = [f"--userspec={user.uid}:{user.gid}", "--groups=", str(self.root)]
        return [*see_proc, *enter, "/bin/sh", "-c", _IN_DIRECTORY, inside, *self.arguments]

    def as_user(self) -> Account | None:
        """Return whom to become before the start; `chroot` needs root and does it itself."""
        return None if self.root else self.account


class _Detached(subprocess.Popen[bytes]):
    """A process that outlives its parent on purpose."""

    def __del__(self) -> None:  # the inherited one warns of a process left running
        with contextlib.suppress(AttributeError, OSError):
            self.poll()


def start(command: Command, log: Path) -> subprocess.Popen[bytes]:
    """Start *command* in a session of its own, beyond the reach of our terminal's Ctrl-C."""
    user = command.as_user()
    with os.fdopen(os.open(log, _APPEND, 0o600), "ab") as output:
        return _Detached(
            command.argv(),
            cwd=command.directory,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )


def run(
    command: Command, *, text: str = "", timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run *command* to its end with *text* as its input; the caller looks at the exit code."""
    user = command.as_user()
    return subprocess.run(
        command.argv(),
        check=False,
        cwd=command.directory,
        env=dict(command.environment),
        input=text,
        text=True,
        capture_output=True,
        timeout=timeout_seconds,
        umask=0o077,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )


def working_in(directory: Path, names: frozenset[str]) -> list[psutil.Process]:
    """Return the processes called one of *names* that work in or below *directory*.

    The dead that nobody has reaped yet are not among them. The oldest comes first.
    """
    found = []
    for process in psutil.process_iter():
        # Gone meanwhile, a zombie, or somebody else's: not one of ours.
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() in names and Path(process.cwd()).is_relative_to(directory):
                found.append((process.create_time(), process.pid, process))
    return [process for _, _, process in sorted(found, key=lambda entry: entry[:2])]


def program(process: psutil.Process) -> str | None:
    """Return the name of the file that *process* was started from, None if it is gone."""
    try:
        arguments = process.cmdline()
    except psutil.Error:
        return None
    return Path(arguments[0]).name if arguments else None


def signal_all(processes: Sequence[psutil.Process], signal: Signals) -> None:
    """Send *signal* to each of *processes* that is still there."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal)


def wait_gone(processes: Sequence[psutil.Process], timeout_seconds: float) -> bool:
    """Wait until *processes* have ended, reaped or not; say whether they did in time."""
    deadline = time.monotonic() + timeout_seconds
    while not all(map(_is_dead, processes)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _is_dead(process: psutil.Process) -> bool:
    """Say whether *process* has ended.

    A zombie has: the first process of a container may reap it late or never.
    """
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def resident_bytes(processes: Sequence[psutil.Process]) -> int:
    """Return the memory of *processes* without counting what they share twice (PSS)."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
    return total
