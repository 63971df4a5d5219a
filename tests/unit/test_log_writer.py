from __future__ import annotations

import fcntl
import os
import termios
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from jukinet_mq.log_writer import LogWriter

WITHIN = timedelta(seconds=20)
LINE_BYTES = 100
PIPE_BYTES = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that holds little."""
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with ExitStack() as stack:
        for fd in (read, write):
            stack.callback(_close, fd)
        yield read, write


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return


def writer(fd: int, *, bytes_max: int = 2**20) -> LogWriter:
    """Return a writer to *fd* that reports as `dropped N`."""
    return LogWriter(
        fd, encoding="utf-8", report=lambda lines: f"dropped {lines}\n", bytes_max=bytes_max
    )


def line(number: int) -> str:
    """Return one line of fixed length."""
    return f"line {number} ".ljust(LINE_BYTES - 1, ".") + "\n"


def read_until(fd: int, end: bytes) -> list[str]:
    """Return the lines of a pipe up to the one that begins with *end*."""
    data = b""
    while end not in data or not data.endswith(b"\n"):
        data += os.read(fd, 65_536)
    return data.decode().splitlines()


def until_holding(fd: int, count: int) -> None:
    """Wait until a pipe holds *count* bytes."""
    deadline = time.monotonic() + WITHIN.total_seconds()
    held = bytearray(4)
    while int.from_bytes(held, "little") != count:
        assert time.monotonic() < deadline
        fcntl.ioctl(fd, termios.FIONREAD, held)


def test_lines_of_several_threads_arrive_whole(tmp_path: Path) -> None:
    """Every line is written once, and those of one thread in their order."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        log = writer(file.fileno())

        def say(thread: int) -> None:
            for number in range(500):
                log.write(f"{thread} {number}\n")

        threads = [threading.Thread(target=say, args=[n]) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert log.wait(WITHIN)

    found = [tuple(map(int, text.split())) for text in path.read_text().splitlines()]
    for n in range(4):
        assert list(range(500)) == [i for thread, i in found if thread == n]


def test_reader_that_stands_still_delays_nobody_and_learns_what_was_dropped(
    pipe: tuple[int, int],
) -> None:
    """A full pipe holds up nobody who logs; what finds no room is counted and reported."""
    read, write = pipe
    log = writer(write, bytes_max=50 * LINE_BYTES)

    for number in range(1_000):  # a writer that waits for room would never get through
        log.write(line(number))
    assert not log.wait(timedelta())
    dropped = log.dropped
    assert 0 < dropped < 1_000

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_until, read, b"the end")
        assert log.wait(WITHIN)
        log.write("the end\n")
        lines = reading.result()

    reports = [int(text.split()[1]) for text in lines if text.startswith("dropped")]
    numbers = [int(text.split()[1]) for text in lines if text.startswith("line")]
    assert dropped == sum(reports) == log.dropped
    assert sorted(numbers) == numbers
    assert 1_000 == len(numbers) + dropped


@pytest.mark.parametrize("how", ["full", "closed"])
def test_log_that_cannot_be_written_counts_and_reports_when_it_can_again(
    how: str, tmp_path: Path
) -> None:
    """A full disk or a closed pipe loses lines, never raises, and the next line says how many."""
    fd = os.open("/dev/full", os.O_WRONLY)
    if how == "closed":
        unread, write = os.pipe()
        os.close(unread)
        os.dup2(write, fd)
        os.close(write)
    log = writer(fd)
    for number in range(10):
        log.write(line(number))
    assert log.wait(WITHIN)
    assert 10 == log.dropped

    with (tmp_path / "log").open("wb") as file:
        os.dup2(file.fileno(), fd)
    log.write("again\n")
    log.write("and on\n")
    assert log.wait(WITHIN)
    os.close(fd)

    assert ["dropped 10", "again", "and on"] == (tmp_path / "log").read_text().splitlines()
    assert 10 == log.dropped


def test_line_that_was_cut_off_is_ended_before_the_next(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    """A disk that fills in the middle of a line spoils that line only."""
    read, write = pipe
    os.set_blocking(write, False)
    log = writer(write)
    log.write("x" * (PIPE_BYTES + 10) + "\n")
    until_holding(read, PIPE_BYTES)

    with (tmp_path / "log").open("wb") as file:
        # What was begun in the pipe cannot be ended there, and the next line goes elsewhere.
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, write)
        os.close(full)
        os.close(read)
        assert log.wait(WITHIN)
        os.dup2(file.fileno(), write)
    log.write("next\n")
    assert log.wait(WITHIN)

    assert ["", "dropped 1", "next"] == (tmp_path / "log").read_text().splitlines()


def test_pipe_that_does_not_block_gets_every_line_whole(pipe: tuple[int, int]) -> None:
    """Somebody else may have set the shared pipe so; a long line then goes out in parts."""
    read, write = pipe
    os.set_blocking(write, False)
    log = writer(write)
    long = "y" * (3 * PIPE_BYTES)
    log.write(f"{long}\n")
    log.write("end\n")

    assert [long, "end"] == read_until(read, b"end")
    assert 0 == log.dropped


def test_character_that_the_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    """Whatever a text holds, surrogates included, its line is written."""
    with (tmp_path / "log").open("wb") as file:
        log = LogWriter(file.fileno(), encoding="ascii", report=str)
        log.write("髙 \udcff\n")
        assert log.wait(WITHIN)

    assert b"\\u9ad9 \\udcff\n" == (tmp_path / "log").read_bytes()
