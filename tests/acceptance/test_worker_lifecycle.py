"""Starting, stopping, killing and doubling workers: nothing is lost and nothing is doubled."""

from __future__ import annotations

import signal
from datetime import timedelta

from jukinet_mq.nodes import Tier
from tests.fixtures.filing import answered, inject_updates, injected, update
from tests.fixtures.installation import CHIYODA, TOKYO, Installation, Process

WAITING = "SELECT count(*) FROM outbox WHERE relayed_at IS NULL"
RECORDED = "SELECT count(*), count(DISTINCT message_id) FROM register_history"
GRACE = timedelta(seconds=15)


async def recorded(installation: Installation) -> int:
    """Return how many updates J-LIS has recorded so far."""
    return int((await installation.fetch(Tier.NATIONAL, RECORDED))[0][0])


async def all_recorded(installation: Installation, count: int) -> None:
    """Wait until J-LIS and the prefecture hold *count* updates, each once."""
    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        await installation.holds(tier, RECORDED, [(count, count)])


async def test_event_injected_while_nobody_works_goes_out_later(
    installation: Installation,
) -> None:
    """The outbox holds an event until a worker of its tier relays it."""
    event_id = injected(installation, update(2))
    assert 1 <= (await installation.fetch(Tier.MUNICIPALITY, WAITING))[0][0]

    with installation.workers():
        await answered(installation, event_id, 2)


async def test_workers_drain_and_exit_0_when_told_to_end(installation: Installation) -> None:
    """SIGTERM with work in hand ends a worker in its grace period; the next one goes on."""
    before = await recorded(installation)
    with installation.workers() as workers:
        inject_updates(installation, range(1000, 1200))
        await installation.until(lambda: _more_than(installation, before), closely=True)
        codes = [worker.terminate() for worker in workers.values()]
        stopped = [worker.events("worker.stopped") for worker in workers.values()]

    assert [0, 0, 0] == codes
    assert all(stopped)
    with installation.workers():
        await all_recorded(installation, await _published(installation))


async def test_killed_workers_lose_and_double_nothing(installation: Installation) -> None:
    """SIGKILL at any moment, several times, and J-LIS ends with every update once."""
    inject_updates(installation, range(2000, 2300))
    for _ in range(3):
        before = await recorded(installation)
        with installation.workers() as workers:
            await installation.until(
                lambda seen=before: _more_than(installation, seen),  # type: ignore[misc]
                closely=True,
            )
            for worker in workers.values():
                worker.kill()
        inject_updates(installation, range(2300, 2400))

    with installation.workers():
        await all_recorded(installation, await _published(installation))


async def test_second_signal_ends_a_worker_at_once(installation: Installation) -> None:
    """A person who asks twice does not wait; what was in hand is delivered again."""
    with installation.process("worker", "prefecture", "--node", TOKYO) as worker:
        await installation.until(lambda: _said(worker, "worker.started"))
        worker.popen.send_signal(signal.SIGTERM)
        worker.popen.send_signal(signal.SIGTERM)
        code = worker.popen.wait(timeout=GRACE.total_seconds())

    assert code in {0, 128 + signal.SIGTERM}


async def test_second_worker_shares_the_work(installation: Installation) -> None:
    """Two workers of a prefecture and two of a municipality keep every update once."""
    with (
        installation.workers(),
        installation.process("worker", "prefecture", "--node", TOKYO),
        installation.process("worker", "municipality", "--node", CHIYODA),
    ):
        inject_updates(installation, range(3000, 3200))
        await all_recorded(installation, await _published(installation))


async def _published(installation: Installation) -> int:
    query = "SELECT count(*) FROM outbox WHERE kind = 'identity-update'"
    return int((await installation.fetch(Tier.MUNICIPALITY, query))[0][0])


async def _more_than(installation: Installation, count: int) -> bool:
    return await recorded(installation) > count


async def _said(worker: Process, name: str) -> bool:
    return bool(worker.events(name))
