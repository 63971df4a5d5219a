"""Files of events as people have them: read, or refused whole with one clear error."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli.event_files import CHUNK_BYTES_MAX, LINE_BYTES_MAX, event_file
from jukinet_mq.cli.event_forms import Line
from jukinet_mq.errors import UnreadableInputError


def compressed(content: bytes) -> bytes:
    """Return *content* as gzip has it; without the time, which would change a test's name."""
    return gzip.compress(content, mtime=0)


BOM = "\ufeff".encode()
EVENTS = [{"event": "move", "new_address": "札幌市中央区", "number": n} for n in range(5)]
LINES = [json.dumps(event, ensure_ascii=False).encode() for event in EVENTS]
GOOD = b"\n".join(LINES)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], str]:
    """Return what writes a file and returns its name."""

    def written(content: bytes) -> str:
        path = tmp_path / "events.ndjson"
        path.write_bytes(content)
        return str(path)

    return written


def lines(name: str, size: int = 500) -> list[Line]:
    """Return the lines of a file as bulk filing sees them."""
    with event_file(name) as opened:
        return [line for chunk in opened.chunks(size) for line in chunk]


def texts(name: str) -> list[bytes]:
    """Return what stands on the lines of a file."""
    return [line.text for line in lines(name)]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD + b"\n",
        GOOD + b"\n\n \n",
        b"\n\n" + GOOD,
        BOM + GOOD,
        BOM + LINES[0] + b"\n" + BOM + b"\n".join(LINES[1:]),
        GOOD.replace(b"\n", b"\r\n"),
        compressed(GOOD),
        compressed(BOM + GOOD),
        compressed(LINES[0] + b"\n") + compressed(b"\n".join(LINES[1:])),
    ],
    ids=[
        "plain", "ended", "blank-end", "blank-start", "mark", "marks", "crlf", "gzip",
        "gzip-mark", "gzip-parts",
    ],
)  # fmt: skip
def test_what_means_the_same_is_read_the_same(
    write: Callable[[bytes], str], content: bytes
) -> None:
    """Marks, blank lines, line ends and gzip change nothing about the events."""
    assert LINES == texts(write(content))


@pytest.mark.parametrize("content", [b"", b"\n\n", BOM, compressed(b"")])
def test_file_without_events_has_no_lines(write: Callable[[bytes], str], content: bytes) -> None:
    """Nothing to file is nothing wrong."""
    assert [] == texts(write(content))


def test_lines_are_numbered_as_an_editor_does(write: Callable[[bytes], str]) -> None:
    """Blank lines count, though nobody is told of them."""
    assert [(2, b"{1"), (5, b"{2")] == [
        (line.number, line.text) for line in lines(write(b"\n{1\n\n  \n{2"))
    ]


def as_array(*, indent: int | None) -> bytes:
    """Return the events as one JSON array."""
    return json.dumps(EVENTS, ensure_ascii=False, indent=indent).encode()


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (GOOD.decode().encode("utf-16-le"), "UTF-16"),
        (GOOD.decode().encode("utf-16-be"), "UTF-16"),
        (GOOD.decode().encode("utf-32"), "UTF-32"),
        (GOOD.decode().encode("utf-32-be"), "UTF-32"),
        (compressed(GOOD.decode().encode("utf-16")), "UTF-16"),
        (GOOD.decode().encode("cp932"), "CP932"),
        (GOOD.decode().encode("euc_jp"), "EUC-JP"),
        (GOOD.decode().encode("iso2022_jp"), "ISO-2022-JP"),
        (GOOD.replace("札".encode(), b"\x84\xff"), "another encoding"),
        (as_array(indent=None), "array"),
        (as_array(indent=2), "array"),
        (BOM + as_array(indent=2), "array"),
        (b"[" + b",\n".join(LINES) + b"]", "array"),
        (json.dumps(EVENTS * 30_000).encode(), "array"),
        (json.dumps(EVENTS[0], indent=2).encode(), "several lines"),
        (b"\n".join(json.dumps(event, indent=2).encode() for event in EVENTS), "several lines"),
        (b"event,municipality\nmove,011002\n", "no JSON objects"),
        (b"<events/>", "no JSON objects"),
        (b"\x00" * 100, "no text"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"(\xb5/\xfd$", "zstd"),
        (compressed(compressed(GOOD)), "twice"),
        (compressed(GOOD)[:-9], "incomplete"),
        (compressed(GOOD)[:12], "incomplete"),
        (b"\x1f\x8b", "incomplete"),
        (compressed(GOOD) + b"more", "damaged"),
    ],
)  # fmt: skip
def test_file_in_another_form_is_refused_whole_by_its_name(
    write: Callable[[bytes], str], content: bytes, form: str
) -> None:
    """One error says what the file is, instead of one for each of its lines."""
    with pytest.raises(UnreadableInputError, match=form) as refused:
        lines(write(content))

    assert "札幌" not in str(refused.value)


@pytest.mark.parametrize("bad", [b"[1]", b'{"event": "\xff"}', b"{", b"not JSON", b"\x00"])
def test_one_odd_line_is_not_the_form_of_the_file(
    write: Callable[[bytes], str], bad: bytes
) -> None:
    """A line that is wrong among good ones is a matter of that line."""
    assert [LINES[0], bad, *LINES[1:]] == texts(write(b"\n".join([LINES[0], bad, *LINES[1:]])))


@given(content=st.binary(max_size=200) | st.lists(st.binary(max_size=40)).map(b"\n".join))
def test_any_bytes_are_lines_or_one_refusal(content: bytes) -> None:
    """No content makes reading fail in another way, plain or compressed."""
    for written in (content, compressed(content), b"\x1f\x8b\x08\x00" + content):
        with pytest.MonkeyPatch.context() as patch, suppress(UnreadableInputError):
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(written)))
            assert all(line.text for line in lines("-"))


def test_line_that_is_too_long_is_skipped_and_counted_once(write: Callable[[bytes], str]) -> None:
    """However long a line is, little of it is in memory, and the next one has the next number."""
    long = b"{" + b"x" * (3 * LINE_BYTES_MAX)

    found = lines(write(b"{a\n" + long + b"\n{b\n"))

    assert [(1, True), (2, False), (3, True)] == [(line.number, line.whole) for line in found]
    assert len(found[1].text) < 2_000


@pytest.mark.parametrize("excess", [0, 1])
def test_limit_of_a_line_is_exact(write: Callable[[bytes], str], excess: int) -> None:
    """A line of the limit is read, one byte more is not."""
    [line] = lines(write(b"{" + b"x" * (LINE_BYTES_MAX + excess - 1)))

    assert line.whole is not bool(excess)


def test_lines_in_hand_are_bounded_by_their_bytes_too(write: Callable[[bytes], str]) -> None:
    """Long lines are filed a few at a time."""
    line = b"{" + b"x" * (LINE_BYTES_MAX - 2)
    with event_file(write(b"\n".join([line] * 20))) as opened:
        sizes = [len(chunk) for chunk in opened.chunks(500)]

    assert 20 == sum(sizes)
    assert max(sizes) <= CHUNK_BYTES_MAX // len(line) + 1


@pytest.mark.parametrize("change", [b"", b"{later\n"], ids=["cut", "longer"])
def test_file_that_changes_while_it_is_read_is_named(
    write: Callable[[bytes], str], change: bytes
) -> None:
    """What was read of it is not what is there now, so somebody must compare."""
    name = write(GOOD)

    with event_file(name) as opened:
        chunks = opened.chunks(1)
        next(chunks)
        Path(name).write_bytes(change)
        with pytest.raises(UnreadableInputError, match="changed while it was read"):
            list(chunks)


def test_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """What has no size and cannot be read twice is decompressed too."""
    reading, writing = os.pipe()
    os.write(writing, compressed(GOOD))
    os.close(writing)

    with os.fdopen(reading, "rb"):
        assert LINES == texts(f"/dev/fd/{reading}")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [".", "missing.ndjson", "/dev/fd/999"])
def test_what_cannot_be_opened_is_a_matter_of_the_command_line(name: str) -> None:
    """A directory or a missing file is named with the system's reason."""
    with pytest.raises(typer.BadParameter, match=re.escape(name)):
        lines(name)


def test_device_without_content_is_an_empty_file() -> None:
    """/dev/null holds no events."""
    assert [] == texts(os.devnull)


def test_closed_standard_input_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was started without one is told so."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(typer.BadParameter, match="closed"):
        lines("-")


def test_single_event_may_be_compressed_and_is_bounded(write: Callable[[bytes], str]) -> None:
    """The file of one event is read as those of many are."""
    with event_file(write(compressed(BOM + LINES[0]))) as opened:
        assert LINES[0] == opened.read_whole(len(LINES[0]))
    with (
        event_file(write(LINES[0])) as opened,
        pytest.raises(UnreadableInputError, match="more than"),
    ):
        opened.read_whole(len(LINES[0]) - 1)
