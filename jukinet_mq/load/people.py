"""Synthetic residents and households: everything that a body may say of them, and nobody.

Numbers come from the documented test ranges only (`identifiers`); basic pension numbers and
card codes have the synthetic forms of `messages.certificate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from jukinet_mq.errors import SyntheticRangeError
from jukinet_mq.identifiers import (
    SYNTHETIC_COUNT,
    synthetic_individual_number,
    synthetic_resident_code,
)
from jukinet_mq.load.households import (
    FAMILY_SIZES,
    HEAD,
    Ages,
    Lifespan,
    Member,
    compose,
    newborn,
)
from jukinet_mq.load.names import Names, RegisteredName, Written
from jukinet_mq.load.places import Places
from jukinet_mq.load.records import Card, Enrolment, enrol, issue_card
from jukinet_mq.messages import ResidentClass, Sex
from jukinet_mq.nodes import Area, directory
from jukinet_mq.text import PartialDate

_JAPAN: Final = "japan"
_GENERATION_YEARS: Final = 29

FOREIGN_SHARE: Final = 0.03
"""Foreign residents among all: some 3.6 of 124 million, rounded."""
CARD_SHARE: Final = 0.7
"""Residents who hold a card: 89 million in July 2023."""
BIRTH_YEAR_ONLY: Final = 0.004
"""Foreign residents whose day of birth is not known; an assumption."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A resident who does not exist.

    Attributes:
        number: Place in the test ranges; every number of this person derives from it.
        resident_class: Japanese national or foreign resident.
        name: Name, furigana, former surname, alias.
        alias_since: When the alias was recorded.
        born: The day of birth.
        year_only: Whether the register knows but the year of it.
        sex: 男女の別.
        relationship: 世帯主との続柄.
        domicile: 本籍; Japanese nationals only.
        register_head: 筆頭者; likewise.
        enrolment: Insurances, pension, allowance.
        card: 個人番号カード, where there is one.
    """

    number: int
    resident_class: ResidentClass
    name: RegisteredName
    alias_since: date
    born: date
    year_only: bool
    sex: Sex
    relationship: str
    domicile: str | None
    register_head: str | None
    enrolment: Enrolment
    card: Card | None

    @property
    def resident_code(self) -> str:
        """住民票コード of the test range."""
        return synthetic_resident_code(self.number)

    @property
    def individual_number(self) -> str:
        """個人番号 of the test range."""
        return synthetic_individual_number(self.number)

    @property
    def birth_date(self) -> PartialDate:
        """What the register knows of the day of birth."""
        if self.year_only:
            return PartialDate.in_year(self.born.year)
        return PartialDate.exact(self.born)

    def person(self) -> dict[str, Any]:
        """Return the fields of `messages.Person`, as JSON has them; what is missing left out."""
        birth = self.birth_date
        return {
            "resident_code": self.resident_code,
            "resident_class": self.resident_class.value,
            **self.name.fields(),
            "birth_date": {"kind": birth.kind.value, "value": birth.value},
            "sex": self.sex.value,
        }

    def certified_person(self, *, recorded_in: str) -> dict[str, Any]:
        """Return the fields of `messages.CertifiedPerson`.

        Args:
            recorded_in: Area code of the municipality that recorded the alias, if there is one.
        """
        fields = self.person() | self.enrolment.fields()
        fields["relationship"] = self.relationship
        fields["individual_number"] = self.individual_number
        if self.domicile is not None:
            fields["family_register"] = {"domicile": self.domicile, "head": self.register_head}
        if self.name.alias is not None:
            since = self.alias_since.isoformat()
            fields["alias_history"] = [
                {"alias": self.name.alias, "recorded_on": since, "recorded_in": recorded_in}
            ]
        if self.card is not None:
            fields["card"] = self.card.fields()
        return fields


@dataclass(frozen=True, slots=True)
class Household:
    """Who moves together.

    Attributes:
        head: 世帯主の氏名, whether moving along or not.
        members: At least one; the head first where moving along.
    """

    head: str
    members: tuple[Resident, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """What a household shares.

    Attributes:
        surname: Of Japanese nationals; None for foreign residents.
        origin: Where foreign residents come from.
        domicile: 本籍 of Japanese nationals.
        parent: Name of a parent of the first member: 筆頭者, or the head who stays behind.
    """

    surname: Written | None
    origin: str
    domicile: str | None
    parent: str


class Population:
    """Draws residents; the same seed, day and offset give the same residents.

    No two residents of one population share a number. Populations of several processes do
    not either where their ranges of numbers, *offset* to *offset* + *capacity*, do not meet.
    """

    __slots__ = ("_ages", "_end", "_foreign_share", "_names", "_next", "_places", "_random")

    def __init__(
        self,
        seed: int,
        *,
        today: date,
        offset: int = 0,
        capacity: int | None = None,
        foreign_share: float = FOREIGN_SHARE,
    ) -> None:
        """Prepare to draw.

        Args:
            seed: Of everything random.
            today: Nobody is born later.
            offset: First number to use, 0 to 999,999.
            capacity: How many numbers to use; None for all that follow.
            foreign_share: Share of households of foreign residents.

        Raises:
            SyntheticRangeError: The test range does not hold these numbers.
        """
        end = SYNTHETIC_COUNT if capacity is None else offset + capacity
        if not 0 <= offset <= end <= SYNTHETIC_COUNT:
            raise SyntheticRangeError(
                f"numbers {offset} to {end - 1} asked for; the test range holds 0 to "
                f"{SYNTHETIC_COUNT - 1}. Choose a smaller offset or capacity."
            )
        self._next, self._end = offset, end
        self._random = Random(f"people/{seed}/{offset}")  # two processes, two crowds
        self._foreign_share = foreign_share
        self._ages = Ages(today)
        self._names = Names(self._random)
        self._places = Places(self._random, directory())

    @property
    def left(self) -> int:
        """How many numbers are still unused."""
        return self._end - self._next

    def take_number(self) -> int:
        """Return a number that nobody has, and use it up.

        Raises:
            SyntheticRangeError: All are used.
        """
        if self._next >= self._end:
            raise SyntheticRangeError(
                f"all synthetic numbers up to {self._end - 1} are used; the test range holds "
                f"{SYNTHETIC_COUNT} in all. Ask for fewer events, or use another range in a "
                "database that does not know these residents yet."
            )
        self._next += 1
        return self._next - 1

    def person(
        self, *, lifespan: Lifespan = Lifespan.MOVERS, foreign_share: float | None = None
    ) -> Resident:
        """Return one resident of the ages of *lifespan*.

        Args:
            lifespan: Which ages.
            foreign_share: Chance of a foreign resident, 0 to 1; None for the population's.

        Raises:
            SyntheticRangeError: All numbers are used.
        """
        if lifespan is Lifespan.NEWBORN:
            member = newborn(self._ages, self._random)
        else:
            born = self._ages.draw(self._random, lifespan)
            member = Member(self._ages.sex(self._random), born, HEAD)
        share = self._foreign_share if foreign_share is None else foreign_share
        return self._resident(member, self._family(member, share))

    def household(self, size: int | None = None, *, card_holder: bool = False) -> Household:
        """Return people who move together.

        Args:
            size: How many; None for the real mean of 1.21 persons to a notice.
            card_holder: Whether the first of them surely holds a card.

        Raises:
            SyntheticRangeError: Fewer numbers are left than the household needs.
        """
        size = size or FAMILY_SIZES.draw(self._random)
        members = compose(size, ages=self._ages, random=self._random)
        family = self._family(members[0], self._foreign_share)
        residents = tuple(
            self._resident(member, family, of=size, holds_card=card_holder and place == 0)
            for place, member in enumerate(members)
        )
        first = residents[0]
        return Household(
            head=first.name.shown if first.relationship == HEAD else family.parent,
            members=residents,
        )

    def address(self, area: Area) -> str:
        """Return an address in *area*; of a designated city, in one of its wards."""
        return self._places.address(area)

    def _family(self, first: Member, foreign_share: float) -> _Family:
        if self._random.random() < foreign_share:
            origin = self._names.origin()
            parent = self._names.foreign(Sex.MALE, origin=origin)
            return _Family(None, origin, None, parent.shown)
        surname = self._names.surname()
        # The head of a family register is a parent, or whoever kept the surname at marriage.
        head = self._names.given(Sex.MALE, born=first.born.year - _GENERATION_YEARS)
        return _Family(surname, _JAPAN, self._places.domicile(), surname.followed_by(head).text)

    def _resident(
        self, member: Member, family: _Family, *, of: int = 1, holds_card: bool = False
    ) -> Resident:
        number, today, random = self.take_number(), self._ages.today, self._random
        foreign, adult = family.surname is None, self._ages.is_adult(member.born)
        card = None
        if holds_card or random.random() < CARD_SHARE:
            card = issue_card(member, number=number, today=today, random=random)
        since = today - timedelta(days=random.randrange(1, 3650))
        return Resident(
            number=number,
            resident_class=ResidentClass.FOREIGN if foreign else ResidentClass.JAPANESE,
            name=self._name(member, family),
            alias_since=max(since, member.born),
            born=member.born,
            year_only=foreign and adult and random.random() < BIRTH_YEAR_ONLY,
            sex=member.sex,
            relationship=member.relationship,
            domicile=family.domicile,
            register_head=None if foreign else family.parent,
            enrolment=enrol(member, number=number, of=of, today=today, random=random),
            card=card,
        )

    def _name(self, member: Member, family: _Family) -> RegisteredName:
        if family.surname is None:
            return self._names.foreign(member.sex, origin=family.origin)
        return self._names.japanese(member.sex, born=member.born.year, surname=family.surname)
