"""What the broker refuses is held back for its recipient alone, and tried again ever more rarely.

Without this a full or missing queue would fill every window and keep all other recipients
waiting.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from jukinet_mq import telemetry
from jukinet_mq.envelope import SignedEnvelope
from jukinet_mq.errors import BrokerUnavailableError, JukinetError, PublishRefusedError
from jukinet_mq.nodes import NodeCode

PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 60.0
NACKS_BELIEVED: Final = 2
"""Nacks in a row for one recipient before each further one ends the connection: on a channel that
was told of a leader that is dead RabbitMQ 3.10 nacks until that node is back, or for ever."""

NAMED_MAX: Final = 3


@dataclass(slots=True)
class _Held:
    """One recipient to whom the broker takes nothing, always for the same reason."""

    reason: str
    since: float
    due: float
    pause: float = PAUSE_SECONDS
    tries: int = 1


class Refusals:
    """Which recipients are held back; outlives the connections of one relay."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[NodeCode, _Held] = {}

    def held(self) -> list[NodeCode]:
        """Return the recipients to whom nothing is to be published now."""
        now = self._clock()
        return [recipient for recipient, held in self._held.items() if held.due > now]

    def learn(self, answers: Iterable[tuple[SignedEnvelope, JukinetError | None]]) -> None:
        """Take note of what the broker said to a window.

        Raises:
            BrokerUnavailableError: It nacks envelopes to one recipient again and again; on
                another connection it may not.
        """
        refusals: dict[NodeCode, list[tuple[SignedEnvelope, JukinetError]]] = defaultdict(list)
        for envelope, refusal in answers:
            to_one = refusals[envelope.header.recipient]
            if refusal is not None:
                to_one.append((envelope, refusal))
        for recipient, to_one in refusals.items():
            if to_one:
                self._hold(recipient, *to_one[0], envelopes=len(to_one))
            else:
                self._release(recipient)
        nacked = [recipient for recipient in refusals if self._is_nacked_for_long(recipient)]
        if nacked:
            raise BrokerUnavailableError(
                f"RabbitMQ nacks again and again what goes to {', '.join(nacked[:NAMED_MAX])}"
                f"{' and others' if len(nacked) > NAMED_MAX else ''}; it waits in the outbox and "
                "is tried on another connection"
            )

    def _hold(
        self,
        recipient: NodeCode,
        envelope: SignedEnvelope,
        refusal: JukinetError,
        *,
        envelopes: int,
    ) -> None:
        now, held = self._clock(), self._held.get(recipient)
        if held is not None and held.reason == refusal.reason:
            held.pause = min(2 * held.pause, PAUSE_SECONDS_MAX)
            held.due = now + held.pause
            held.tries += 1
            return
        self._held[recipient] = _Held(refusal.reason, now, now + PAUSE_SECONDS)
        telemetry.emit(
            telemetry.RELAY_REFUSED,
            recipient=recipient,
            routing_key=envelope.routing_key,
            envelopes=envelopes,
            reason=refusal.reason,
            error=str(refusal),
        )

    def _release(self, recipient: NodeCode) -> None:
        held = self._held.pop(recipient, None)
        if held is not None:
            telemetry.emit(
                telemetry.RELAY_ACCEPTED,
                recipient=recipient,
                refused_seconds=round(self._clock() - held.since, 1),
            )

    def _is_nacked_for_long(self, recipient: NodeCode) -> bool:
        held = self._held.get(recipient)
        return (
            held is not None
            and held.reason == PublishRefusedError.reason
            and held.tries > NACKS_BELIEVED
        )
