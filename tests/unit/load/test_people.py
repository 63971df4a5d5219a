from __future__ import annotations

from datetime import date, timedelta

import orjson
import pytest

from jukinet_mq import identifiers, text
from jukinet_mq.errors import SyntheticRangeError
from jukinet_mq.load.households import AGES_OF_MOVERS, MEAN_FAMILY_SIZE, Lifespan
from jukinet_mq.load.names import SPELLINGS
from jukinet_mq.load.people import Household, Population, Resident
from jukinet_mq.load.places import populated_areas
from jukinet_mq.messages import CertifiedPerson, ResidentClass, Sex
from jukinet_mq.nodes import directory

TODAY = date(2026, 4, 1)
COUNT = 20_000


@pytest.fixture(scope="module")
def crowd() -> list[Resident]:
    """20,000 residents of one population."""
    population = Population(7, today=TODAY)
    return [population.person() for _ in range(COUNT)]


@pytest.fixture(scope="module")
def households() -> list[Household]:
    """10,000 households of one population."""
    population = Population(8, today=TODAY)
    return [population.household() for _ in range(10_000)]


def test_every_text_of_every_resident_is_acceptable(crowd: list[Resident]) -> None:
    """Names, furigana, aliases and domiciles pass the checks of the network."""
    for resident in crowd:
        name = resident.name
        if name.name:
            text.check_name(name.name, field="name")
        if name.furigana:
            text.check_furigana(name.furigana, field="furigana")
        if name.alphabet_name:
            text.check_alphabet_name(name.alphabet_name, field="alphabet_name")
        if name.alias:
            text.check_alias(name.alias, field="alias")
        if name.former_surname:
            text.check_name(name.former_surname.text, field="former_surname")
            text.check_furigana(name.former_surname.furigana, field="former_surname_furigana")
        if resident.domicile:
            text.check_address(resident.domicile, field="domicile")


def test_every_area_gives_acceptable_addresses() -> None:
    """An address begins with the prefecture and names the municipality or ward."""
    population = Population(1, today=TODAY)
    for area in populated_areas(directory()):
        address = population.address(area)
        assert area.name in text.check_address(address, field="address")
        assert address.startswith(directory().prefecture_of(directory().route(area.code).code).name)


def test_every_resident_makes_a_valid_certificate(households: list[Household]) -> None:
    """All that a body may say of a person meets the body's rules."""
    for household in households:
        text.check_name(household.head, field="household_head")
        for resident in household.members:
            fields = resident.certified_person(recorded_in="131016")
            CertifiedPerson.model_validate_json(orjson.dumps(fields))


def test_numbers_are_synthetic_and_unique(crowd: list[Resident]) -> None:
    """No number could be a person's, and none is given twice."""
    for resident in crowd:
        identifiers.validate_resident_code(resident.resident_code, field="resident_code")
        identifiers.validate_individual_number(resident.individual_number, field="number")
        assert identifiers.is_synthetic_resident_code(resident.resident_code)
        assert identifiers.is_synthetic_individual_number(resident.individual_number)
        assert resident.enrolment.basic_pension_number.startswith("9999")
        assert resident.card is None or resident.card.verification_code.startswith("TEST")
    assert len({resident.resident_code for resident in crowd}) == COUNT
    assert len({resident.individual_number for resident in crowd}) == COUNT
    assert len({resident.enrolment.basic_pension_number for resident in crowd}) == COUNT


def test_same_seed_gives_the_same_people() -> None:
    """A run can be repeated; another seed or another offset gives other people."""

    def some(seed: int, offset: int = 0) -> list[str]:
        population = Population(seed, today=TODAY, offset=offset)
        return [population.person().name.shown for _ in range(50)]

    assert some(1) == some(1)
    assert some(1) != some(2)
    assert some(1) != some(1, offset=1000)


def test_populations_of_two_processes_do_not_meet() -> None:
    """Ranges that do not meet give no number twice."""
    first = Population(1, today=TODAY, offset=0, capacity=500)
    second = Population(1, today=TODAY, offset=500, capacity=500)
    codes = [p.person().resident_code for p in (first, second) for _ in range(500)]

    assert len(set(codes)) == 1000
    assert first.left == second.left == 0


def test_spent_population_says_so() -> None:
    """The number after the last one is refused, not made."""
    population = Population(1, today=TODAY, offset=999_999)
    population.person()

    with pytest.raises(SyntheticRangeError, match="up to 999999 are used"):
        population.person()


@pytest.mark.parametrize(("offset", "capacity"), [(-1, None), (1_000_001, None), (999_999, 2)])
def test_range_outside_the_test_range_is_refused(offset: int, capacity: int | None) -> None:
    """A population of numbers that could be somebody's cannot be made."""
    with pytest.raises(SyntheticRangeError, match="the test range holds 0 to 999999"):
        Population(1, today=TODAY, offset=offset, capacity=capacity)


def test_names_hold_what_keyboards_do_not(crowd: list[Resident]) -> None:
    """Variation sequences, non-BMP, compatibility kanji and small kana are all there."""
    names = "".join(resident.name.shown for resident in crowd)
    readings = "".join(resident.name.furigana or "" for resident in crowd)

    assert any("\U000e0100" <= character <= "\U000e01ef" for character in names)
    for special in ("\U00020bb7", "\U0002000b", "\ufa11", "\ufa10", "\u9ad9"):
        assert special in names, f"U+{ord(special):04X}"
    assert {"ョ", "ュ"} <= set(readings)


def test_other_spellings_are_in_the_juki_net_set() -> None:
    """A spelling that Juki Net could not carry would not be real."""
    spellings = [spelling for choices in SPELLINGS.values() for spelling in choices]

    assert [] == [ascii(kanji) for kanji in spellings if text.juki_code(kanji) is None]


def test_foreign_residents_are_as_rare_as_they_are(crowd: list[Resident]) -> None:
    """About three in a hundred, with letters always, kanji and alias sometimes, furigana never."""
    foreign = [r for r in crowd if r.resident_class is ResidentClass.FOREIGN]

    assert 0.025 < len(foreign) / COUNT < 0.035
    assert all(r.name.alphabet_name and r.name.furigana is None for r in foreign)
    assert all(r.domicile is None and r.register_head is None for r in foreign)
    assert {True, False} == {r.name.name is not None for r in foreign}
    assert {True, False} == {r.name.alias is not None for r in foreign}


def test_some_entries_are_not_complete(crowd: list[Resident]) -> None:
    """Furigana is missing on a few entries, former surnames stand on a few, with their reading."""
    japanese = [r for r in crowd if r.resident_class is ResidentClass.JAPANESE]
    without = sum(r.name.furigana is None for r in japanese) / len(japanese)
    former = sum(r.name.former_surname is not None for r in japanese) / len(japanese)

    assert 0.02 < without < 0.04
    assert 0.005 < former < 0.02


def test_ages_follow_the_profile_of_movers(crowd: list[Resident]) -> None:
    """Every band holds its share within one percentage point, men and women theirs."""
    years = [(TODAY - resident.born).days / 365.2425 for resident in crowd]
    for (first, last), percent in AGES_OF_MOVERS.items():
        share = 100 * sum(first <= age < last + 1 for age in years) / COUNT
        assert share == pytest.approx(percent, abs=1), (first, last)

    men = sum(resident.sex is Sex.MALE for resident in crowd)
    assert men / (COUNT - men) == pytest.approx(1.14, rel=0.05)


def test_newborns_are_born_in_the_last_two_weeks() -> None:
    """Births are filed within 14 days, and all others are older than that."""
    population = Population(3, today=TODAY)
    babies = [population.person(lifespan=Lifespan.NEWBORN) for _ in range(500)]
    others = [population.person() for _ in range(500)]

    assert all(timedelta(0) <= TODAY - baby.born <= timedelta(days=14) for baby in babies)
    assert all(TODAY - other.born >= timedelta(days=30) for other in others)
    assert not any(baby.year_only for baby in babies)


def test_households_have_the_mean_size_of_a_notice(households: list[Household]) -> None:
    """1.21 persons move with one filing."""
    persons = sum(len(household.members) for household in households)

    assert persons / len(households) == pytest.approx(MEAN_FAMILY_SIZE, rel=0.02)


def test_families_share_surname_and_domicile(households: list[Household]) -> None:
    """Members of a Japanese family have one spelling of one surname, and one register."""
    families = [h.members for h in households if len(h.members) > 1]
    japanese = [f for f in families if f[0].resident_class is ResidentClass.JAPANESE]

    assert len(japanese) > 500
    for family in japanese:
        assert len({member.name.shown.split()[0] for member in family}) == 1
        assert len({(member.domicile, member.register_head) for member in family}) == 1
        assert family[0].relationship == "世帯主"
        assert all(child.born > family[0].born for child in family if child.relationship == "子")


def test_cards_are_valid_today_and_issued_after_birth(households: list[Household]) -> None:
    """A card was issued in the past and expires in the future."""
    cards = [(m, m.card) for h in households for m in h.members if m.card is not None]

    assert len(cards) / sum(len(h.members) for h in households) == pytest.approx(0.7, abs=0.03)
    for holder, card in cards:
        assert holder.born <= card.issued_on <= TODAY < card.expires_on


def test_card_holders_of_a_card_move_hold_a_card() -> None:
    """A move without paper needs at least one card."""
    population = Population(4, today=TODAY)

    assert all(population.household(card_holder=True).members[0].card for _ in range(500))
