"""Who moves, at which age, with whom."""

from __future__ import annotations

from datetime import date, timedelta
from enum import Enum
from random import Random
from typing import Final, NamedTuple, assert_never

from jukinet_mq.load.chance import Urn
from jukinet_mq.messages import Sex

HEAD: Final = "世帯主"
CHILD: Final = "子"

# Percent of movers by first and last year of age. Published for 2019: 0-4, 15-39 in steps of
# five, 40-44 and 65+; the 16.8 % of the remaining bands are divided by our own judgement.
AGES_OF_MOVERS: Final = {
    (0, 4): 5.9,
    (5, 9): 3.4,
    (10, 14): 1.6,
    (15, 19): 5.3,
    (20, 24): 18.7,
    (25, 29): 19.3,
    (30, 34): 13.5,
    (35, 39): 8.7,
    (40, 44): 5.9,
    (45, 49): 4.6,
    (50, 54): 3.4,
    (55, 59): 2.3,
    (60, 64): 1.5,
    (65, 95): 5.9,
}
MEN_TO_A_WOMAN: Final = 1.14
"""Among movers, 2019."""

FAMILY_SIZES: Final = Urn({1: 0.8775, 2: 0.0665, 3: 0.03, 4: 0.0205, 5: 0.0055}.items())
"""Persons of one move-in notice; the mean is the real 1.21, the shape an assumption."""
MEAN_FAMILY_SIZE: Final = 1.21

DAYS_OF_A_YEAR: Final = 365.2425
NEWBORN_DAYS: Final = 14
"""A birth is filed within 14 days (Family Register Act art. 49)."""
_INFANT_DAYS_MIN: Final = 30
_ADULT: Final = 18
_HEAD_OF_A_FAMILY: Final = 25
_CHILD_OF_THE_HOUSE_MAX: Final = 25
_CHILD_OF_THE_HOUSE: Final = 0.3
_SPOUSE: Final = 0.75
_PARENT_AT_BIRTH: Final = (21, 40)
_SEX_NOT_ENTERED: Final = 0.002


class Lifespan(Enum):
    """Which ages to draw from."""

    MOVERS = "movers"
    NEWBORN = "newborn"
    LATE = "late"
    """Those who die; 55 to 104, most often 87, an assumption."""
    ADULT = "adult"
    """Movers' ages from 18."""


class Member(NamedTuple):
    """A place in a household, before anybody has it."""

    sex: Sex
    born: date
    relationship: str


class Ages:
    """Draws days of birth, none after *today*."""

    __slots__ = ("_adults", "_movers", "today")

    def __init__(self, today: date) -> None:
        """Prepare the bands."""
        self.today = today
        self._movers = Urn(AGES_OF_MOVERS.items())
        self._adults = Urn(
            ((max(first, _ADULT), last), share)
            for (first, last), share in AGES_OF_MOVERS.items()
            if last >= _ADULT
        )

    def draw(self, random: Random, lifespan: Lifespan) -> date:
        """Return a day of birth; a newborn is at most 14 days old, all others at least 30."""
        match lifespan:
            case Lifespan.MOVERS:
                first, last = self._movers.draw(random)
            case Lifespan.ADULT:
                first, last = self._adults.draw(random)
            case Lifespan.LATE:
                return self.born_years_ago(random.triangular(55, 105, 87))
            case Lifespan.NEWBORN:
                return self.today - timedelta(days=random.randrange(NEWBORN_DAYS + 1))
            case _:
                assert_never(lifespan)
        return self.born_years_ago(random.uniform(first, last + 1))

    def born_years_ago(self, years: float) -> date:
        """Return the day of birth of somebody of that age, in years and parts of a year."""
        days = max(_INFANT_DAYS_MIN, int(years * DAYS_OF_A_YEAR))
        return self.today - timedelta(days=days)

    def years(self, born: date) -> float:
        """Return the age of who was born then."""
        return (self.today - born).days / DAYS_OF_A_YEAR

    def is_adult(self, born: date) -> bool:
        """Tell whether who was born then is 18 or older."""
        return self.years(born) >= _ADULT

    def sex(self, random: Random) -> Sex:
        """Return a sex as among movers."""
        men = random.random() * (1 + MEN_TO_A_WOMAN) < MEN_TO_A_WOMAN
        return Sex.MALE if men else Sex.FEMALE


def compose(size: int, *, ages: Ages, random: Random) -> list[Member]:
    """Return the members of a moving household, its head first.

    One alone is sometimes a child who leaves the parents' household.
    """
    if size == 1:
        return [_single(ages, random)]
    born = ages.draw(random, Lifespan.ADULT)
    while ages.years(born) < _HEAD_OF_A_FAMILY:
        born = ages.draw(random, Lifespan.ADULT)
    members = [Member(ages.sex(random), born, HEAD)]
    if random.random() < _SPOUSE:
        members.append(_spouse(members[0], ages, random))
    while len(members) < size:
        members.append(_child(ages.years(born), ages, random))
    return members


def newborn(ages: Ages, random: Random) -> Member:
    """Return a child whose birth is filed now; sometimes the sex is not entered yet."""
    sex = Sex.UNRECORDED if random.random() < _SEX_NOT_ENTERED else ages.sex(random)
    return Member(sex, ages.draw(random, Lifespan.NEWBORN), CHILD)


def _single(ages: Ages, random: Random) -> Member:
    born = ages.draw(random, Lifespan.ADULT)
    leaves = ages.years(born) < _CHILD_OF_THE_HOUSE_MAX and random.random() < _CHILD_OF_THE_HOUSE
    return Member(ages.sex(random), born, CHILD if leaves else HEAD)


def _spouse(head: Member, ages: Ages, random: Random) -> Member:
    years = max(_ADULT + 1, ages.years(head.born) + random.gauss(0, 3))
    husband = head.sex is Sex.FEMALE
    return Member(
        sex=Sex.MALE if husband else Sex.FEMALE,
        born=ages.born_years_ago(years),
        relationship="夫" if husband else "妻",
    )


def _child(parent_years: float, ages: Ages, random: Random) -> Member:
    youngest, oldest = _PARENT_AT_BIRTH
    years = max(0.0, parent_years - random.uniform(youngest, min(oldest, parent_years)))
    return Member(ages.sex(random), ages.born_years_ago(years), CHILD)
