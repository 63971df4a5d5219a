from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.errors import CheckDigitError, MalformedBodyError, SyntheticRangeError
from jukinet_mq.identifiers import (
    individual_number_check_digit,
    is_synthetic_individual_number,
    is_synthetic_resident_code,
    resident_code_check_digit,
    synthetic_individual_number,
    synthetic_resident_code,
    validate_individual_number,
    validate_resident_code,
)
from jukinet_mq.nodes import check_digit

VECTORS = list(
    csv.DictReader(
        (Path(__file__).parents[1] / "vectors" / "check_digit_vectors.csv")
        .read_text(encoding="utf-8")
        .splitlines()
    )
)
CHECK_DIGITS: dict[str, Callable[[str], str]] = {
    "local_government_code": check_digit,
    "individual_number": individual_number_check_digit,
    "resident_code": resident_code_check_digit,
}
VALIDATORS = [
    pytest.param(validate_resident_code, resident_code_check_digit, 10, id="resident_code"),
    pytest.param(
        validate_individual_number, individual_number_check_digit, 11, id="individual_number"
    ),
]
type_of_validator = Callable[..., str]


def remainder(body: str) -> int:
    """Compute the remainder as the ordinance words it: P(n) from the lowest digit, Q(n)."""
    return (
        sum(int(p) * (n + 1 if n <= 6 else n - 5) for n, p in enumerate(reversed(body), start=1))
        % 11
    )


def test_there_are_25_vectors() -> None:
    """No vector was lost on the way here."""
    assert len(VECTORS) == 25


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["full"])
def test_vector_has_its_check_digit(vector: dict[str, str]) -> None:
    """Every published example gets the check digit that it was published with."""
    assert CHECK_DIGITS[vector["scheme"]](vector["body"]) == vector["check_digit"]
    assert vector["body"] + vector["check_digit"] == vector["full"]


@pytest.mark.parametrize(("validate", "digit", "length"), VALIDATORS)
@given(data=st.data())
def test_number_with_its_check_digit_is_returned_as_it_is(
    validate: type_of_validator, digit: Callable[[str], str], length: int, data: st.DataObject
) -> None:
    """Any body with its check digit is accepted, with any other digit refused."""
    body = data.draw(st.text("0123456789", min_size=length, max_size=length))
    last = data.draw(st.sampled_from("0123456789"))

    if last == digit(body):
        assert validate(body + last, field="number") == body + last
    else:
        with pytest.raises(CheckDigitError):
            validate(body + last, field="number")


@pytest.mark.parametrize(("validate", "digit", "length"), VALIDATORS)
@given(data=st.data())
def test_one_mistyped_digit_is_noticed_as_far_as_the_rule_can(
    validate: type_of_validator, digit: Callable[[str], str], length: int, data: st.DataObject
) -> None:
    """A changed digit passes only where both remainders give the check digit 0."""
    body = data.draw(st.text("0123456789", min_size=length, max_size=length))
    at = data.draw(st.integers(0, length - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != body[at]]))
    mistyped = body[:at] + other + body[at + 1 :]

    unnoticed = {remainder(body), remainder(mistyped)} == {0, 1}

    assert (digit(mistyped) == digit(body)) is unnoticed
    if not unnoticed:
        with pytest.raises(CheckDigitError):
            validate(mistyped + digit(body), field="number")


@pytest.mark.parametrize(("validate", "digit", "length"), VALIDATORS)
@pytest.mark.parametrize("change", ["-{}", "{}0", "{} ", "full-width", "short", "letters"])
def test_what_is_not_the_right_count_of_digits_is_refused(
    validate: type_of_validator, digit: Callable[[str], str], length: int, change: str
) -> None:
    """Spaces, hyphens, letters, full-width digits and other lengths are not repaired."""
    body = "1234567890123"[:length]
    good = body + digit(body)
    bad = {
        "full-width": good.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
        "short": good[1:],
        "letters": "a" + good[1:],
    }.get(change, change.format(good))

    with pytest.raises(MalformedBodyError):
        validate(bad, field="number")


@pytest.mark.parametrize(("validate", "digit", "length"), VALIDATORS)
def test_refusal_names_the_field_and_not_the_number(
    validate: type_of_validator, digit: Callable[[str], str], length: int
) -> None:
    """An error may be logged: the number stands neither in its text nor in its facts."""
    body = "2472705960" + "1" * (length - 10)
    wrong = body + str((int(digit(body)) + 1) % 10)

    with pytest.raises(CheckDigitError, match="previous_number") as refusal:
        validate(wrong, field="previous_number")

    assert wrong not in str(refusal.value)
    assert body not in str(refusal.value)
    assert refusal.value.facts == {"field": "previous_number"}


@given(st.integers(0, 999_999))
def test_synthetic_numbers_are_valid_and_recognisable(n: int) -> None:
    """What is made for a demonstration passes every check and lies in the test range."""
    code, number = synthetic_resident_code(n), synthetic_individual_number(n)

    assert validate_resident_code(code, field="c").startswith(f"9999{n:06d}")
    assert validate_individual_number(number, field="n").startswith(f"99999{n:06d}")
    assert is_synthetic_resident_code(code)
    assert is_synthetic_individual_number(number)


def test_numbers_outside_the_test_range_are_not_synthetic() -> None:
    """A number that could be a person's is never taken for a synthetic one."""
    assert not is_synthetic_resident_code("12345678903")
    assert not is_synthetic_individual_number("123456789018")
    assert not is_synthetic_individual_number(synthetic_resident_code(0))
    assert not is_synthetic_resident_code(synthetic_individual_number(0))


@pytest.mark.parametrize("n", [-1, 1_000_000])
@pytest.mark.parametrize("make", [synthetic_resident_code, synthetic_individual_number])
def test_no_number_is_made_outside_the_test_range(make: Callable[[int], str], n: int) -> None:
    """There is no way to make a number that could belong to a person."""
    with pytest.raises(SyntheticRangeError):
        make(n)
