"""Writes log lines in a thread of its own, so that no log delays or ends a worker.

Lines wait in memory, up to a bound. Those that find no room, because the reader of a pipe is slow,
and those that cannot be written, because a disk is full or a pipe is closed, are counted and
dropped. The count is logged as soon as the log can be written again.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final

WAITING_BYTES_MAX: Final = 4 * 2**20
"""What may wait for a slow reader: more than 10,000 lines."""
FLUSH_WITHIN: Final = timedelta(seconds=2)
"""How long the end of a process waits for its log."""


class LogWriter:
    """Takes lines from any thread and never blocks it; writes them in the order given.

    Attributes:
        dropped: Lines that are lost, ever since the start.
    """

    def __init__(
        self,
        fd: int,
        *,
        encoding: str,
        report: Callable[[int], str],
        bytes_max: int = WAITING_BYTES_MAX,
    ) -> None:
        """Write to *fd*; *report* makes the line that says how many lines were dropped."""
        self.dropped = 0
        self._fd = fd
        self._encoding = encoding
        self._report = report
        self._bytes_max = bytes_max
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._reported = 0
        self._is_cut = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Queue a line, with its line end; drop it when too much waits already."""
        data = line.encode(self._encoding, "backslashreplace")
        with self._changed:
            if self._bytes + len(data) > self._bytes_max:
                self.dropped += 1
                return
            self._lines.append(data)
            self._bytes += len(data)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Return at once: structlog calls this after each line. See `wait`."""

    def wait(self, within: timedelta = FLUSH_WITHIN) -> bool:
        """Wait until everything queued so far is written or dropped, and say whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes, within.total_seconds())

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines)
                line = self._lines.popleft()
            is_written = self._put_all(line)
            with self._changed:
                self.dropped += not is_written
                self._bytes -= len(line)
                self._changed.notify_all()

    def _put_all(self, line: bytes) -> bool:
        """Write a line, and before it how many were dropped; False if it cannot be written."""
        dropped = self.dropped
        try:
            if dropped > self._reported:
                report = self._report(dropped - self._reported)
                self._put(report.encode(self._encoding, "backslashreplace"))
                self._reported = dropped
            self._put(line)
        except OSError:
            return False
        return True

    def _put(self, line: bytes) -> None:
        """Write a line whole; what an error cuts off gets a line end before the next line."""
        rest = memoryview(b"\n" + line if self._is_cut else line)
        while rest:
            rest = rest[write_some(self._fd, rest) :]
            self._is_cut = bool(rest)


def write_some(fd: int, data: memoryview) -> int:
    """Write what fits, at least one byte; wait for room also where *fd* does not block."""
    while True:
        try:
            return os.write(fd, data)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(fd, select.POLLOUT)
            waiting.poll()
