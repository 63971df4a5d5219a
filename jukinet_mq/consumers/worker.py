"""One worker of a tier: everything that runs beside everything else in its process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.broker.caution import Caution
from jukinet_mq.broker.connection import Connection, Link, supervise
from jukinet_mq.broker.consuming import Batch, BatchConsumer
from jukinet_mq.broker.publishing import ConfirmingPublisher
from jukinet_mq.consumers.hosting import Hosting
from jukinet_mq.consumers.pipeline import Desk, keep
from jukinet_mq.consumers.receipts import issue, run_issuer
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.errors import (
    ConfigurationError,
    InvariantError,
    NodeKeyError,
    NotNowError,
    summary,
)
from jukinet_mq.nodes import NodeCode, Tier
from jukinet_mq.pausing import pause
from jukinet_mq.producers.refusals import Refusals
from jukinet_mq.producers.relay import run_relay
from jukinet_mq.store.listening import Bell
from jukinet_mq.store.patience import Patience

BATCH_MAX: Final = 500
RETRY_EVERY: Final = timedelta(seconds=1)
LOOK_AT_KEYS_EVERY: Final = timedelta(seconds=10)
"""What was mended, lost or has ended is noticed within this time; 0.1 s of work for the nation."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Work that comes round; each call is one round in a transaction of its own.

    Attributes:
        name: What the log calls it while it waits for the database.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker stands.

    Attributes:
        queues: Queue name → the node whose queue it is.
        nodes: Whose outbox rows this worker relays; None for the whole database's.
        in_flight: Deliveries that may be unacknowledged, over all queues.
        chores: What else comes round at this tier.
    """

    tier: Tier
    link: Link
    queues: Mapping[str, NodeCode]
    nodes: Sequence[NodeCode] | None
    in_flight: int
    chores: Sequence[Chore] = ()


class Worker:
    """Consumes, relays, issues receipts and retries, until it is told to stop."""

    def __init__(self, post: Post, desk: Desk, hosting: Hosting) -> None:
        self._post = post
        self._desk = desk
        self._hosting = hosting
        hosting.listen(self._rest_if_others_can_work)
        self._database = desk.database
        self._stop = asyncio.Event()
        self._outbox_bell = Bell(desk.database.url)
        self._kept = asyncio.Event()
        self._queues: Mapping[str, NodeCode] = {}
        self._rest = asyncio.Event()
        self._refusals = Refusals()
        self._caution = Caution()
        self._patiently = Patience(stop=self._stop, login=post.link.login)

    def stop(self) -> None:
        """Take nothing new; finish what is under way, then let `run` return."""
        self._stop.set()
        self._outbox_bell.ring()
        self._kept.set()
        self._rest.set()

    async def run(self) -> None:
        """Work until `stop` is called.

        Raises:
            ConfigurationError: Waiting would not help: a refused login.
        """
        started = time.monotonic()
        look = partial(self._hosting.look, self._post.queues.values())
        chores = [
            Chore("keys", LOOK_AT_KEYS_EVERY, look),
            Chore("retry", RETRY_EVERY, self._retry),
            *self._post.chores,
        ]
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._host())
                tasks.create_task(supervise(self._post.link, self._relay, stop=self._stop))
                tasks.create_task(self._issue())
                for chore in chores:
                    tasks.create_task(self._come_round(chore))
        finally:
            await self._outbox_bell.close()
        telemetry.emit(
            telemetry.WORKER_STOPPED,
            tier=self._post.tier.value,
            seconds=round(time.monotonic() - started, 1),
        )

    async def _host(self) -> None:
        """Consume from the queues of the nodes that can work, anew whenever those change."""
        while not self._stop.is_set():
            self._rest.clear()
            self._queues = self._of_able_nodes()
            if self._queues:
                await supervise(self._post.link, self._consume, stop=self._stop)
            else:
                await self._rest.wait()

    def _of_able_nodes(self) -> Mapping[str, NodeCode]:
        waiting = self._hosting.waiting
        return {queue: node for queue, node in self._post.queues.items() if node not in waiting}

    def _rest_if_others_can_work(self) -> None:
        if self._queues != self._of_able_nodes():
            self._rest.set()

    async def _consume(self, connection: Connection) -> None:
        """Consume until `_rest` is set.

        The connection then ends, and with it what it holds unacknowledged: that is delivered
        again to whoever consumes from the queue next, which for a node that waits is nobody.
        """
        consumer = await BatchConsumer.start(
            connection,
            self._queues,
            in_flight=self._post.in_flight,
            clock=self._database.clock,
            patience=self._post.link.heartbeat,
            caution=self._caution,
        )
        telemetry.emit(
            telemetry.WORKER_STARTED,
            tier=self._post.tier.value,
            queues=len(self._queues),
            pid=os.getpid(),
        )
        while batch := await consumer.next_batch(limit=BATCH_MAX, stop=self._rest):
            try:
                await self._patiently(partial(self._keep, batch), name="keep")
            except NodeKeyError as error:
                # Nothing of the batch is written or acknowledged; all of it comes again.
                if error.node not in self._queues.values():
                    raise
                self._hosting.suspend(error)
                self._rest.set()

    async def _keep(self, batch: Batch) -> None:
        # Commit first, ack second. A crash in between makes RabbitMQ deliver again; `admit`
        # then says it is no news, and the receipt already given is the only one there is.
        await keep(batch.deliveries, self._desk)
        await batch.ack()
        self._kept.set()

    async def _relay(self, connection: Connection) -> None:
        publisher = await ConfirmingPublisher.open(connection)
        await run_relay(
            self._database,
            publisher,
            refusals=self._refusals,
            nodes=self._post.nodes,
            patiently=self._patiently,
            wait=self._outbox_bell.wait,
            stop=self._stop,
        )

    async def _issue(self) -> None:
        issue_due = partial(issue, self._database, self._desk.work.publisher)
        await run_issuer(
            partial(self._hosting.work, None, issue_due),
            patiently=self._patiently,
            kept=self._kept,
            stop=self._stop,
        )

    async def _retry(self) -> None:
        while await self._hosting.work(None, partial(retry_due, self._desk)):
            self._kept.set()

    async def _come_round(self, chore: Chore) -> None:
        while not self._stop.is_set():
            try:
                await self._patiently(chore.run, name=chore.name)
            except (ConfigurationError, NotNowError, InvariantError):
                raise
            except Exception as error:  # noqa: BLE001 - the exchange must go on without it
                telemetry.emit(telemetry.TASK_FAILED, task=chore.name, error=summary(error))
            await pause(chore.every, stop=self._stop)
