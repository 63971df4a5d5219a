"""Repeats what PostgreSQL rolled back for the sake of others beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import tenacity

from jukinet_mq import telemetry
from jukinet_mq.errors import RolledBackError

T = TypeVar("T")

TRIES_MAX: Final = 10
_PAUSES: Final = tenacity.wait_random_exponential(0.02, max=1)


async def repeated(work: Callable[[], Awaitable[T]], *, name: str) -> T:
    """Return what *work* returns; do it again when PostgreSQL has rolled it back.

    All transactions take their locks in one order (ADR 28), so this is for what that cannot cover:
    a migration under running workers, and what is not this program's. *work* must open its own
    transactions, and bear being repeated from its beginning.

    Args:
        work: What is done.
        name: What the log calls it.

    Raises:
        RolledBackError: Also the last of `TRIES_MAX` tries was rolled back.
    """

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        telemetry.emit(
            telemetry.TRANSACTION_REPEATED,
            work=name,
            tries=state.attempt_number,
            error=str(error),
        )

    result: T = await tenacity.AsyncRetrying(
        wait=_PAUSES,
        retry=tenacity.retry_if_exception_type(RolledBackError),
        stop=tenacity.stop_after_attempt(TRIES_MAX),
        before_sleep=note,
        reraise=True,
    )(work)
    return result
