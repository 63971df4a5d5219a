"""The logins' passwords for a private broker: random, made once, in one file of mode 0600.

In production nodes log in by certificate and no password exists.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from jukinet_mq.errors import ConfigurationError, UnsafeKeyFileError

_RANDOM_BYTES: Final = 24
_FILE: Final = TypeAdapter(dict[str, str])


@dataclass(frozen=True, slots=True)
class Credentials(Mapping[str, str]):
    """Password by login; never shown by `repr`."""

    passwords: Mapping[str, str] = field(repr=False)

    def __getitem__(self, login: str) -> str:
        return self.passwords[login]

    def __iter__(self) -> Iterator[str]:
        return iter(self.passwords)

    def __len__(self) -> int:
        return len(self.passwords)


def load(path: Path) -> Credentials:
    """Read the passwords; none if the file was never made.

    Raises:
        ConfigurationError: The file is damaged or cannot be read.
        UnsafeKeyFileError: Others than its owner may read it.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except FileNotFoundError:
        return Credentials({})
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}. Make it a regular file, mode 0600, of the "
            "user that runs this process."
        ) from None
    if mode & 0o077:
        raise UnsafeKeyFileError(
            f"{path} has mode {mode:04o}, expected 0600: others can read passwords. "
            f"Run `chmod 600 {path}`, and renew them if others have."
        )
    try:
        return Credentials(_FILE.validate_json(text))
    except ValidationError as error:
        raise ConfigurationError(
            f"{path} is damaged ({error.error_count()} errors); expected a password per login. "
            "Remove it and run `jukinet topology apply`: that makes new ones."
        ) from None


def load_or_make(path: Path, logins: Iterable[str]) -> Credentials:
    """Return a password for every one of *logins*: those in the file, and new ones, now kept there.

    Raises:
        ConfigurationError: The file is damaged.
        UnsafeKeyFileError: Others than its owner may read it.
    """
    found = load(path)
    fresh = {login: secrets.token_hex(_RANDOM_BYTES) for login in logins if login not in found}
    if not fresh:
        return found
    made = Credentials({**found, **fresh})
    _replace(path, _FILE.dump_json(dict(made.passwords), indent=1))
    return made


def _replace(path: Path, content: bytes) -> None:
    """Replace *path* all or nothing, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
