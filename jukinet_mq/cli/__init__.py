"""The command line `jukinet`: one file per command group.

A command imports what it needs when it runs, so that help and completion answer at once.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from jukinet_mq.cli import streams
from jukinet_mq.cli.ending import exit_code_of

__all__ = ["main"]


def main() -> NoReturn:
    """Run the program that the command line asks for, and exit as `docs/reference` says."""
    streams.guard()
    sys.exit(exit_code_of(_program))


def _program() -> None:
    from jukinet_mq.cli.root import app

    app(prog_name="jukinet")
