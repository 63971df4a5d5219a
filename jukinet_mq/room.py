"""Settings in, a tier's room out: its database with what publishes into it.

Apart from `app`, so that a command that only files or reads needs neither the broker's library
nor the consumers to start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from jukinet_mq import telemetry
from jukinet_mq.clock import Clock, utc_now
from jukinet_mq.config import Settings
from jukinet_mq.errors import MissingKeyError, UnknownKeyError
from jukinet_mq.nodes import Directory, NodeCode, Tier, directory
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.store import trust
from jukinet_mq.store.database import Database
from jukinet_mq.store.patience import Patience
from jukinet_mq.trust.keyring import KeyRing
from jukinet_mq.trust.signing import SigningKey
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
    """The present snapshot of a tier's trust store, for everyone who needs one.

    Attributes:
        clock: Says whether a key is valid now.
    """

    keyring: KeyRing
    clock: Clock = utc_now
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

    def signing_key(self, node: NodeCode, time: datetime) -> SigningKey:
        """Return the key with which *node* signs now what is dated *time*.

        Raises:
            NodeKeyError: Its files cannot be used, or none of its keys is valid now, enrolled in
                this tier and not revoked.
            ImpossibleDateError: None of those is valid at *time*.
        """
        return self.keyring.signing_key(
            node, self.clock(), time=time, enrolled=self.snapshot.signer
        )

    def check_keys(self, node: NodeCode) -> None:
        """Make sure that *node* can sign and open now; its files are read again if changed.

        Raises:
            NodeKeyError: It cannot.
        """
        now = self.clock()
        self.keyring.refresh(node)
        self.keyring.signing_key(node, now, enrolled=self.snapshot.signer)
        try:
            sealed_to = self.snapshot.sealing_key(node, now).kid
        except UnknownKeyError:
            return  # Nobody can seal to it either.
        if sealed_to not in {key.kid for key in self.keyring.sealing_keys(node)}:
            raise MissingKeyError(
                f"bodies are sealed to key {sealed_to} of node {node}, and its key file under "
                f"{self.keyring.root} holds others. Restore it, or enrol the keys that it holds.",
                node=node,
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
        trusting = Trusting(KeyRing(given.trust), clock)
        if patient:
            patiently = Patience(stop=asyncio.Event(), settled=timedelta(0), tier=tier.value)
            await patiently(partial(trusting.refresh, database), name="trust")
        else:
            await trusting.refresh(database)
        publisher = Publisher(
            directory(),
            trust=lambda: trusting.snapshot,
            signing_key=trusting.signing_key,
        )
        yield Room(tier, database, directory(), trusting, publisher)
