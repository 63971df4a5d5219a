"""Whom the relay holds back, for how long, what it says of it, and when it leaves a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest

from jukinet_mq import telemetry
from jukinet_mq.envelope import Header, SignedEnvelope
from jukinet_mq.errors import (
    BrokerUnavailableError,
    JukinetError,
    PublishRefusedError,
    UnroutableError,
)
from jukinet_mq.nodes import NodeCode
from jukinet_mq.producers.refusals import PAUSE_SECONDS_MAX, Refusals
from jukinet_mq.routing import Plane, RoutingKey
from tests.fixtures.telling import Told

CHIYODA, TOKYO, HOKKAIDO = NodeCode("131016"), NodeCode("130001"), NodeCode("010006")
NACK, UNROUTABLE = PublishRefusedError("nack"), UnroutableError("no queue")


@dataclass
class Trial:
    """Refusals with a clock that is set by hand."""

    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.refusals = Refusals(clock=lambda: self.seconds)

    def say(self, answers: Mapping[NodeCode, JukinetError | None]) -> None:
        """Let the broker answer one envelope to each recipient."""
        self.refusals.learn((envelope(to), answer) for to, answer in answers.items())

    def held_for(self) -> float:
        """Let time pass until nobody is held back, and return how long that took."""
        start = self.seconds
        while self.refusals.held():
            self.seconds += 0.5
        return self.seconds - start


def envelope(recipient: NodeCode) -> SignedEnvelope:
    """Return something to *recipient*."""
    some = UUID("019d45b1-5a00-7000-8000-0000000000aa")
    now = datetime(2026, 4, 1, tzinfo=UTC)
    header = Header(some, "identity-update", 1, CHIYODA, recipient, 1, now, some)
    key = RoutingKey(recipient=recipient, sender=CHIYODA, kind=header.kind)
    return SignedEnvelope(header, Plane.IDENTITY, str(key), b"signed")


def test_only_the_refused_recipient_is_held_back() -> None:
    """Whoever the broker takes envelopes for is not."""
    trial = Trial()

    trial.say({TOKYO: UNROUTABLE, HOKKAIDO: None})

    assert [TOKYO] == trial.refusals.held()


def test_tries_grow_rarer_up_to_a_minute_and_start_anew_once_it_is_taken() -> None:
    """Half a second, doubled each time."""
    trial = Trial()
    pauses = []
    for _ in range(10):
        trial.say({TOKYO: UNROUTABLE})
        pauses.append(trial.held_for())

    assert [0.5, 1, 2, 4, 8, 16, 32, *[PAUSE_SECONDS_MAX] * 3] == pauses
    trial.say({TOKYO: None})
    trial.say({TOKYO: UNROUTABLE})
    assert 0.5 == trial.held_for()


def test_a_queue_that_is_missing_for_days_is_still_tried_once_a_minute() -> None:
    """However often it was tried in vain."""
    trial = Trial()
    for _ in range(5_000):
        trial.say({TOKYO: UNROUTABLE})

    assert PAUSE_SECONDS_MAX == trial.held_for()


def test_one_line_when_it_begins_and_one_when_it_ends(told: Told) -> None:
    """None per try, and none for a recipient that was never refused."""
    trial = Trial()
    for _ in range(5):
        trial.say({TOKYO: UNROUTABLE, HOKKAIDO: None})
        trial.held_for()
    trial.say({TOKYO: None, HOKKAIDO: None})

    (refused,) = told.named(telemetry.RELAY_REFUSED)
    assert (TOKYO, "unroutable", 1) == (
        refused["recipient"],
        refused["reason"],
        refused["envelopes"],
    )
    assert [{"recipient": TOKYO, "refused_seconds": 15.5}] == told.named(telemetry.RELAY_ACCEPTED)


def test_another_reason_is_said(told: Told) -> None:
    """The runbook is another."""
    trial = Trial()

    trial.say({TOKYO: UNROUTABLE})
    trial.say({TOKYO: NACK})

    reasons = [refused["reason"] for refused in told.named(telemetry.RELAY_REFUSED)]
    assert ["unroutable", "publish_refused"] == reasons


def test_connection_is_given_up_at_the_third_nack_and_each_later_one() -> None:
    """Two are believed: a leader that has just died is replaced sooner."""
    trial = Trial()
    for _ in range(2):
        trial.say({TOKYO: NACK})
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match="on another connection"):
            trial.say({TOKYO: NACK, HOKKAIDO: None})

    trial.say({HOKKAIDO: None})
    trial.say({TOKYO: None})
    trial.say({TOKYO: NACK})


def test_missing_queue_is_no_reason_to_leave_a_connection() -> None:
    """It is missing on every node."""
    trial = Trial()

    for _ in range(20):
        trial.say({TOKYO: UNROUTABLE})
