"""Signals end long work between its steps, with what they are in the exit code."""

from __future__ import annotations

import os
import signal

import pytest

from jukinet_mq.cli.interruption import InterruptedWaitError, Interruption

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_during_work_ends_the_next_wait(number: signal.Signals) -> None:
    """Work in hand goes on; then nothing more is read."""
    with Interruption() as interruption:
        os.kill(os.getpid(), number)
        with pytest.raises(InterruptedWaitError):
            interruption.wait(lambda: pytest.fail("nothing may be read any more"))

    assert (number, 128 + number) == (interruption.signal, interruption.exit_code)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_during_a_wait_ends_it(number: signal.Signals) -> None:
    """An import that waits for a slow writer ends at once."""
    reading, writing = os.pipe()

    def kill_and_read() -> bytes:
        os.kill(os.getpid(), number)
        return os.read(reading, 1)

    with Interruption() as interruption, pytest.raises(InterruptedWaitError):
        interruption.wait(kill_and_read)

    os.close(reading)
    os.close(writing)
    assert number == interruption.signal


@pytest.mark.parametrize("number", SIGNALS)
def test_second_signal_does_what_it_did_before(number: signal.Signals) -> None:
    """Who is in a hurry says it twice."""
    before = signal.getsignal(number)
    with Interruption():
        assert before is not signal.getsignal(number)
        os.kill(os.getpid(), number)
        assert before is signal.getsignal(number)


def test_ignored_signal_stays_ignored() -> None:
    """Under nohup the end of the terminal is no reason to end."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert "read" == interruption.wait(lambda: "read")
    finally:
        signal.signal(signal.SIGHUP, before)

    assert interruption.exit_code is None
