"""Lets SIGINT, SIGTERM and SIGHUP end long work between two transactions, not within one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedWaitError(Exception):
    """A signal came while there was nothing but input to wait for."""


class Interruption:
    """Notes the first of the signals; a second one ends the process as it would have before.

    For the main thread. A signal that is ignored, as SIGHUP is under nohup, stays so.

    Attributes:
        signal: The one that came.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._waits = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._restore()

    @property
    def exit_code(self) -> int | None:
        """What a shell says of a process that the signal ended; None where none came."""
        return None if self.signal is None else 128 + self.signal

    def wait(self, work: Callable[[], T]) -> T:
        """Return what *work* returns, which does nothing but read.

        Raises:
            InterruptedWaitError: A signal came, before or now.
        """
        self._waits = True
        try:
            if self.signal is not None:
                raise InterruptedWaitError
            return work()
        finally:
            self._waits = False

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()
        if self._waits:
            raise InterruptedWaitError

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
