"""What a person sees: tables, times and names; and JSON for programs."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TextIO
from uuid import UUID

from jukinet_mq.clock import JAPAN

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType

PIPED_WIDTH: Final = 200
"""Columns where no terminal says how many there are: nothing of a table gets lost in a pipe."""

# Control, invisible and bidirectional characters, halves of pairs, separators of lines.
_UNSEEN: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


@cache
def console(*, stderr: bool = False) -> Console:
    """Return where tables go; without colours where nobody looks at it."""
    from rich.console import Console

    to_person = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(
        stderr=stderr,
        highlight=False,
        soft_wrap=not to_person,
        width=None if to_person else PIPED_WIDTH,
    )


def say(text: str = "") -> None:
    """Print one line, with rich's markup."""
    console().print(text)


def escape(text: object) -> str:
    """Return *text*, safe from being read as markup or obeyed by a terminal."""
    from rich.markup import escape as escaped

    return escaped(visible(str(text)))


def visible(text: str) -> str:
    """Return *text* with an escape for each character that a terminal obeys instead of showing.

    What a stranger claims, a routing key for example, may hold any.
    """
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode()


def print_json(value: Any) -> None:
    """Print *value* as JSON; instants, ids, enumerations and dataclasses as their texts.

    It is JSON in every encoding: where one lacks a character, its number is written.
    """
    import orjson

    option = (
        orjson.OPT_INDENT_2
        | orjson.OPT_UTC_Z
        | orjson.OPT_APPEND_NEWLINE
        | orjson.OPT_NON_STR_KEYS  # tiers
    )
    text = orjson.dumps(value, default=_plain, option=option).decode()
    sys.stdout.write(text if _is_unicode(sys.stdout) else _in_ascii(text))


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "utf-8").lower().startswith("utf")


def _in_ascii(text: str) -> str:
    """Return JSON with an escape for every other character, a pair of them beyond U+FFFF."""
    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, UUID):  # asyncpg has a class of its own
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    right: Sequence[str] = (),
) -> None:
    """Print a table; texts are shown as they are, rich renderables as they render."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="dim",
    )
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values side by side; what is None is left out."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value is not None:
            table.add_row(name, _cell(value))
    console().print(table)


def _cell(value: object) -> RenderableType:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    return Text("–", style="dim") if value is None else Text(_words(value))


def _words(value: object) -> str:
    match value:
        case datetime():
            return moment(value)
        case timedelta():
            return span(value)
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case _:
            return visible(str(value))


def styled(text: str, style: str) -> RenderableType:
    """Return *text* in a colour, for a cell."""
    from rich.text import Text

    return Text(visible(text), style=style)


def moment(at: datetime) -> str:
    """Return an instant in Japan's time, to the millisecond."""
    return f"{at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} JST"


def span(length: timedelta) -> str:
    """Return how long something takes, in its largest sensible unit."""
    seconds = length.total_seconds()
    for size, unit in _UNITS:
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            below = {"d": (3_600, "h"), "h": (60, "min"), "min": (1, "s")}[unit]
            return f"{whole} {unit} {rest // below[0]} {below[1]}"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def path_label(path: Path) -> str:
    """Return a file's name for JSON; bytes that are no UTF-8 as substitute characters."""
    return os.fsencode(path).decode(errors="replace")


def node_label(code: str) -> str:
    """Return a node's code with its name, or the bare code of no node."""
    from jukinet_mq.nodes import directory

    node = directory().find(code)
    return code if node is None else f"{code} {node.name}"
