"""Folders of generated files that a user names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Refuse *folder* where files in it cannot be read or written.

    Raises:
        typer.BadParameter: It is none, its name is too long, or the system forbids it.
    """
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(
            f"{folder}: its files cannot be read or written ({error.strerror}); name a folder "
            "that this user may write"
        ) from None
