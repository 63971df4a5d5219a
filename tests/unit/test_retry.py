from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.retry import RetryPolicy

jitters = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    RetryPolicy,
    at_once=st.integers(0, 5),
    backoff=st.timedeltas(timedelta(milliseconds=1), timedelta(minutes=1)),
    backoff_max=st.timedeltas(timedelta(minutes=1), timedelta(days=1)),
    attempts_max=st.integers(1, 30),
)


@given(policy=policies, jitter=jitters)
def test_policy_gives_exactly_its_number_of_attempts(policy: RetryPolicy, jitter: float) -> None:
    """There is a wait after every attempt but the last one, and none after it."""
    waits = [policy.delay(n, jitter=jitter) for n in range(1, policy.attempts_max + 3)]

    assert None not in waits[: policy.attempts_max - 1]
    assert waits[policy.attempts_max - 1 :] == [None] * 3


@given(policy=policies, attempts=st.integers(1, 30), jitter=jitters)
def test_no_wait_is_longer_than_the_bound(
    policy: RetryPolicy, attempts: int, jitter: float
) -> None:
    """However often something failed, the next try is never further off than the policy says."""
    wait = policy.delay(attempts, jitter=jitter)

    assert wait is None or timedelta(0) <= wait <= policy.backoff_max


@given(policy=policies, jitter=jitters)
def test_first_tries_do_not_wait_and_the_rest_wait_ever_longer(
    policy: RetryPolicy, jitter: float
) -> None:
    """The policy's tries at once are at once; with equal jitter no later wait is shorter."""
    waits = [policy.delay(n, jitter=jitter) for n in range(1, policy.attempts_max)]
    delays = [wait for wait in waits if wait is not None]

    assert delays[: policy.at_once] == [timedelta(0)] * min(policy.at_once, len(delays))
    assert all(wait > timedelta(0) for wait in delays[policy.at_once :])
    assert delays == sorted(delays)


@given(policy=policies, attempts=st.integers(1, 30), low=jitters, high=jitters)
def test_jitter_moves_a_wait_within_half_of_itself(
    policy: RetryPolicy, attempts: int, low: float, high: float
) -> None:
    """Jitter spreads the tries of many envelopes and never more than halves a wait."""
    low, high = sorted((low, high))
    shortest = policy.delay(attempts, jitter=0)
    early, late = (policy.delay(attempts, jitter=jitter) for jitter in (low, high))

    if shortest is None or early is None or late is None:
        assert shortest is early is late is None
    else:
        assert shortest <= early <= late <= 2 * shortest + timedelta(microseconds=1)


def test_default_policy_doubles_from_two_seconds_to_ten_minutes() -> None:
    """Two tries at once, then 2 s, 4 s, 8 s up to ten minutes; after twelve tries a person."""
    waits = [RetryPolicy().delay(n, jitter=0.999999) for n in range(1, 13)]
    seconds = [None if wait is None else round(wait.total_seconds()) for wait in waits]

    assert seconds == [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, None]
