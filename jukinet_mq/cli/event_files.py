"""Reads files of events as people have them: lines with numbers, or one clear error.

A byte order mark, blank lines and gzip are read over. A file in another form (another encoding,
an array, one object over several lines) is refused whole, before anything of it is filed.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import typer

from jukinet_mq.cli import streams
from jukinet_mq.cli.event_forms import BYTE_ORDER_MARK, GZIP, Line, check_form, check_head
from jukinet_mq.errors import UnreadableInputError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from _typeshed import WriteableBuffer

STDIN: Final = "-"
LINE_BYTES_MAX: Final = 1024 * 1024
"""A longer line is skipped without being held in memory."""
LINE_HEAD_BYTES: Final = 1024
"""Kept of a line that is too long, to see the form of the file by."""
CHUNK_BYTES_MAX: Final = 8 * 1024 * 1024
"""Lines that are filed together hold no more than this and one line."""
_HEAD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class EventFile:
    """An input that is open.

    Attributes:
        name: As it was given.
        text: Its bytes, decompressed.
        status: What it is; None where it is no file of the system.
        raw: Its bytes as they are.
    """

    name: str
    text: io.BufferedReader
    raw: io.BufferedIOBase
    status: os.stat_result | None

    @property
    def title(self) -> str:
        """What it is called in a message."""
        return _title(self.name)

    @property
    def is_regular(self) -> bool:
        """Whether it is a file on a disk, not a pipe, a terminal or a device."""
        return self.status is not None and stat.S_ISREG(self.status.st_mode)

    @property
    def size(self) -> int | None:
        """Its bytes, where that is known before they are read."""
        return self.status.st_size if self.status is not None and self.is_regular else None

    def position(self) -> int:
        """Return how many of its bytes have been read; 0 of what has no size."""
        return self.raw.tell() if self.is_regular else 0

    def chunks(self, size: int) -> Iterator[list[Line]]:
        """Yield its lines that are not blank, up to *size* at a time.

        Raises:
            UnreadableInputError: It has no such form, is damaged, or has changed meanwhile; what
                was yielded before is whole.
        """
        for index, chunk in enumerate(self._chunks(size)):
            if not index:
                check_form(chunk, name=self.title)
            yield chunk
        self._check_unchanged()

    def read_whole(self, size_max: int) -> bytes:
        """Return all of it, without a byte order mark.

        Raises:
            UnreadableInputError: As `chunks`, or it has more than *size_max* bytes.
        """
        with _reading(self.title):
            text = self.text.read(size_max + len(BYTE_ORDER_MARK) + 1)
        text = text.removeprefix(BYTE_ORDER_MARK)
        if len(text) > size_max:
            raise UnreadableInputError(f"{self.title} has more than {size_max} bytes")
        return text

    def _chunks(self, size: int) -> Iterator[list[Line]]:
        chunk: list[Line] = []
        held = 0
        for line in self._lines():
            chunk.append(line)
            held += len(line.text)
            if len(chunk) == size or held >= CHUNK_BYTES_MAX:
                yield chunk
                chunk, held = [], 0
        if chunk:
            yield chunk

    def _lines(self) -> Iterator[Line]:
        number = 0
        with _reading(self.title):
            while text := self.text.readline(LINE_BYTES_MAX + 1):
                number += 1
                whole = len(text) <= LINE_BYTES_MAX or text.endswith(b"\n")
                if not whole:
                    self._skip_line()
                    text = text[:LINE_HEAD_BYTES]
                # Files that were joined have a mark in the middle too.
                text = text.removeprefix(BYTE_ORDER_MARK).strip()
                if text:
                    yield Line(number, text, whole)

    def _skip_line(self) -> None:
        while rest := self.text.readline(LINE_BYTES_MAX):
            if rest.endswith(b"\n"):
                return

    def _check_unchanged(self) -> None:
        if self.status is None or not self.is_regular:
            return
        now = os.fstat(self.raw.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.status.st_size, self.status.st_mtime_ns):
            raise UnreadableInputError(
                f"{self.title} was changed while it was read; compare what was filed with it"
            )


@contextmanager
def event_file(name: str) -> Iterator[EventFile]:
    """Open a file, or standard input where *name* is `-`.

    Raises:
        typer.BadParameter: It cannot be opened.
        UnreadableInputError: It is in a form that its first bytes show, and that is not read.
    """
    with _opened(name) as raw:
        status = _status_of(raw)
        with _reading(_title(name)):
            head, text = _peeked(raw)
            if head.startswith(GZIP):
                head, text = _peeked(gzip.GzipFile(fileobj=text))
        check_head(head, name=_title(name))
        yield EventFile(name, text, raw, status)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what reading can raise into ours."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UnreadableInputError(
            f"{name} is compressed with gzip and damaged or incomplete; get it again"
        ) from None
    except OSError as error:
        raise UnreadableInputError(f"{name} cannot be read: {error.strerror}") from error


def _title(name: str) -> str:
    return "standard input" if name == STDIN else name


def _opened(name: str) -> AbstractContextManager[io.BufferedIOBase]:
    if name == STDIN:
        return nullcontext(cast("io.BufferedReader", streams.standard_input()))
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{name}: no file that can be read ({error.strerror})") from None


def _status_of(raw: io.BufferedIOBase) -> os.stat_result | None:
    try:
        return os.fstat(raw.fileno())
    except OSError:
        return None


def _peeked(stream: io.BufferedIOBase) -> tuple[bytes, io.BufferedReader]:
    """Return the first bytes of *stream*, and a stream that has them still."""
    head = b""
    while len(head) < _HEAD_BYTES and (more := stream.read(_HEAD_BYTES - len(head))):
        head += more
    return head, io.BufferedReader(_Unread(head, stream))


class _Unread(io.RawIOBase):
    """A stream with bytes put back before it."""

    def __init__(self, head: bytes, rest: io.BufferedIOBase) -> None:
        super().__init__()
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        """See the base class."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """See the base class."""
        room = memoryview(buffer)
        data = self._head[: len(room)] or self._rest.read1(len(room))
        self._head = self._head[len(data) :]
        room[: len(data)] = data
        return len(data)
