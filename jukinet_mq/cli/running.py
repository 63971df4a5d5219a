"""What commands share when they run: settings, one event loop, a tier's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from jukinet_mq.errors import ConfigurationError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from pydantic import ValidationError

    from jukinet_mq.broker.management import ManagementClient
    from jukinet_mq.config import Settings
    from jukinet_mq.nodes import Node
    from jukinet_mq.store.database import Database

_T = TypeVar("_T")


def settings(*, running: bool = True) -> Settings:
    """Return the settings; with *running*, the private services fill in what is not set.

    Raises:
        ConfigurationError: A variable of the environment has a wrong value.
    """
    from pydantic import ValidationError

    try:
        if running:
            from jukinet_mq import room

            return room.settings()
        from jukinet_mq.config import Settings

        return Settings()
    except ValidationError as error:
        raise ConfigurationError(_wrong_settings(error)) from None


def _wrong_settings(error: ValidationError) -> str:
    said = "; ".join(
        f"JUKINET_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )
    return f"the environment's settings are wrong: {said}"


def run(work: Coroutine[object, object, _T]) -> _T:
    """Run *work* in an event loop; warnings go to standard error as lines for a person."""
    import asyncio

    from jukinet_mq import logs

    logs.configure(level="warning", as_json=False)
    quiet_libraries()
    return asyncio.run(work)


def run_fast(work: Coroutine[object, object, _T]) -> _T:
    """Run long *work* as `run` does, in the faster event loop."""
    import uvloop

    from jukinet_mq import logs

    logs.configure(level="warning", as_json=False)
    quiet_libraries()
    collect_garbage_rarely()
    return uvloop.run(work)


def collect_garbage_rarely() -> None:
    """Spare a process that makes many short-lived objects the search through its long-lived ones.

    What is loaded by now stays: the directory, the catalogue, the schemas. Batches free their
    objects by reference counting; only cycles wait for a collection.
    """
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def has_database(given: Settings, tier: Tier) -> bool:
    """Say whether the settings know where a tier's database is."""
    try:
        given.database_url(tier)
    except ConfigurationError:
        return False
    return True


def tiers_of(given: Settings, wanted: Sequence[Tier] | None) -> list[Tier]:
    """Return the tiers that a command concerns: the ones *wanted*, or all that are configured.

    Raises:
        ConfigurationError: None is.
    """
    if wanted:
        return [tier for tier in Tier if tier in wanted]
    found = [tier for tier in Tier if has_database(given, tier)]
    if not found:
        given.database_url(Tier.MUNICIPALITY)
    return found


@asynccontextmanager
async def open_database(given: Settings, tier: Tier) -> AsyncIterator[Database]:
    """Open a tier's database as its worker, for one command."""
    from jukinet_mq.store.database import Database

    async with Database(given.database_url(tier), connections_max=2) as database:
        yield database


@asynccontextmanager
async def open_management(given: Settings) -> AsyncIterator[ManagementClient]:
    """Open the broker's management API for the virtual host that the AMQP address names."""
    from urllib.parse import unquote, urlsplit

    from jukinet_mq.broker.management import ManagementClient

    path = "" if given.amqp_url is None else urlsplit(given.broker_urls[0]).path
    vhost = unquote(path.removeprefix("/")) or "/"
    async with ManagementClient.open(given.management, vhost=vhost) as client:
        yield client


def quiet_libraries() -> None:
    """Keep what libraries log off the terminal: what matters of it, an event of ours says."""
    import logging

    logging.getLogger().addHandler(logging.NullHandler())


def nodes_of(codes: Sequence[str]) -> list[Node]:
    """Return the nodes with these codes, each once.

    Raises:
        UnknownNodeError: No node has a code (also WardIsNotANodeError, CheckDigitError).
    """
    from jukinet_mq.nodes import directory

    return [directory().node(code) for code in dict.fromkeys(codes)]
