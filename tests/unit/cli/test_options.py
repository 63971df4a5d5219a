from __future__ import annotations

import pytest
import typer

from jukinet_mq.cli import options


@pytest.mark.parametrize(
    ("text", "per_second"), [("50/s", 50), ("600/min", 10), ("600 / m", 10), ("7200/h", 2)]
)
def test_rate_is_read_in_any_unit(text: str, per_second: float) -> None:
    """A rate is so many a second, minute or hour."""
    assert per_second == options.read_rate(text)


@pytest.mark.parametrize("text", ["0/s", "50", "-1/s", "50/d", "fast", "1e3/s", "٣/s/"])
def test_what_is_no_rate_is_refused_with_examples(text: str) -> None:
    """Nothing is guessed: zero, bare numbers and unknown units are refused."""
    with pytest.raises(typer.BadParameter, match="50/s"):
        options.read_rate(text)


def test_no_rate_means_no_limit() -> None:
    """Whoever gives none wants all at once."""
    assert options.read_rate(None) is None


def test_ages_bound_an_interval() -> None:
    """Older than one hour and newer than two is the hour in between."""
    before, after = options.read_ages("1h", "2h")

    assert before is not None
    assert after is not None
    assert 3600 == (before - after).total_seconds()


def test_ages_that_let_nothing_through_are_refused() -> None:
    """Older than two hours and newer than one is nobody."""
    with pytest.raises(typer.BadParameter, match="nothing is older and newer"):
        options.read_ages("2h", "1h")
