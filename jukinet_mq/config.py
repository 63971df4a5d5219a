"""Settings from the environment; the private services stand in for what is not set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from jukinet_mq.errors import ConfigurationError
from jukinet_mq.nodes import Tier


class Settings(BaseSettings):
    """Every setting, each as `JUKINET_<NAME>` in the environment.

    `amqp_url` may hold several addresses, separated by commas; they are tried in turn. The
    owner URLs are for migrations only. A broker that is silent for two heartbeats is given up.
    """

    model_config = SettingsConfigDict(env_prefix="JUKINET_", frozen=True, extra="ignore")

    home: Path = Path(".jukinet")
    amqp_url: str | None = Field(default=None, repr=False)
    management_url: str | None = Field(default=None, repr=False)
    municipality_database_url: str | None = Field(default=None, repr=False)
    prefecture_database_url: str | None = Field(default=None, repr=False)
    national_database_url: str | None = Field(default=None, repr=False)
    municipality_owner_database_url: str | None = Field(default=None, repr=False)
    prefecture_owner_database_url: str | None = Field(default=None, repr=False)
    national_owner_database_url: str | None = Field(default=None, repr=False)
    heartbeat_seconds: int = Field(default=10, ge=1, le=60)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    def database_url(self, tier: Tier) -> str:
        """Return where the tier's worker logs in."""
        return _given(self._database(tier, owner=False), f"JUKINET_{tier.name}_DATABASE_URL")

    def owner_database_url(self, tier: Tier) -> str:
        """Return where the tier's migrations log in."""
        name = f"JUKINET_{tier.name}_OWNER_DATABASE_URL"
        return _given(self._database(tier, owner=True), name)

    def _database(self, tier: Tier, *, owner: bool) -> str | None:
        match tier:
            case Tier.MUNICIPALITY:
                pair = self.municipality_database_url, self.municipality_owner_database_url
            case Tier.PREFECTURE:
                pair = self.prefecture_database_url, self.prefecture_owner_database_url
            case Tier.NATIONAL:
                pair = self.national_database_url, self.national_owner_database_url
        return pair[owner]

    @property
    def broker_urls(self) -> tuple[str, ...]:
        """Addresses of the broker, at least one."""
        return tuple(_given(self.amqp_url, "JUKINET_AMQP_URL").split(","))

    @property
    def management(self) -> str:
        """Address of the broker's management API, with its login."""
        return _given(self.management_url, "JUKINET_MANAGEMENT_URL")

    @property
    def trust(self) -> Path:
        """Where certificates and private keys lie."""
        return self.home / "trust"

    @property
    def credentials(self) -> Path:
        """Where the broker's passwords lie."""
        return self.home / "credentials.json"


def _given(value: str | None, name: str) -> str:
    if value is None:
        raise ConfigurationError(
            f"{name} is not set, and no private services run here; set it, or run "
            "`jukinet services up`"
        )
    return value
