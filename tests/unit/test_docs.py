"""What the pages say exists: reasons, links, commands, tests, words."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from jukinet_mq.cli.root import app
from jukinet_mq.config import Settings
from jukinet_mq.errors import error_classes
from jukinet_mq.nodes import Tier

ROOT = Path(__file__).parents[2]
CODE = ROOT / "jukinet_mq"
RUNBOOKS = ROOT / "docs" / "runbooks"
INDEX = "README.md"
RUNBOOK_LINES_MAX = 30

GENERATED = ROOT / "docs" / "reference"
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "schemas" / INDEX,
        *ROOT.glob("deploy/*.md"),
    ]
)
WRITTEN = [page for page in PAGES if GENERATED not in page.parents]
SOURCES = sorted(CODE.rglob("*.py"))
FENCED = re.compile(r"^\s*```.*?^\s*```", re.MULTILINE | re.DOTALL)


def name(path: Path) -> str:
    """Return how a test names *path*."""
    return str(path.relative_to(ROOT))


def without_code(text: str) -> str:
    """Return Markdown without fenced blocks and inline code."""
    return re.sub(r"`[^`]*`", "", FENCED.sub("", text))


# --- Runbooks -----------------------------------------------------------------------------


def reasons_of_handling() -> set[str]:
    """Return the reasons with which handlers and their keepers retry or park, as written."""
    found: set[str] = set()
    for path in (CODE / "consumers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                match node.func.id:
                    case "Park" | "Retry":
                        values: list[ast.expr] = [*node.args, *(k.value for k in node.keywords)]
                    case "Ending":
                        values = [k.value for k in node.keywords if k.arg == "reason"]
                    case _:
                        continue
                found |= {
                    inner.value
                    for value in values
                    for inner in ast.walk(value)
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
                }
    return found


def test_every_reason_has_a_runbook_and_every_runbook_a_reason() -> None:
    """Whatever reason an operator meets at night, there is a page, and no page is left over."""
    reasons = {error.reason for error in error_classes()} | reasons_of_handling()

    assert sorted(reasons) == sorted(p.stem for p in RUNBOOKS.glob("*.md") if p.name != INDEX)


def test_index_of_the_runbooks_lists_each_once() -> None:
    """A page that the index does not name is not found."""
    listed = re.findall(r"^\| \[`(\w+)`\]\(\1\.md\)", (RUNBOOKS / INDEX).read_text(), re.MULTILINE)

    assert sorted(p.stem for p in RUNBOOKS.glob("*.md") if p.name != INDEX) == sorted(listed)


@pytest.mark.parametrize(
    "page", [p for p in sorted(RUNBOOKS.glob("*.md")) if p.name != INDEX], ids=lambda p: p.stem
)
def test_runbook_says_what_is_needed_at_night(page: Path) -> None:
    """Meaning, who notices, what is safe, what to do, when to escalate; on one screen."""
    text = page.read_text(encoding="utf-8")

    assert text.startswith(f"# `{page.stem}`\n\n")
    for part in ("**Who notices.**", "**Safe meanwhile.**", "## What to do\n1. ", "**Escalate**"):
        assert part in text
    assert RUNBOOK_LINES_MAX >= text.count("\n")


# --- Links --------------------------------------------------------------------------------


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return frozenset(re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in plain)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_resolves(page: Path) -> None:
    """A link leads to a file of the repository, and to a heading where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


# --- Commands -----------------------------------------------------------------------------


@cache
def program() -> Any:
    """Return the program's tree of commands."""
    return typer.main.get_command(app)


def misuse(line: str, *, whole: bool) -> str | None:
    """Return why *line* is not understood, or None; *whole*: nothing is left out of it."""
    words = shlex.split(line, comments=True)[1:]
    command = program()
    context = typer.Context(command, info_name="jukinet")
    while words and hasattr(command, "get_command") and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            if context.info_name != "inject":
                return f"no command {words[0]!r} in {context.command_path}"
            below = command.get_command(context, "bulk")
        else:
            words.pop(0)
        command, context = below, typer.Context(below, info_name=below.name, parent=context)
    if hasattr(command, "get_command"):
        return "a group alone" if whole and not words else None
    try:
        given, _, _ = command.make_parser(context).parse_args(args=list(words))
    except Exception as error:  # noqa: BLE001  # the library's own classes are private
        return f"{context.command_path}: {error}"
    if not whole or "--help" in words:
        return None
    missing = [p.name for p in command.params if p.required and given.get(p.name) in (None, ())]
    return f"{context.command_path}: lacks {', '.join(missing)}" if missing else None


def blocks(text: str) -> Iterator[str]:
    """Yield the command lines that stand in fenced blocks."""
    for block in re.findall(r"^\s*```(?:console|sh)\n(.*?)^\s*```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if found := re.match(r"\s*(?:\$ )?((?:uv run )?jukinet .*)", line):
                yield found[1].removeprefix("uv run ")


def inline(text: str) -> Iterator[str]:
    """Yield the commands that stand in a sentence; those that stand for many are left out."""
    prose = FENCED.sub("", text)
    for found in re.findall(r"`(jukinet [^`]+)`", prose):
        line = " ".join(found.split())
        if not re.search(r"[…|\[<]|\.\.\.", line):
            yield line


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_command_shown_is_one(page: Path) -> None:
    """Whoever types what a page shows is understood by the program."""
    text = page.read_text(encoding="utf-8")
    shown = [(line, misuse(line, whole=True)) for line in blocks(text)]
    shown += [(line, misuse(line, whole=False)) for line in inline(text)]

    assert [] == [(line, why) for line, why in shown if why is not None]


def said_by(source: Path) -> Iterator[str]:
    """Yield the texts of a module, with X for what is filled in when it runs."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.JoinedStr(values=parts):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts
                )
            case _:
                pass


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_every_command_that_the_program_advises_is_one(source: Path) -> None:
    """An error that says what to run names a command that there is."""
    advised = {line for text in said_by(source) for line in inline(text)}

    assert [] == [(line, why) for line in sorted(advised) if (why := misuse(line, whole=False))]


@pytest.mark.parametrize(
    "line",
    [
        "jukinet trust rotat 131016",
        "jukinet parked replay --force",
        "jukinet trust show",
        "jukinet db",
    ],
)
def test_wrong_command_would_be_noticed(line: str) -> None:
    """The check above can fail: no such command, no such option, no argument, a group alone."""
    assert misuse(line, whole=True) is not None


# --- Settings, tests and words ------------------------------------------------------------


def test_every_setting_is_explained() -> None:
    """Whoever installs finds each variable of the environment, and none that does nothing."""
    text = (ROOT / "docs" / "guide" / "installing.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"`JUKINET_([A-Z_<>]+)`", "".join(re.findall(r"^\| `JUK.*", text, re.MULTILINE))
    )
    tiers = "|".join(tier.name for tier in Tier)
    known = {re.sub(rf"^({tiers})_", "<TIER>_", name.upper()) for name in Settings.model_fields}

    assert sorted(known) == sorted(listed)


def test_every_test_that_the_guarantees_name_exists() -> None:
    """A promise that names its proof has it."""
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        found
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }

    assert named
    assert set() == named - defined


@pytest.mark.parametrize(
    "page", [p for p in WRITTEN if p.parent.name not in ("adr", "schemas")], ids=name
)
def test_pages_speak_the_words_of_the_house(page: Path) -> None:
    """One idea has one word: a body is no payload, quarantine and parking are no DLQ."""
    prose = without_code(page.read_text(encoding="utf-8")).replace("JWS payload", "")

    assert [] == re.findall(r"(?i)\b(?:payloads?|DLQ|dedup\w*|audit logs?)\b", prose)
