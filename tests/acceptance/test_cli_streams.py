"""What a command's exit code says when its output cannot be written, or not in that encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from jukinet_mq.nodes import Tier
from tests.fixtures.filing import ndjson, update
from tests.fixtures.forking import forking
from tests.fixtures.installation import CHIYODA, DEADLINE, TOKYO, Installation

BAD_LINE = '{"event": "identity-update"}\n'
OURS = ("--node", CHIYODA, "--node", TOKYO)
SHOWING: dict[tuple[str, ...], int] = {
    ("node", "list"): 0,
    ("node", "list", "--json"): 0,
    ("node", "show", CHIYODA): 0,
    ("parked", "list"): 0,
    ("quarantine", "list", "--json"): 0,
    ("retries", "list"): 0,
    ("check", "gaps"): 0,
    ("db", "check"): 0,
    ("trust", "show", CHIYODA): 0,
    ("inject", "--help"): 0,
    ("--version",): 0,
    ("doctor",): 1,
    ("status", "01997c3e-5f00-7000-8000-0000000000a1"): 65,
    ("parked", "replay", "01997c3e-5f00-7000-8000-0000000000a1"): 65,
    ("node", "show", "11002"): 2,
    ("parked", "list", "--reason", "handler-failed", "--json"): 2,
}
CHANGING: dict[tuple[str, ...], int] = {
    ("inject", "identity-update", "one.json"): 0,
    ("inject", "identity-update", "one.json", "--json"): 0,
    ("inject", "bad.ndjson"): 65,
    ("inject", "bad.ndjson", "--json"): 65,
    ("db", "upgrade"): 0,
    ("trust", "init", *OURS): 0,
    ("schema", "generate", "schemas"): 0,
}
ONE = ("inject", "identity-update", "one.json")
NODE = ("node", "show", CHIYODA)
FILED = "SELECT count(*) FROM outbox"


@contextmanager
def unwritable(how: str) -> Iterator[IO[bytes]]:
    """Open a stream that takes nothing."""
    if how == "full":
        with Path("/dev/full").open("wb", buffering=0) as full:
            yield full
        return
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb", buffering=0) as unread:
        yield unread


def write_events(installation: Installation) -> None:
    """Write an event, and a file with an event and a bad line; each with an id of its own."""
    (installation.home / "one.json").write_text(ndjson([update(1)]))
    (installation.home / "bad.ndjson").write_text(f"{ndjson([update(2)])}\n{BAD_LINE}")


def run(
    installation: Installation,
    words: Sequence[str],
    *,
    output: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command with these streams."""
    write_events(installation)
    return forking.run(
        words,
        given=b"",
        environment=installation.environment,
        directory=installation.home,
        timeout_seconds=DEADLINE.total_seconds(),
        output=output,
        errors=errors,
    )


def crashes(installation: Installation) -> list[Path]:
    """Return the files about what nobody expected."""
    return list(installation.home.glob("crash-*"))


@pytest.mark.parametrize("how", ["full", "unread"])
@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
async def test_command_that_shows_something_tells_that_it_could_not(
    installation: Installation, words: tuple[str, ...], how: str
) -> None:
    """A lost output turns 0 into 1; another exit code stays. Only a reader that left is no news."""
    with unwritable(how) as stream:
        done = run(installation, words, output=stream)

    assert (SHOWING[words] or 1) == done.returncode, done.stderr
    if SHOWING[words] == 0:
        assert ("[output_incomplete]" in done.stderr) == (how == "full" and "--json" not in words)
    assert [] == crashes(installation)


@pytest.mark.parametrize("how", ["full", "unread"])
@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
async def test_command_that_changes_something_exits_with_the_code_of_its_work(
    installation: Installation, words: tuple[str, ...], how: str
) -> None:
    """What is committed is done, whatever becomes of the output; a retry would do it twice."""
    before = (await installation.fetch(Tier.MUNICIPALITY, FILED))[0][0]
    with unwritable(how) as stream:
        done = run(installation, words, output=stream)
    after = (await installation.fetch(Tier.MUNICIPALITY, FILED))[0][0]

    assert CHANGING[words] == done.returncode, done.stderr
    if how == "full":
        assert "what was asked for is done" in done.stderr
    assert (after > before) == (words[0] == "inject")
    assert [] == crashes(installation)


@pytest.mark.parametrize("words", [*SHOWING, *CHANGING], ids=" ".join)
async def test_standard_error_that_cannot_be_written_changes_no_exit_code(
    installation: Installation, words: tuple[str, ...]
) -> None:
    """Whoever does not read the messages still gets the code, and the output."""
    with unwritable("full" if len(words) % 2 else "unread") as stream:
        done = run(installation, words, errors=stream)

    expected = (SHOWING | CHANGING)[words]
    assert expected == done.returncode, done.stdout
    assert done.stdout or expected in {2, 65}
    assert [] == crashes(installation)


def shell(
    installation: Installation, words: Sequence[str], redirection: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process of its own, from a shell that redirects its streams."""
    write_events(installation)
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "jukinet_mq",
         *words],
        env={**installation.environment, **environment},
        cwd=installation.home,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=DEADLINE.total_seconds(),
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "redirection", "code"),
    [
        (("node", "list"), ">&-", 1),
        (ONE, ">&-", 0),
        (ONE, "<&- >&- 2>&-", 0),
        (("inject", "bad.ndjson"), "2>&-", 65),
        (("inject", "-"), "<&-", 2),
        (("node", "show", "11002"), ">&- 2>&-", 2),
    ],
)
async def test_closed_streams_end_no_command(
    installation: Installation, words: tuple[str, ...], redirection: str, code: int
) -> None:
    """A closed stream is one that takes nothing; no file or connection is taken for it."""
    done = shell(installation, words, redirection)

    assert code == done.returncode, done.stderr
    assert [] == crashes(installation)


@pytest.mark.parametrize(
    ("encoding", "environment"),
    [
        ("cp932", {"PYTHONIOENCODING": "cp932"}),
        ("euc_jp", {"PYTHONIOENCODING": "euc_jp:strict"}),
        ("ascii", {"PYTHONIOENCODING": "ascii"}),
        ("ascii", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ],
    ids=str,
)
async def test_encoding_that_lacks_characters_gets_substitutes(
    installation: Installation, encoding: str, environment: dict[str, str]
) -> None:
    """Marks and names that cannot be written are `?`; the event is filed, and the code says so."""
    before = (await installation.fetch(Tier.MUNICIPALITY, FILED))[0][0]
    done = shell(installation, ONE, **environment)
    after = (await installation.fetch(Tier.MUNICIPALITY, FILED))[0][0]

    assert 0 == done.returncode, done.stderr
    assert after > before
    shown = done.stdout.decode(encoding)
    assert shown.startswith("? ")
    assert ("千代田区" in shown) == (encoding != "ascii")
    assert [] == crashes(installation)


@pytest.mark.parametrize("encoding", ["cp932", "ascii"])
async def test_json_loses_nothing_in_any_encoding(
    installation: Installation, encoding: str
) -> None:
    """What an encoding lacks is escaped, as JSON has it."""
    done = shell(installation, [*NODE, "--json"], PYTHONIOENCODING=encoding)

    assert 0 == done.returncode, done.stderr
    assert "千代田区" in json.loads(done.stdout)["name"]


async def test_error_in_another_encoding_keeps_its_text_and_its_code(
    installation: Installation,
) -> None:
    """Names in an error are escaped where the encoding lacks them."""
    wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
    done = shell(installation, ["node", "show", "11002"], PYTHONIOENCODING="ascii", **wide)

    assert 2 == done.returncode
    assert b"leading zero missing: 011002 \\u672d\\u5e4c\\u5e02" in done.stderr


async def test_argument_in_another_encoding_is_refused_and_a_file_so_named_is_read(
    installation: Installation,
) -> None:
    """Bytes that are no text of the locale are a usage error, but in a file's name."""
    words = [os.fsdecode(b"\x8e\x44\x96\x79")]
    name = os.fsdecode(b"\x8e\x44.ndjson")
    (installation.home / name).write_text(f"{ndjson([update(2)])}\n{BAD_LINE}")

    wrong = shell(installation, ["parked", "list", "--node", *words])
    why = shell(installation, ["parked", "discard", "--all", "--apply", "--why", *words])
    read = shell(installation, ["inject", name, "--json"])

    assert (2, 2, 65) == (wrong.returncode, why.returncode, read.returncode), read.stderr
    assert b"set LC_ALL" in why.stderr
    assert json.loads(read.stdout)["errors"].endswith(".ndjson.errors.ndjson")
    assert (installation.home / f"{name}.errors.ndjson").exists()


async def test_reader_that_has_seen_enough_ends_quietly(installation: Installation) -> None:
    """`| head -1` shows one line and no complaint."""
    done = shell(installation, ["node", "list", "--json"], "| head -1")

    assert (b"[\n", b"") == (done.stdout, done.stderr)
