"""How long receipts gather."""

from __future__ import annotations

from datetime import timedelta

from jukinet_mq.consumers.receipts import LINGER_MAX, linger


def test_nobody_waits_for_a_single_receipt() -> None:
    """On a quiet day a receipt's envelope holds the next ones up for some milliseconds only."""
    assert linger(1) <= timedelta(milliseconds=10)


def test_a_round_for_many_senders_is_followed_by_a_longer_pause() -> None:
    """The more envelopes a round takes, the more receipts gather for the next one."""
    assert linger(40) == 40 * linger(1)


def test_pause_is_bounded() -> None:
    """However many senders wait, none waits longer than some seconds."""
    assert LINGER_MAX == linger(100_000)
