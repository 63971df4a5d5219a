"""Writes the list of refused lines: whole or not at all, and over nothing else."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

import orjson
import typer

from jukinet_mq.cli.event_files import STDIN, EventFile
from jukinet_mq.errors import JukinetError, NotNowError

if TYPE_CHECKING:
    from types import TracebackType

SUFFIX: Final = ".errors.ndjson"
_NOT_OF_DISK: Final = ("/dev/", "/proc/")


class RefusedLines:
    """The list while it is made.

    It is written beside its name, which it gets at the end: the list of an earlier run stays
    until then. A run that refuses nothing leaves none.

    Attributes:
        path: Where it will be.
        counts: Whether any line is dealt with; if not, an end by an error changes nothing.
    """

    def __init__(self, path: Path) -> None:
        """Open the list, so that what cannot be written is known before anything is filed.

        Raises:
            OSError: It cannot be written there.
        """
        self.path = path
        self.counts = False
        self._refused = 0
        self._temporary: Path | None = None
        if path.exists() and not path.is_file():
            # A device or a pipe; of a directory, an error.
            self._file: IO[bytes] = path.open("ab")
            return
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(None, "the list that is there cannot be written")
        # Through a symbolic link, which would be replaced itself.
        self._target = Path(os.path.realpath(path))
        self._temporary = self._target.with_name(f".{self._target.name}.{secrets.token_hex(4)}")
        self._file = self._temporary.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            if kind is None or self.counts:
                self._keep()
        except OSError as cause:
            if error is None:
                raise self._unwritable(cause) from cause
        finally:
            with suppress(OSError):
                self._file.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def add(self, number: int, error: JukinetError) -> None:
        """List a line by number, reason and text; what it said is not written anywhere.

        Raises:
            NotNowError: The list cannot be written any more.
        """
        said = {"line": number, "reason": error.reason, "text": str(error)}
        try:
            self._file.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as cause:
            raise self._unwritable(cause) from cause
        self._refused += 1

    def _keep(self) -> None:
        self._file.flush()
        if self._temporary is None:
            return
        if self._refused:
            os.fsync(self._file.fileno())
            self._temporary.replace(self._target)
        else:
            self._target.unlink(missing_ok=True)

    def _unwritable(self, cause: OSError) -> NotNowError:
        return NotNowError(
            f"{self.path}: {cause.strerror}: the list of refused lines cannot be written. The good "
            "lines until then are filed. Make room and file the same file again: an event with an "
            "event_id is not filed twice."
        )


def refused_lines(asked: Path | None, events: EventFile) -> RefusedLines:
    """Open the list for the lines of *events*, at *asked* or where it belongs.

    Raises:
        typer.BadParameter: It cannot be written, or a file would be input and output at once.
    """
    outputs = list(_own_outputs())
    if events.status is not None and any(_is_same(events.status, one) for one in outputs):
        raise typer.BadParameter(f"{events.title} is also where this command's output goes to")
    faults = []
    for path in _places(asked, events):
        try:
            _require_apart(path, events, outputs)
            return RefusedLines(path)
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
    raise typer.BadParameter(
        f"{faults[0]}; name a file for the list of refused lines with --errors, in a directory "
        "that can be written"
    )


def _places(asked: Path | None, events: EventFile) -> Iterator[Path]:
    """Yield where the list may be: beside the file, else in the working directory."""
    if asked is not None:
        yield asked
    elif events.name == STDIN:
        yield Path(f"stdin{SUFFIX}")
    elif not events.is_regular or events.name.startswith(_NOT_OF_DISK):
        yield Path(f"inject{SUFFIX}")
    else:
        yield Path(f"{events.name}{SUFFIX}")
        yield Path(f"{Path(events.name).name}{SUFFIX}")


def _require_apart(path: Path, events: EventFile, outputs: Sequence[os.stat_result]) -> None:
    """Refuse *path* where it is, by any name, the input or an output of this command."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    others = outputs if events.status is None else [*outputs, events.status]
    if any(_is_same(status, other) for other in others):
        raise typer.BadParameter(
            f"{path} is also the input or the output of this command; name another file for the "
            "list of refused lines with --errors"
        )


def _own_outputs() -> Iterator[os.stat_result]:
    """Yield the files that standard output and standard error go to."""
    for descriptor in (1, 2):
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                yield status


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    """Say whether two are one file; a device, such as /dev/null or a terminal, may be both."""
    return os.path.samestat(one, other) and not stat.S_ISCHR(one.st_mode)
