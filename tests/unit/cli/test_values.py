"""No option of any command takes a value that nobody looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import Enum
from typing import Any, get_args
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner

from jukinet_mq.cli import amounts, codes, names
from jukinet_mq.cli.root import app

READERS: dict[str, set[Callable[..., object]]] = {
    "--node": {codes.read_node, codes.read_municipality},
    "--to": {codes.read_node},
    "--sender": {codes.read_node, names.read_login},
    "--municipality": {codes.read_municipality},
    "--prefecture": {codes.read_prefecture},
    "--area-code": {codes.read_area_of_body},
    "--former-area-code": {codes.read_area_of_body},
    "--new-area-code": {codes.read_area_of_body},
    "--planned-area-code": {codes.read_area_of_body},
    "code": {codes.read_node, codes.read_area},
    "node": {codes.read_node},
    "--kind": {names.read_kind},
    "--operator": {names.read_operator},
    "--why": {names.read_text},
    "--rate": {amounts.read_rate},
}
REASONS = {names.read_reason_of_handling, names.read_reason_of_quarantine}
CHECKED_LATER = {
    "file": "a file's name",
    "kid": "compared with the keys there are",
    "delivery": "read as TIER/NUMBER",
    "ids": "read as TIER/NUMBER",
}
"""Texts that no reader reads, and why; those of an event (`inject`) are checked as the event's."""


def leaves() -> Iterator[tuple[list[str], Any]]:
    """Yield every command with its words, hidden ones too."""
    root = typer.main.get_command(app)
    waiting: list[tuple[list[str], Any]] = [([], root)]
    while waiting:
        words, command = waiting.pop()
        if not hasattr(command, "list_commands"):
            yield words, command
            continue
        context = typer.Context(command)
        waiting += [
            ([*words, name], command.get_command(context, name))
            for name in command.list_commands(context)
        ]


def values() -> Iterator[tuple[list[str], Any, Any, Any]]:
    """Yield every parameter that takes a value: its command, itself, its type and its reader."""
    for words, command in leaves():
        for parameter in command.params:
            descriptor = parameter.type_descriptor
            kind = (get_args(descriptor.annotation) or [descriptor.annotation])[0]
            if kind is not bool:
                yield words, parameter, kind, descriptor.parameter_info.parser


ALL = list(values())


def name_of(parameter: Any) -> str:
    """Return the flag of an option, the name of an argument."""
    return str(parameter.opts[0])


@pytest.mark.parametrize("name", READERS)
def test_options_of_one_name_are_read_by_what_refuses_anything_else(name: str) -> None:
    """Codes, kinds, names and rates have one reader each, wherever they can be given."""
    found = [(words, reader) for words, p, _, reader in ALL if name_of(p) == name]

    assert found
    assert [] == [(words, reader) for words, reader in found if reader not in READERS[name]]


def test_every_reason_is_read_by_what_refuses_anything_else() -> None:
    """The reasons of `inject` are those of the law; the others are ours."""
    found = [(words[0], reader) for words, p, _, reader in ALL if name_of(p) == "--reason"]

    assert {"inject", "parked", "retries", "quarantine"} == {group for group, _ in found}
    assert [] == [group for group, reader in found if group != "inject" and reader not in REASONS]


def test_every_enumeration_length_and_number_is_bounded() -> None:
    """An enumeration or a length has a reader, a number a smallest and a largest value."""
    loose = [
        (words, name_of(parameter))
        for words, parameter, kind, reader in ALL
        if (issubclass(kind, Enum | timedelta | float) and reader is None)
        or (kind is int and None in (_info(parameter).min, _info(parameter).max))
    ]

    assert [] == loose


def test_no_text_is_left_unread() -> None:
    """A text that no reader reads is listed with the reason; those of events have the event's."""
    unread = {
        (" ".join(words), name_of(parameter))
        for words, parameter, kind, reader in ALL
        if kind is str and reader is None and words[0] != "inject"
    }

    assert [] == [(words, name) for words, name in unread if name not in CHECKED_LATER]


def _info(parameter: Any) -> Any:
    return parameter.type_descriptor.parameter_info


WRONG: dict[Any, list[str]] = {
    int: ["-1", "99999999999999999999", "x", "1e400"],
    UUID: ["123", "x", "\udcff", "9" * 40],
    timedelta: ["999999d", "x", "-1s", "٣s", ""],
    float: ["99999999/s", "0/s", "x", ""],
    names.read_login: ["11002", "\udcff", ""],
    names.read_operator: ["\udcff", " ", ""],
    names.read_text: ["\udcff", "\x1b[0m"],
}
"""By reader, else by type; the texts that all others refuse stand below."""
NO_NAMES = ["011011x", "11002", "no_such", "\udcff", ""]
READ = {
    (None if issubclass(kind, Enum) else reader, kind): (words, parameter, reader)
    for words, parameter, kind, reader in ALL
    if reader is not None or kind in (int, UUID)
}
"""One command for each way in which a value is read."""


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (words, name_of(parameter), value)
        for (_, kind), (words, parameter, reader) in READ.items()
        for value in WRONG.get(reader, WRONG.get(kind, NO_NAMES))
    ],
)
def test_wrong_value_is_a_usage_error(words: list[str], name: str, value: str) -> None:
    """Exit code 2 before anything is done, whatever the value is; never an unexpected error."""
    given = [name, value] if name.startswith("--") else ["--", value]

    result = CliRunner().invoke(app, [*words, *given])

    assert 2 == result.exit_code, (result.output, result.exception)
