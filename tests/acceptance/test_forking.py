"""A command that was forked from a loaded program is the command that a user starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fixtures.forking import forking
from tests.fixtures.installation import PROGRAM, Installation


@pytest.mark.parametrize(
    "words",
    [
        ("node", "list", "--prefecture", "13", "--json"),
        ("status", "01980000-0000-7000-8000-000000000000"),
        ("inject", "move", "-"),
        ("no-such-command",),
        ("--help",),
    ],
)
def test_forked_command_ends_as_a_started_one(
    installation: Installation, words: tuple[str, ...]
) -> None:
    """Exit code, output and errors are the same, whatever the command comes to."""
    started = subprocess.run(
        [sys.executable, "-m", *PROGRAM, *words],
        input='{"event": "move"}',
        env=installation.environment,
        cwd=installation.home,
        capture_output=True,
        text=True,
        check=False,
    )

    forked = installation.jukinet(*words, given='{"event": "move"}')

    assert started.returncode == forked.returncode
    assert started.stdout == forked.stdout
    assert started.stderr == forked.stderr


def test_forked_command_that_does_not_end_is_killed(
    installation: Installation, tmp_path: Path
) -> None:
    """Nothing of it is left, as with `subprocess.run`."""
    with pytest.raises(subprocess.TimeoutExpired):
        forking.run(
            ["worker", "national"],
            given=b"",
            environment=installation.environment,
            directory=tmp_path,
            timeout_seconds=1,
        )

    assert [] == [process for process in psutil.process_iter() if _works_in(process, tmp_path)]


def _works_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return Path(process.cwd()) == directory
    except psutil.Error:
        return False
