"""Many files that must each be there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SYNCED_SINGLY_MAX: Final = 32
"""From here on one sync of the whole system is faster: for 3,578 files 0.3 s against 5 to 15."""


class WholeFiles:
    """Files that get their names, in the order written, when all are on the disk."""

    def __init__(self) -> None:
        self._pending: list[tuple[Path, Path]] = []

    def write(self, path: Path, content: bytes, *, mode: int) -> None:
        """Write *content* beside *path*, at no moment readable by more than *mode* says."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode)
        self._pending.append((temporary, path))
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def commit(self) -> None:
        """Make everything durable and give it its name."""
        if len(self._pending) > _SYNCED_SINGLY_MAX:
            os.sync()
        else:
            for temporary, _ in self._pending:
                _sync(temporary)
        for temporary, path in self._pending:
            temporary.replace(path)
        for directory in {path.parent for _, path in self._pending}:
            _sync(directory)

    def discard(self) -> None:
        """Remove what has no name yet."""
        for temporary, _ in self._pending:
            temporary.unlink(missing_ok=True)


@contextmanager
def written_whole() -> Iterator[WholeFiles]:
    """Commit at the end of the block; after an error in it, leave nothing behind."""
    files = WholeFiles()
    try:
        yield files
        files.commit()
    finally:
        files.discard()


def remove_leftovers(*directories: Path) -> None:
    """Remove what a killed process left; the caller must be the only writer there."""
    for directory in directories:
        for temporary in directory.glob(f".*.pem.{'?' * 8}"):
            temporary.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
