"""Standard streams that end no command: closed, full, or in an encoding that lacks characters.

What cannot be encoded is written as a substitute. What cannot be written is lost, and how the
command ends says so (`ending`); the work itself goes on.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Final, TextIO

from jukinet_mq.log_writer import write_some

if TYPE_CHECKING:
    from typing_extensions import Buffer

_INPUT: Final = 0
_OUTPUT: Final = 1
_ERRORS: Final = 2


class Output(io.RawIOBase):
    """Writes to a descriptor and never fails.

    Attributes:
        failure: Why bytes were lost; the first time, if they were several times.
    """

    def __init__(self, fd: int, *, known: OSError | None = None, gives_up: bool = False) -> None:
        """Write to *fd*, or nowhere where it is *known* that this fails.

        With *gives_up* nothing more is written after a failure: what follows a gap is worthless.
        """
        super().__init__()
        self.failure: OSError | None = None
        self._fd = fd
        self._known = known
        self._gives_up = gives_up

    def write(self, data: Buffer) -> int:
        """Write all of it, or drop the rest."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            if self._known is not None:
                raise self._known
            while rest:
                rest = rest[write_some(self._fd, rest) :]
        except OSError as error:
            self.failure = self.failure or error
            if self._gives_up:
                self._known = error
        return size

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Say whether a person may be looking."""
        return os.isatty(self._fd)


def guard() -> None:
    """Replace the standard streams by ones that never fail; call it once, first of all.

    Descriptors that were closed are opened on the null device, or the next file or connection
    that is opened would be taken for the stream.
    """
    _, output_was_closed, errors_were_closed = map(_open_if_closed, (_INPUT, _OUTPUT, _ERRORS))
    sys.stdout = _guarded(sys.stdout, _OUTPUT, "replace", is_closed=output_was_closed)
    sys.stderr = _guarded(sys.stderr, _ERRORS, "backslashreplace", is_closed=errors_were_closed)


def lost() -> OSError | None:
    """Return why a part of standard output could not be written; None if all was."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Output) else None


def standard_input() -> BinaryIO:
    """Return standard input.

    Raises:
        typer.BadParameter: It is closed.
    """
    # Python has no object for a descriptor that was closed when it started.
    if sys.stdin is None:
        import typer

        raise typer.BadParameter("standard input is closed; give a FILE, or redirect one to it")
    return sys.stdin.buffer


def _open_if_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        null = os.open(os.devnull, os.O_RDONLY if fd == _INPUT else os.O_WRONLY)
        os.dup2(null, fd)
        if null != fd:
            os.close(null)
        os.set_inheritable(fd, True)
        return True
    return False


def _guarded(stream: TextIO | None, fd: int, errors: str, *, is_closed: bool) -> TextIO:
    known = OSError(errno.EBADF, "it is closed") if is_closed else None
    if stream is not None:
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(Output(fd, known=known, gives_up=fd == _OUTPUT)),
        encoding="utf-8" if stream is None else stream.encoding,
        errors=errors,
        line_buffering=fd == _ERRORS or os.isatty(fd),
    )
