"""When to try again. Pure: no clock, no waiting, no chance of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A few at once, then exponential with jitter, bounded; then a person decides.

    Attributes:
        at_once: Tries after the first failure that do not wait.
        backoff: Wait before the first try that does wait.
        backoff_max: No wait is longer, jitter included.
        attempts_max: Tries in all; when they are spent the envelope is parked.
    """

    at_once: int = 2
    backoff: timedelta = timedelta(seconds=2)
    backoff_max: timedelta = timedelta(minutes=10)
    attempts_max: int = 12

    def delay(self, attempts: int, *, jitter: float) -> timedelta | None:
        """Return the wait after *attempts* failed tries, or None when the policy is spent.

        Args:
            attempts: Tries made so far, all failed; 1 or more.
            jitter: A number in [0, 1), drawn by the caller; the wait lies between half of
                the exponential value and the whole of it.
        """
        if attempts >= self.attempts_max:
            return None
        if attempts <= self.at_once:
            return timedelta(0)
        doublings = min(attempts - self.at_once - 1, 20)
        full: timedelta = min(self.backoff * 2**doublings, self.backoff_max)
        return full * (0.5 + jitter / 2)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sender waits for receipts of one kind before it asks again.

    Attributes:
        kept: From the broker's confirm until a keeper's first answer.
        processed: From the broker's confirm until `processed` of a keeper that has said `kept`.
        resends: Pauses between resends and their bound; when it is spent, a person is called.
    """

    kept: timedelta = timedelta(minutes=2)
    processed: timedelta = timedelta(minutes=10)
    resends: RetryPolicy = RetryPolicy(
        at_once=0,
        backoff=timedelta(minutes=2),
        backoff_max=timedelta(hours=1),
        attempts_max=10,
    )
