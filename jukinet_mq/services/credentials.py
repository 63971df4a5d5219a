"""The servers' passwords: random, made once, in one file that only its owner reads."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jukinet_mq.errors import ConfigurationError
from jukinet_mq.services.places import write_private

_RANDOM_BYTES = 24


def _random() -> str:
    # Hexadecimal: needs no quoting in a URL, in SQL or in RabbitMQ's configuration.
    return secrets.token_hex(_RANDOM_BYTES)


class Credentials(BaseModel):
    """Every secret of one pair of servers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker_admin: str = Field(default_factory=_random, repr=False)
    erlang_cookie: str = Field(default_factory=_random, repr=False)
    database_admin: str = Field(default_factory=_random, repr=False)
    database_owner: str = Field(default_factory=_random, repr=False)
    database_worker: str = Field(default_factory=_random, repr=False)


def load_credentials(path: Path) -> Credentials | None:
    """Read the credentials, or return None if none were made yet.

    Raises:
        ConfigurationError: The file is damaged.
    """
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        msg = (
            f"{path} is damaged ({error.error_count()} errors); expected the credentials that "
            "`jukinet services up` wrote. Remove the servers and their data with "
            "`jukinet services down --purge`, then start anew."
        )
        raise ConfigurationError(msg) from None


def make_credentials(path: Path) -> Credentials:
    """Make new credentials and keep them at *path*."""
    made = Credentials()
    write_private(path, made.model_dump_json(indent=2) + "\n")
    return made
