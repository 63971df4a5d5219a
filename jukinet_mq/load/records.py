"""What a municipality keeps beside the identity set: insurances, pension, allowance, card."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from jukinet_mq.load.chance import Urn
from jukinet_mq.load.households import DAYS_OF_A_YEAR, HEAD, Member
from jukinet_mq.messages import PensionCategory
from jukinet_mq.messages.certificate import SYNTHETIC_CARD_PREFIX, SYNTHETIC_PENSION_PREFIX

_LATE_STAGE_ELDERLY: Final = 75
_LONG_TERM_CARE: Final = 65
_PENSION: Final = range(20, 60)
_ADULT: Final = 18
_NATIONAL_HEALTH: Final = 0.25
_PENSION_CATEGORIES: Final = Urn(
    {PensionCategory.FIRST: 20.0, PensionCategory.SECOND: 69.0, PensionCategory.THIRD: 11.0}.items()
)
"""About 14, 47 and 7 million insured; an order of magnitude."""
_CARD_VALID_YEARS: Final = {True: 10, False: 5}
"""To the tenth birthday of an adult, the fifth of a minor."""
_VALID_STILL: Final = timedelta(days=60)
_ISSUED_WITHIN_DAYS: Final = 200
"""Of the first day on which a card with that expiry could be issued."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Items 10 to 11-2 of Act art. 7.

    Attributes:
        national_health_insurance: 国民健康保険.
        late_stage_elderly_medical_care: 後期高齢者医療.
        long_term_care_insurance: 介護保険.
        pension_category: 国民年金の種別, of those who are insured.
        basic_pension_number: 9999 and six digits, likewise.
        child_allowance: 児童手当.
    """

    national_health_insurance: bool
    late_stage_elderly_medical_care: bool
    long_term_care_insurance: bool
    pension_category: PensionCategory | None
    basic_pension_number: str
    child_allowance: bool

    def fields(self) -> dict[str, Any]:
        """Return them as `messages.CertifiedPerson` has them."""
        fields: dict[str, Any] = {
            "national_health_insurance": self.national_health_insurance,
            "late_stage_elderly_medical_care": self.late_stage_elderly_medical_care,
            "long_term_care_insurance": self.long_term_care_insurance,
            "child_allowance": self.child_allowance,
        }
        if self.pension_category is not None:
            fields["national_pension"] = {
                "category": self.pension_category.value,
                "basic_pension_number": self.basic_pension_number,
            }
        return fields


@dataclass(frozen=True, slots=True)
class Card:
    """個人番号カード.

    Attributes:
        issued_on: 交付年月日.
        expires_on: A birthday still to come.
        verification_code: TEST and twelve digits.
    """

    issued_on: date
    expires_on: date
    verification_code: str

    def fields(self) -> dict[str, Any]:
        """Return it as `messages.Card` has it."""
        return {
            "issued_on": self.issued_on.isoformat(),
            "expires_on": self.expires_on.isoformat(),
            "verification_code": self.verification_code,
        }


def enrol(member: Member, *, number: int, of: int, today: date, random: Random) -> Enrolment:
    """Return what somebody of this age is enrolled in.

    Args:
        member: Whom it is about.
        number: Place in the test ranges.
        of: Size of the household.
        today: The day of the age.
        random: Decides.
    """
    age = _age(member.born, today)
    elderly = age >= _LATE_STAGE_ELDERLY
    return Enrolment(
        national_health_insurance=not elderly and random.random() < _NATIONAL_HEALTH,
        late_stage_elderly_medical_care=elderly,
        long_term_care_insurance=age >= _LONG_TERM_CARE,
        pension_category=_PENSION_CATEGORIES.draw(random) if age in _PENSION else None,
        basic_pension_number=f"{SYNTHETIC_PENSION_PREFIX}{number:06d}",
        child_allowance=member.relationship == HEAD and of > 2,  # noqa: PLR2004 - two and a child
    )


def issue_card(member: Member, *, number: int, today: date, random: Random) -> Card:
    """Return a card that was issued after the birth and is valid for a while yet."""
    valid = _CARD_VALID_YEARS[_age(member.born, today) >= _ADULT]
    soonest = _next_birthday(member.born, today + _VALID_STILL)
    expires_on = _birthday(member.born, soonest.year + random.randrange(valid - 1))
    issued_on = max(member.born, _birthday(member.born, expires_on.year - valid))
    waited = random.randrange(1 + min((today - issued_on).days, _ISSUED_WITHIN_DAYS))
    return Card(
        issued_on=issued_on + timedelta(days=waited),
        expires_on=expires_on,
        verification_code=f"{SYNTHETIC_CARD_PREFIX}{number:012d}",
    )


def _age(born: date, today: date) -> int:
    return int((today - born).days / DAYS_OF_A_YEAR)


def _next_birthday(born: date, after: date) -> date:
    this_year = _birthday(born, after.year)
    return this_year if this_year > after else _birthday(born, after.year + 1)


def _birthday(born: date, year: int) -> date:
    """Return the birthday of a year; who was born on 29 February has it on the 28th."""
    try:
        return born.replace(year=year)
    except ValueError:
        return born.replace(year=year, day=28)
