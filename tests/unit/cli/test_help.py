from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from jukinet_mq.cli.reference import pages
from jukinet_mq.cli.root import app

ROOT = Path(__file__).parents[3]
LIBRARIES = ("aio_pika", "asyncpg", "pydantic", "cryptography", "httpx", "structlog", "asyncio")


def commands() -> Iterator[tuple[list[str], Any]]:
    """Yield every visible command with its words, groups too."""
    root = typer.main.get_command(app)
    waiting: list[tuple[list[str], Any]] = [([], root)]
    while waiting:
        words, command = waiting.pop()
        yield words, command
        if hasattr(command, "list_commands"):
            context = typer.Context(command)
            waiting += [
                ([*words, name], command.get_command(context, name))
                for name in command.list_commands(context)
            ]


ALL = [words for words, command in commands() if not command.hidden]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    """`--help` of everything ends well and says what it is about."""
    result = CliRunner().invoke(app, [*words, "--help"])

    assert 0 == result.exit_code, result.output
    assert "Usage: " in result.output


def test_every_group_shows_an_example() -> None:
    """Whoever asks a group for help sees a line to type."""
    groups = [(words, c) for words, c in commands() if hasattr(c, "list_commands") and not c.hidden]

    assert [] == [words for words, command in groups if "$ jukinet" not in (command.help or "")]


def test_every_option_is_explained() -> None:
    """No option or argument stands without a word."""
    missing = [
        (words, parameter.name)
        for words, command in commands()
        for parameter in command.params
        if not command.hidden and not getattr(parameter, "help", None)
    ]

    assert [] == missing


def test_help_loads_no_library_that_it_does_not_need() -> None:
    """Help and completion answer at once: what commands need is loaded when they run."""
    code = (
        "import sys; from jukinet_mq.cli.root import app; "
        f"print([name for name in {LIBRARIES!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "[]" == done.stdout.strip()


def test_reference_pages_are_those_of_the_code() -> None:
    """docs/reference says what the program does now."""
    found = {name: (ROOT / "docs/reference" / name).read_text("utf-8") for name in pages()}

    assert pages() == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("jukinet ser", "services"),
        ("jukinet node show 1310", "131016"),
        ("jukinet inject card", "card-move"),
        ("jukinet inject identity-update --reason bi", "birth"),
    ],
)
def test_completion_offers_what_may_stand_there(shell: str, typed: str, offered: str) -> None:
    """A shell that asks gets commands, codes of nodes and choices, and nothing else."""
    environment = {
        "_JUKINET_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    result = CliRunner().invoke(app, [], env=environment, prog_name="jukinet")

    assert offered in result.output
    assert "Usage" not in result.output
