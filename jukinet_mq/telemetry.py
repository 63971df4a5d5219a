"""The event catalogue: every log line is a declared event with declared fields.

A field that is not on an event's list is dropped and counted, so no body, name or number
can reach a log by accident. Metrics are another subscriber of the same events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog


class Level(StrEnum):
    """How loudly an event is said."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """One declared event: `noun.verb_past`, how loud, and which fields it may carry."""

    name: str
    level: Level
    meaning: str
    fields: frozenset[str]


EVENTS: Final[dict[str, Event]] = {}
CONTEXT_FIELDS: Final = frozenset({"tier", "node", "worker", "reason", "error"})
dropped_fields: Final[Counter[str]] = Counter()
Subscriber = Callable[[Event, Mapping[str, Any]], None]
_subscribers: Final[list[Subscriber]] = []
_log = structlog.get_logger("jukinet")


def _declare(name: str, level: Level, meaning: str, *fields: str) -> Event:
    event = Event(name, level, meaning, frozenset(fields) | CONTEXT_FIELDS)
    EVENTS[name] = event
    return event


_DELIVERY = ("message_id", "kind", "sender", "outcome", "age_seconds", "attempts", "queue")

DELIVERY_SETTLED = _declare(
    "delivery.settled", Level.DEBUG, "One delivery's way has ended.", *_DELIVERY
)
DELIVERY_QUARANTINED = _declare(
    "delivery.quarantined", Level.WARNING, "A delivery is not trusted and is held.", *_DELIVERY
)
DELIVERIES_COUNTED = _declare(
    "deliveries.counted",
    Level.WARNING,
    "Deliveries are not trusted, and enough of their cause are held; they are only counted.",
    "sender",
    "deliveries",
)
BATCH_COMMITTED = _declare(
    "batch.committed",
    Level.INFO,
    "A batch of deliveries is kept and acknowledged.",
    "deliveries",
    "kept",
    "duplicates",
    "quarantined",
    "seconds",
)
GAP_NOTICED = _declare(
    "sequence.gap_noticed",
    Level.WARNING,
    "Numbers are missing after the grace period; their sender is asked to resend them.",
    "sender",
    "recipient",
    "plane",
    "missing",
)
GAP_UNCLOSED = _declare(
    "sequence.gap_unclosed",
    Level.ERROR,
    "Numbers were asked for in vain and stay missing; a person must look.",
    "sender",
    "recipient",
    "plane",
    "missing",
)
NUMBERS_UNKNOWN = _declare(
    "sequence.numbers_unknown",
    Level.ERROR,
    "A keeper lacks numbers that this node has never published.",
    "message_id",
    "keeper",
    "recipient",
    "plane",
    "unknown",
)
ENVELOPE_CONFLICTED = _declare(
    "envelope.conflicted",
    Level.ERROR,
    "An id or a number was used again with other content: an attack or a bug.",
    *_DELIVERY,
)
ENVELOPE_PARKED = _declare(
    "envelope.parked", Level.ERROR, "Handling failed for good; a person decides.", *_DELIVERY
)
ENVELOPE_RETRIED = _declare(
    "envelope.retried", Level.INFO, "Handling failed; it is due again later.", *_DELIVERY, "due_at"
)
RELAY_BATCHED = _declare(
    "relay.batched", Level.DEBUG, "Outbox rows are confirmed.", "relayed", "seconds"
)
RELAY_REFUSED = _declare(
    "relay.refused",
    Level.WARNING,
    "The broker refuses what goes to a recipient; it waits in the outbox and is tried again.",
    "recipient",
    "routing_key",
    "envelopes",
)
RELAY_ACCEPTED = _declare(
    "relay.accepted",
    Level.WARNING,
    "The broker takes envelopes to the recipient again.",
    "recipient",
    "refused_seconds",
)
RELAY_PAUSED = _declare(
    "relay.paused", Level.WARNING, "The broker takes no publishes; the outbox waits."
)
RELAY_RESUMED = _declare(
    "relay.resumed", Level.WARNING, "The broker takes publishes again.", "paused_seconds"
)
RECEIPTS_ISSUED = _declare(
    "receipts.issued", Level.DEBUG, "Due receipts are in the outbox.", "envelopes", "receipts"
)
RECEIPT_MISMATCHED = _declare(
    "receipt.mismatched",
    Level.ERROR,
    "A receipt speaks of other bytes than were published.",
    "message_id",
    "keeper",
)
RECEIPT_UNEXPECTED = _declare(
    "receipt.unexpected",
    Level.ERROR,
    "A node answers for an envelope that is not its to keep or to process; it is not counted.",
    "message_id",
    "keeper",
)
ENVELOPES_RESENT = _declare(
    "envelopes.resent",
    Level.INFO,
    "Envelopes without their receipts are relayed again, the same bytes.",
    "envelopes",
)
RECEIPTS_OVERDUE = _declare(
    "receipts.overdue",
    Level.ERROR,
    "Receipts do not come although the envelope was resent; a person must look.",
    "message_id",
    "kind",
    "keepers",
    "resends",
)
RECEIPTS_ARRIVED = _declare(
    "receipts.arrived",
    Level.WARNING,
    "Receipts that a person was told to look for have come.",
    "message_id",
)
KEEPER_SILENT = _declare(
    "keeper.silent",
    Level.ERROR,
    "A keeper answers nothing, not even what was resent to try it.",
    "keeper",
    "probes",
)
CONSISTENCY_CHECKED = _declare(
    "consistency.checked",
    Level.INFO,
    "A municipality's published updates are those that its keepers hold.",
    "check_id",
)
CONSISTENCY_BROKEN = _declare(
    "consistency.broken",
    Level.ERROR,
    "A keeper holds other updates than a municipality has published.",
    "check_id",
    "differences",
)
CONSISTENCY_UNANSWERED = _declare(
    "consistency.unanswered",
    Level.ERROR,
    "A keeper did not say what it holds.",
    "check_id",
    "keeper",
)
NOTICES_MISSING = _declare(
    "notices.missing",
    Level.WARNING,
    "Persons have moved out as planned and no move-in notice has come for them.",
    "persons",
    "oldest",
)
CONNECTION_CHANGED = _declare(
    "connection.changed",
    Level.WARNING,
    "The broker connection's state has changed.",
    "state",
    "login",
    "host",
)
DELIVERY_UNREADABLE = _declare(
    "delivery.unreadable",
    Level.ERROR,
    "A frame could not be read and has broken the connection; deliveries are taken one by one.",
)
TASK_FAILED = _declare(
    "task.failed",
    Level.ERROR,
    "A periodic task has failed in a way that this program does not know; it is run again.",
    "task",
)
CONSUMING_PAUSED = _declare(
    "consuming.paused",
    Level.WARNING,
    "Work waits for what it needs; `work` is what could not be done first.",
    "needs",
    "work",
    "login",
)
CONSUMING_RESUMED = _declare(
    "consuming.resumed", Level.WARNING, "All that waited is done.", "paused_seconds", "login"
)
TRANSACTION_REPEATED = _declare(
    "transaction.repeated",
    Level.WARNING,
    "PostgreSQL rolled work back for others beside it; it is done again. `tries` counts.",
    "work",
    "tries",
)
WORKER_STARTED = _declare(
    "worker.started", Level.INFO, "A worker consumes from its queues.", "queues", "pid"
)
WORKER_STOPPED = _declare("worker.stopped", Level.INFO, "A worker has ended.", "seconds")
LINES_DROPPED = _declare(
    "log.lines_dropped",
    Level.WARNING,
    "Log lines are lost: the log could not be written, or its reader was too slow.",
    "lines",
)
FIELD_DROPPED = _declare(
    "log.field_dropped",
    Level.WARNING,
    "A field that is not declared was kept out of the log; said once per name.",
    "field",
)
NODE_SUSPENDED = _declare(
    "node.suspended",
    Level.ERROR,
    "The keys of a node cannot be used; its queue is not consumed and nothing is signed for it.",
)
NODE_RESUMED = _declare(
    "node.resumed", Level.WARNING, "The keys of a node are good again, and it works."
)
TRUST_REFRESHED = _declare(
    "trust.refreshed", Level.DEBUG, "The trust store was read again.", "keys", "revoked"
)
FILING_REFUSED = _declare(
    "filing.refused",
    Level.WARNING,
    "A certificate came and cannot complete the filing that waited for it.",
    "event_id",
    "message_id",
)
CERTIFICATES_ERASED = _declare(
    "certificates.erased", Level.INFO, "Unused move-out certificates are erased.", "erased"
)


def emit(event: Event, **fields: object) -> None:
    """Say that *event* happened; fields that are not declared are dropped and counted.

    The first time that a field of some name is dropped is an event of its own.
    """
    for name in sorted(fields.keys() - event.fields):
        dropped_fields[name] += 1
        del fields[name]
        if dropped_fields[name] == 1:
            emit(FIELD_DROPPED, field=name)
    for subscriber in _subscribers:
        subscriber(event, fields)
    getattr(_log, event.level.value)(event.name, **fields)


def subscribe(subscriber: Subscriber) -> Callable[[], None]:
    """Call *subscriber* for every event from now on; return what ends that."""
    _subscribers.append(subscriber)
    return lambda: _subscribers.remove(subscriber)
