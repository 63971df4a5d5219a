"""What `doctor` looks at. Each check stands alone: one that fails never hides another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from jukinet_mq.cli import broker_checks, key_checks
from jukinet_mq.cli.finding import Finding
from jukinet_mq.cli.terminal import moment
from jukinet_mq.clock import utc_now
from jukinet_mq.errors import BrokerAccessError, JukinetError
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.config import Settings
    from jukinet_mq.store.desk import Health

CLOCK_MAX: Final = timedelta(seconds=5)
"""Clocks further apart than this order a resident's updates wrongly sooner or later."""
STUCK_AFTER: Final = timedelta(minutes=2)
"""The relay needs less than a second; what waits this long will not go by itself."""
LAYER_TIMEOUT: Final = timedelta(seconds=20)


Check = Callable[[], Awaitable[Finding | list[Finding]]]


async def examine(given: Settings) -> list[Finding]:
    """Return the findings of every check, the deepest layer first; none of what is not set."""
    found: list[Finding] = [_settings(given)]
    tiers = [tier for tier in Tier if _has(given, tier)]
    for tier in tiers:
        found += await _guarded(f"database {tier}", partial(_database, given, tier))
    if given.management_url is not None:
        found += await _guarded("broker", partial(broker_checks.broker, given))
        found += await _guarded("topology", partial(broker_checks.topology, given))
    if given.amqp_url is not None:
        found += await _guarded("credentials", partial(broker_checks.credentials, given))
    for tier in tiers:
        found += await _guarded(f"trust {tier}", partial(key_checks.enrolled, given, tier))
        found += await _guarded(f"keys {tier}", partial(key_checks.files, given, tier))
    return found


async def _guarded(layer: str, check: Check) -> list[Finding]:
    """Turn whatever stops a check into its finding."""
    try:
        async with asyncio.timeout(LAYER_TIMEOUT.total_seconds()):
            found = await check()
    except JukinetError as error:
        said, _, hint = str(error).partition("; ")
        # Only a hint that names a command is a fix.
        fix = hint if "`jukinet" in hint else _fix(layer)
        known = not isinstance(error, BrokerAccessError)
        said = f"{said} [{error.reason}]"
        return [Finding(layer, ok=False, said=said, fix=fix, known=known)]
    except TimeoutError:
        said = f"not known: no answer within {LAYER_TIMEOUT.total_seconds():.0f} s"
        return [Finding(layer, ok=False, said=said, fix=_fix(layer), known=False)]
    except Exception as error:  # noqa: BLE001  # one check that fails hides no other
        said = f"not known: the check failed ({type(error).__name__})"
        return [Finding(layer, ok=False, said=said, fix=_fix(layer), known=False)]
    return found if isinstance(found, list) else [found]


def _fix(layer: str) -> str:
    if layer.startswith(("trust", "keys")):
        return "run `jukinet trust init`"
    if layer in ("topology", "credentials"):
        return "run `jukinet topology apply`"
    return "run `jukinet services up`, or look after the server that the settings name"


def _settings(given: Settings) -> Finding:
    """A machine need not serve every tier, but one."""
    here = [tier for tier in Tier if _has(given, tier)]
    missing = [
        name
        for name, value in (
            ("JUKINET_AMQP_URL", given.amqp_url),
            ("JUKINET_MANAGEMENT_URL", given.management_url),
        )
        if value is None
    ]
    if not here:
        missing += [f"JUKINET_{tier.name}_DATABASE_URL" for tier in Tier]
    if missing:
        return Finding(
            "settings",
            ok=False,
            said=f"not set, and no private services run here: {', '.join(missing)}",
            fix="run `jukinet services up`, or set them",
        )
    served = "all three tiers" if len(here) == len(Tier) else f"only the {', '.join(here)} tier"
    said = f"broker, and databases of {served}; home {given.home}"
    return Finding("settings", ok=True, said=said)


def _has(given: Settings, tier: Tier) -> bool:
    from jukinet_mq.cli.running import has_database

    return has_database(given, tier)


async def _database(given: Settings, tier: Tier) -> list[Finding]:
    from jukinet_mq.cli.running import open_database
    from jukinet_mq.store import desk, migrations

    layer = f"database {tier}"
    await migrations.check(given.database_url(tier))
    async with open_database(given, tier) as db, db.transaction() as tx:
        asked = utc_now()
        health = await desk.health(tx)
        answered = utc_now()
    found = [_writable(layer, health)]
    apart = max(asked - health.clock, health.clock - answered, timedelta())
    found.append(_clock(f"clock {tier}", apart))
    found.append(_outbox(f"outbox {tier}", health))
    found.append(_inbox(tier, health))
    found.append(_quarantine(tier, health))
    return found


def _inbox(tier: Tier, health: Health) -> Finding:
    return Finding(
        f"inbox {tier}",
        ok=not health.parked,
        said=f"{health.inbox_pending:,} to be tried again, {health.parked:,} parked",
        fix=f"run `jukinet parked list --tier {tier}`" if health.parked else "",
    )


def _quarantine(tier: Tier, health: Health) -> Finding:
    counted = f", and {health.counted:,} more only counted" if health.counted else ""
    return Finding(
        f"quarantine {tier}",
        ok=not health.quarantined,
        said=f"{health.quarantined:,} deliveries held{counted}",
        fix=f"run `jukinet quarantine list --tier {tier}`" if health.quarantined else "",
    )


def _writable(layer: str, health: Health) -> Finding:
    if health.read_only:
        return Finding(
            layer,
            ok=False,
            said="answers, but is read-only",
            fix="name the primary in the tier's database URL, or let the server write again",
        )
    return Finding(layer, ok=True, said="answers, and holds this program's schema")


def _clock(layer: str, apart: timedelta) -> Finding:
    if apart > CLOCK_MAX:
        return Finding(
            layer,
            ok=False,
            said=f"the database's clock and this one's are {apart.total_seconds():.1f} s apart",
            fix="let both machines keep time by NTP",
        )
    return Finding(layer, ok=True, said="agrees with this machine's")


def _outbox(layer: str, health: Health) -> Finding:
    oldest = health.outbox_oldest
    if oldest is not None and health.clock - oldest > STUCK_AFTER:
        return Finding(
            layer,
            ok=False,
            said=f"{health.outbox_waiting:,} wait for the broker, the oldest since "
            f"{moment(oldest)}",
            fix="run the tier's worker, which relays: `jukinet worker TIER --all`; see broker",
        )
    return Finding(layer, ok=True, said=f"{health.outbox_waiting:,} wait for the broker")
