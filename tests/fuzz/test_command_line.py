"""Every option and argument of every command, with values that people and programs give."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq import logs
from jukinet_mq.cli.ending import EXIT_CODES, UNEXPECTED, exit_code_of
from jukinet_mq.cli.root import app
from jukinet_mq.producers.events import IdentityUpdateFiled
from tests.fixtures.held_back import hold, park
from tests.fixtures.installation import CHIYODA, TOKYO, Installation
from tests.fuzz.budget import examples

EVENT_ID: Final = "019d45b1-5a00-7000-8000-0000000000aa"
LEFT_OUT: Final = {"services"}
"""What concerns the servers that all tests share."""
LEFT_OUT_AWAY: Final = {
    "demo", "bench", "worker", "reference", "schema", "topology render",
}  # fmt: skip
"""What starts processes, or writes generated files into a folder that it is given."""
WAITING: Final = {"--follow"}
"""Options with which a command may rightly last for ever."""
BOUNDED: Final = {
    "demo": ["--seed", "x"],
    "bench identity-update": ["--seed", "x"],
    "bench inject": ["--seed", "x"],
    "worker": ["--node", "999999"],
    "check consistency": ["--within", "1s"],
    "topology apply": ["--node", CHIYODA],
    "trust init": ["--node", CHIYODA],
}
"""Said last, so that a command whose other values are in order ends soon."""
VALUES: Final = [
    "", " ", "-", "--", "-1", "0", "1", "10", "0x10", "1.5", "1_000", "1e400", "nan", "١", "１",
    "2147483648", "9223372036854775808", "999999999999999999999", "1" * 5_000,
    "131016", "131016\n", "11002", "011002", "011011", "12025", "130001", "999999", "000000",
    "jlis", "JLIS", "13", "99", "１３１０１６",
    "identity-update", "identity_update", "identity-update.v1", "handler_failed", "handler-failed",
    "municipality", "prefecture", "national", "village", "birth", "male", "japanese", "move-in",
    "1d", "999999d", "99999999999d", "1.5h", "-1d", "٣s", "7 d", "90s", "d",
    "10/s", "0/s", "1000000000/s",
    EVENT_ID, EVENT_ID.upper(), "019d45b1", "00000000-0000-0000-0000-000000000000",
    "prefecture/1", "prefecture/0", "national/-1", "prefecture/9223372036854775808",
    "prefecture/999999999999999999999", "tokyo/1", "prefecture/٣", "prefecture/", "/", "A" * 43,
    "2026-11-25", "2026-13-45", "2026-11-25T12:00:00", "2026-11-25T12:00:00+99:00",
    "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-01:00", "unknown", "1994/頃", "20260328",
    "@", "@.", "@a.json", "@/dev/null", "@/nonexistent", "/dev/null", "/nonexistent/x",
    "{", "null", "[]", "[" * 3_000, '{"a":1,"a":2}', '[{"name":"a","name":"b"}]',
    "name=", "=", "name=山田 太郎", "髙橋 花子", "タカハシ", "a" * 20_000, "あ" * 5_000,
    "\udcff\udcfe", "住基\udc93", "か\u3099", "\ufffd", "\u202e", "👪", "\x1b[31m", "\x7f", "\n",
    "[red]x[/]", "[/]", "%s%n", "{}", "\\", "$(id)", "'; DROP TABLE inbox; --",
]  # fmt: skip
FITTING: Final[dict[str, list[str]]] = {
    "delivery": ["prefecture/1", "prefecture/2"],
    "file": ["a.json"],
    "ids": [EVENT_ID, "prefecture/1", "prefecture/2"],
    "kind": ["identity-update"],
    "limit": ["1"],
    "message_id": [EVENT_ID],
    "node": [CHIYODA, TOKYO],
    "older_than": ["0s", "1d"],
    "operator": ["taro"],
    "rate": ["50/s"],
    "reason": ["handler_failed", "signature_mismatch"],
    "sender": [CHIYODA],
    "tier": ["prefecture"],
    "wanted": [EVENT_ID],
    "why": ["test"],
}
"""Values of parameters with which a command goes on to the next ones."""
FILES: Final = [
    "-", ".", "", "a.json", "a.json/b", "dir", "missing.json", "no/such/place.json", "名簿.ndjson",
    "\udcff.ndjson", "a\nb", "a" * 300,
]  # fmt: skip
"""In the working directory only: a command may write there."""
FILE_PARAMETERS: Final = {
    "file", "errors", "certificate", "ca", "folder", "root", "save", "part",
}  # fmt: skip


def leaves(left_out: set[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that does something, with its words."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        if any(" ".join(words[:n]) in left_out for n in range(1, len(words) + 1)):
            continue
        if hasattr(command, "list_commands"):
            context = typer.Context(command)
            waiting += [
                ((*words, name), command.get_command(context, name))
                for name in command.list_commands(context)
            ]
        else:
            yield words, command


COMMANDS: Final = sorted(leaves(LEFT_OUT), key=lambda found: found[0])
COMMANDS_AWAY: Final = sorted(leaves(LEFT_OUT | LEFT_OUT_AWAY), key=lambda found: found[0])


@st.composite
def command_lines(draw: st.DrawFn, commands: list[tuple[tuple[str, ...], Any]]) -> list[str]:
    """Draw a command with some of its options and arguments, each with some value."""
    words, command = draw(st.sampled_from(commands))
    usable = [p for p in command.params if p.name != "help" and not WAITING & {*p.opts}]
    chosen = draw(st.lists(st.sampled_from(usable), max_size=4)) if usable else []
    if draw(st.booleans()):
        chosen += [p for p in usable if p.required and p not in chosen]
    options: list[str] = []
    arguments: list[str] = []
    for parameter in chosen:
        odd = FILES if parameter.name in FILE_PARAMETERS else VALUES
        value = draw(st.sampled_from(FITTING.get(parameter.name, odd)) | st.sampled_from(odd))
        if parameter.param_type_name == "argument":
            arguments.append(value)
        elif getattr(parameter, "is_flag", False):
            options.append(draw(st.sampled_from([*parameter.opts, *parameter.secondary_opts])))
        elif draw(st.booleans()):
            options += [parameter.opts[0], value]
        else:
            options.append(f"{parameter.opts[0]}={value}")
    return [*words, *options, *BOUNDED.get(" ".join(words), []), *arguments]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home whose settings name servers that refuse every connection."""
    nobody = "127.0.0.1:1"
    for name in [name for name in os.environ if name.startswith("JUKINET_")]:
        monkeypatch.delenv(name)
    # A command would leave the tests after it with a log into what pytest has captured here.
    monkeypatch.setattr(logs, "configure", lambda **_: None)
    monkeypatch.setenv("JUKINET_HOME", str(tmp_path))
    monkeypatch.setenv("JUKINET_AMQP_URL", f"amqp://nobody:nothing@{nobody}/")
    monkeypatch.setenv("JUKINET_MANAGEMENT_URL", f"http://nobody:nothing@{nobody}")
    for tier in ("MUNICIPALITY", "PREFECTURE", "NATIONAL"):
        monkeypatch.setenv(f"JUKINET_{tier}_DATABASE_URL", f"postgresql://nobody@{nobody}/none")
    return tmp_path


@examples(45)
@given(line=command_lines(COMMANDS_AWAY))
def test_whatever_is_typed_ends_with_a_documented_code(
    away: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: list[str]
) -> None:
    """No value leads to an unexpected error, and none to a success that cannot be."""
    monkeypatch.setattr("sys.argv", ["jukinet", *line])

    with chdir(away):
        code = exit_code_of(lambda: app(line, prog_name="jukinet"))

    shown = capfd.readouterr()
    assert code in EXIT_CODES, shown
    assert code != UNEXPECTED, shown
    assert "Traceback" not in shown.err


@pytest.fixture(scope="module")
async def furnished(installation: Installation) -> Installation:
    """The installation with something that commands can show, and files that they can read."""
    await park(installation)
    for number, claim in enumerate(VALUES):
        if claim.isascii() or claim.isprintable():
            await hold(installation, b"%d" % number, claim=claim[:200])
    event = IdentityUpdateFiled.example()
    (installation.home / "a.json").write_bytes(event.model_dump_json(exclude={"event_id"}).encode())
    (installation.home / "dir").mkdir()
    event = event.model_copy(update={"event_id": UUID(EVENT_ID)})
    filed = installation.jukinet("inject", "identity-update", "-", given=event.model_dump_json())
    assert 0 == filed.returncode, filed.stderr
    return installation


def crashes(installation: Installation) -> list[str]:
    """Return what the program has written about errors that nobody expected, and remove it."""
    found = list(installation.home.glob("crash-*.log"))
    written = [path.read_text("utf-8") for path in found]
    for path in found:
        path.unlink()
    return written


@examples(12)
@given(line=command_lines(COMMANDS), text=st.sampled_from(["", "{}", "null\n", "\0", "[1]"]))
def test_whatever_is_typed_meets_no_unexpected_error_in_an_installation(
    furnished: Installation, line: list[str], text: str
) -> None:
    """The servers and files that a command works with take no value otherwise than it did."""
    done = furnished.jukinet(*line, given=text)

    crashed = crashes(furnished)
    assert not crashed, crashed[0]
    assert done.returncode in EXIT_CODES.keys() - {UNEXPECTED}, done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout
    if done.returncode > 1:
        assert done.stderr
