from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli import amounts, options
from jukinet_mq.nodes import Tier
from tests.fixtures.refusing import refusal


@pytest.mark.parametrize(
    ("text", "per_second"), [("50/s", 50), ("600/min", 10), ("600 / m", 10), ("7200/h", 2)]
)
def test_rate_is_read_in_any_unit(text: str, per_second: float) -> None:
    """A rate is so many a second, minute or hour."""
    assert per_second == amounts.read_rate(text)


@pytest.mark.parametrize("text", ["0/s", "50", "-1/s", "50/d", "fast", "1e3/s", "٣/s/", "٣/s"])
def test_what_is_no_rate_is_refused_with_examples(text: str) -> None:
    """Nothing is guessed: zero, bare numbers and unknown units are refused."""
    with pytest.raises(typer.BadParameter, match="50/s"):
        amounts.read_rate(text)


@pytest.mark.parametrize("read", [amounts.read_age, amounts.read_wait])
@given(count=st.integers(0, 10**18 - 1), unit=st.sampled_from(["ms", "s", "m", "min", "h", "d"]))
def test_any_length_of_time_is_read_or_refused_with_the_largest(
    read: Callable[[str], timedelta], count: int, unit: str
) -> None:
    """A length is read exactly, or the refusal names the largest; nothing overflows."""
    longest = amounts.AGE_MAX if read is amounts.read_age else amounts.WAIT_MAX
    text = f"{count}{unit}"

    if said := refusal(read, text):
        assert f"at most {amounts.span_text(longest)}" in said
    else:
        assert read(text) <= longest
        assert options.ages(read(text), None)[0] is not None


@given(st.text())
def test_what_is_no_length_of_time_is_refused_with_examples(text: str) -> None:
    """Any other text is refused by a usage error, whatever it holds."""
    said = refusal(amounts.read_age, text)

    assert "15m" in said or "at most" in said or amounts.read_age(text) >= timedelta()


@pytest.mark.parametrize("text", ["90s", "15m", "2h", "7d", "60000d"])
def test_length_of_time_is_written_as_it_is_typed(text: str) -> None:
    """Help and errors name lengths as a person would type them."""
    assert amounts.read_age(text) == amounts.read_age(amounts.span_text(amounts.read_age(text)))


def test_ages_bound_an_interval() -> None:
    """Older than one hour and newer than two is the hour in between."""
    before, after = options.ages(timedelta(hours=1), timedelta(hours=2))

    assert before is not None
    assert after is not None
    assert timedelta(hours=1) == before - after


def test_ages_that_let_nothing_through_are_refused() -> None:
    """Older than two hours and newer than one is nobody."""
    with pytest.raises(typer.BadParameter, match="nothing is older and newer"):
        options.ages(timedelta(hours=2), timedelta(hours=1))


def test_node_of_another_tier_than_the_one_named_is_refused() -> None:
    """A node and a tier that cannot go together would select nothing."""
    options.check_place("131016", [Tier.MUNICIPALITY, Tier.NATIONAL])
    options.check_place("131016", None)
    with pytest.raises(typer.BadParameter, match="municipality tier"):
        options.check_place("131016", [Tier.PREFECTURE])
