"""Settings in, a tier's room out: its database with what publishes into it.

Apart from `app`, so that a command that only files or reads needs neither the broker's library
nor the consumers to start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from jukinet_mq import telemetry
from jukinet_mq.clock import Clock, utc_now
from jukinet_mq.config import Settings
from jukinet_mq.nodes import Directory, Tier, directory
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.store import trust
from jukinet_mq.store.database import Database
from jukinet_mq.store.patience import Patience
from jukinet_mq.trust.keyring import KeyRing
from jukinet_mq.trust.store import TrustStore
from jukinet_mq.trust.verification import Verifier


def settings() -> Settings:
    """Return the environment's settings; what it leaves out, the private services fill in."""
    given = Settings()
    if given.amqp_url and given.municipality_database_url:
        return given
    from jukinet_mq.services import Services  # noqa: PLC0415  # only who relies on them pays

    endpoints = Services(given.home).last_endpoints()
    if endpoints is None:
        return given
    offered = {
        name.removeprefix("JUKINET_").lower(): value
        for name, value in endpoints.environment().items()
    }
    return Settings(**{**offered, **given.model_dump(exclude_none=True)})


@dataclass(slots=True)
class Trusting:
    """The present snapshot of a tier's trust store, for everyone who needs one."""

    keyring: KeyRing
    snapshot: TrustStore = field(default_factory=TrustStore)
    verifiers: list[Verifier] = field(default_factory=list)

    async def refresh(self, database: Database) -> None:
        """Read the trust store anew; revocations and rolled keys become effective here."""
        async with database.transaction() as tx:
            keys = await trust.load(tx)
        if {key.kid for key in keys} != {key.kid for key in self.snapshot.keys}:
            self.keyring.forget()
        self.snapshot = TrustStore.from_keys(keys)
        for verifier in self.verifiers:
            verifier.trust(self.snapshot)
        telemetry.emit(
            telemetry.TRUST_REFRESHED,
            keys=len(keys),
            revoked=sum(key.revoked_at is not None for key in keys),
        )


@dataclass(frozen=True, slots=True)
class Room:
    """A tier's database with what publishes into it."""

    tier: Tier
    database: Database
    directory: Directory
    trusting: Trusting
    publisher: Publisher


@asynccontextmanager
async def open_room(
    given: Settings, tier: Tier, *, clock: Clock = utc_now, patient: bool = False
) -> AsyncIterator[Room]:
    """Open a tier's database and read its trust store.

    Raises:
        DatabaseUnavailableError: It is away; with *patient*, it is waited for instead.
    """
    async with Database(given.database_url(tier), clock=clock) as database:
        trusting = Trusting(KeyRing(given.trust))
        if patient:
            patiently = Patience(stop=asyncio.Event(), settled=timedelta(0), tier=tier.value)
            await patiently(partial(trusting.refresh, database), name="trust")
        else:
            await trusting.refresh(database)
        publisher = Publisher(
            directory(),
            trust=lambda: trusting.snapshot,
            signing_key=trusting.keyring.signing_key,
        )
        yield Room(tier, database, directory(), trusting, publisher)
