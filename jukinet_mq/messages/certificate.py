"""The relocation plane: the certificate of a card-based move, with all items of Order art. 24-3."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from jukinet_mq.errors import ImpossibleDateError
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages.body import Record, broken_rule, refused_by
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.messages.fields import (
    Address,
    Alias,
    AreaCode,
    Day,
    Id,
    IndividualNumber,
    Name,
    Persons,
    Relationship,
    require_distinct,
)
from jukinet_mq.messages.person import NAME_RULES, Person, ResidentClass, Sex
from jukinet_mq.messages.relocation import Relocation
from jukinet_mq.messages.rules import require_move, require_not_ahead

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node

UNUSED_DAYS_MAX: Final = 30
"""Days after the planned date for which an unused certificate may be held (Order art. 24-4)."""

ALIAS_HISTORY_MAX: Final = 30
SYNTHETIC_PENSION_PREFIX: Final = "9999"
"""Basic pension numbers of our examples and tests: 9999 and six digits."""
SYNTHETIC_CARD_PREFIX: Final = "TEST"
"""Card verification codes of our examples and tests: TEST and twelve digits."""


class PensionCategory(StrEnum):
    """国民年金の被保険者の種別 (National Pension Act art. 7)."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    VOLUNTARY = "voluntary"


class NationalPension(Record):
    """国民年金の被保険者の資格 (Act art. 7 item 11, Order art. 24-3)."""

    category: PensionCategory
    """被保険者の種別."""
    basic_pension_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")]
    """基礎年金番号, 10 digits without hyphen. Examples and tests use 9999 and six digits."""


class Card(Record):
    """個人番号カード of the person (Rule art. 7-2)."""

    issued_on: Day
    """交付年月日."""
    expires_on: Day
    """有効期間満了の日."""
    verification_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{4,64}$")]
    """What shows that the card is genuine; its real form is not public. Examples and tests use
    TEST and twelve digits."""

    @model_validator(mode="after")
    def _expires_after_issue(self) -> Self:
        if self.expires_on <= self.issued_on:
            raise refused_by(ImpossibleDateError("card.expires_on lies not after card.issued_on"))
        return self


class AliasEvent(Record):
    """通称の記載及び削除に関する事項 (Order art. 30-17(3))."""

    alias: Alias
    """通称."""
    recorded_on: Day
    """When it was recorded."""
    recorded_in: AreaCode
    """Municipality that recorded it."""
    deleted_on: Day | None = None
    """When it was deleted, if it was."""
    deleted_in: AreaCode | None = None
    """Municipality that deleted it."""

    @model_validator(mode="after")
    def _was_deleted_after_it_was_recorded(self) -> Self:
        if (self.deleted_on is None) is not (self.deleted_in is None):
            raise broken_rule("deleted_on and deleted_in come together")
        if self.deleted_on is not None and self.deleted_on < self.recorded_on:
            raise refused_by(ImpossibleDateError("deleted_on lies before recorded_on"))
        return self


class FamilyRegister(Record):
    """戸籍の表示 (Act art. 7 item 5)."""

    domicile: Address
    """本籍."""
    head: Name
    """筆頭者の氏名."""


def _person_rules(schema: dict[str, Any]) -> None:
    """Say in JSON Schema what `CertifiedPerson` checks between its fields."""
    records = {
        "if": {"properties": {"resident_class": {"const": ResidentClass.JAPANESE.value}}},
        "then": {"properties": {"alias_history": {"maxItems": 0}}},
        "else": {"properties": {"family_register": {"type": "null"}}},
    }
    schema["allOf"] = [*NAME_RULES, records]


class CertifiedPerson(Person):
    """Everything that Order art. 24-3 lets the certificate say of one person."""

    model_config = ConfigDict(json_schema_extra=_person_rules)

    relationship: Relationship
    """世帯主との続柄 (Act art. 7 item 4), for example 世帯主, 妻, 子."""
    family_register: FamilyRegister | None = None
    """戸籍の表示; Japanese nationals only, missing for who has none (無戸籍)."""
    individual_number: IndividualNumber
    """個人番号 (Act art. 7 item 8-2)."""
    alias_history: Annotated[list[AliasEvent], Field(max_length=ALIAS_HISTORY_MAX)] = Field(
        default_factory=list
    )
    """通称の履歴, oldest first; foreign residents only."""
    national_health_insurance: bool
    """国民健康保険の被保険者か (Act art. 7 item 10)."""
    late_stage_elderly_medical_care: bool
    """後期高齢者医療の被保険者か (Act art. 7 item 10-2)."""
    long_term_care_insurance: bool
    """介護保険の被保険者か (Act art. 7 item 10-3)."""
    national_pension: NationalPension | None = None
    """国民年金の被保険者であれば, その種別と番号."""
    child_allowance: bool
    """児童手当の支給を受けているか (Act art. 7 item 11-2)."""
    card: Card | None = None
    """The card; members of a household may move along without one (Act art. 24-2(2))."""

    @model_validator(mode="after")
    def _has_the_records_of_its_class(self) -> Self:
        if self.resident_class is ResidentClass.JAPANESE:
            if self.alias_history:
                raise broken_rule("alias_history is for foreign residents only")
        elif self.family_register is not None:
            raise broken_rule("family_register is for Japanese nationals only")
        return self


class MoveOutCertificate(Relocation):
    """転出証明書情報 (Act art. 24-2(3) and (6)): what the destination needs to register them.

    Sent at the move-out filing, and again when asked for. The destination erases it when it
    is unused 30 days after the planned date.
    """

    kind: ClassVar[str] = "move-out-certificate"

    group_id: Id
    """The same for every certificate about one filing."""
    persons: Persons[CertifiedPerson]
    """Who moves; each once, at least one of them with a card."""
    household_head: Name
    """世帯主の氏名 (Act art. 7 item 4), whether moving along or not."""
    former_address: Address
    """転出前の住所."""
    former_area_code: AreaCode
    """Code of the former municipality; in a designated city, of its ward."""
    planned_address: Address
    """転出先（予定）."""
    planned_area_code: AreaCode
    """Code of the planned destination; in a designated city, of its ward."""
    planned_on: Day
    """転出の予定年月日."""
    filed_on: Day
    """届出年月日 of the move-out."""
    request_id: Id | None = None
    """Id of the `move-out-certificate-request` envelope that this answers, if it does."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        require_distinct([person.resident_code for person in self.persons], field="persons")
        if all(person.card is None for person in self.persons):
            raise broken_rule("no person has a card; the move without paper needs one")
        return self

    @property
    def erase_on(self) -> date:
        """The last day on which the destination may hold it unused (Order art. 24-4)."""
        return self.planned_on + timedelta(days=UNUSED_DAYS_MAX)

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Hold the two areas against the header: former is the sender, planned the recipient.

        An answer to a request may go elsewhere than planned: to where they did file.

        Raises:
            UnknownNodeError: No municipality or ward has an area code.
            MalformedBodyError: An area belongs to another municipality than the header says.
            SameMunicipalityError: Both areas belong to one municipality.
        """
        require_move(
            self.former_area_code,
            self.planned_area_code,
            former=sender,
            new=recipient if self.request_id is None else None,
            new_field="planned_area_code",
        )

    def check_dates(self, *, today: date) -> None:
        """Refuse a filing, birth or card that has not happened yet; the move may be planned.

        Raises:
            ImpossibleDateError: A day lies after *today*.
        """
        require_not_ahead(self.filed_on, today=today, field="filed_on")
        for index, person in enumerate(self.persons):
            require_not_ahead(person.birth_date, today=today, field=f"persons.{index}.birth_date")
            if person.card is not None:
                require_not_ahead(
                    person.card.issued_on, today=today, field=f"persons.{index}.card.issued_on"
                )

    @classmethod
    def example(cls) -> Self:
        """Return a valid certificate; Chiyoda (131016) would say it to Sapporo (011002)."""
        return cls(
            group_id=UUID("019d3a10-6c00-7000-8000-0000000000b1"),
            persons=[_example_head(), _example_spouse()],
            household_head="髙橋 花子",
            former_address="東京都千代田区霞が関二丁目1番2号",
            former_area_code="131016",
            planned_address="北海道札幌市中央区北一条西二丁目",
            planned_area_code="011011",
            planned_on=date(2026, 3, 28),
            filed_on=date(2026, 3, 16),
        )


def _example_head() -> CertifiedPerson:
    return CertifiedPerson(
        resident_code=synthetic_resident_code(1),
        resident_class=ResidentClass.JAPANESE,
        name="髙橋 花子",
        furigana="タカハシ ハナコ",
        former_surname="渡邉",
        former_surname_furigana="ワタナベ",
        birth_date=RegisterDate.of(date(1994, 4, 12)),
        sex=Sex.FEMALE,
        relationship="世帯主",
        family_register=FamilyRegister(domicile="東京都千代田区千代田1番", head="髙橋 花子"),
        individual_number=synthetic_individual_number(1),
        national_health_insurance=True,
        late_stage_elderly_medical_care=False,
        long_term_care_insurance=False,
        national_pension=NationalPension(
            category=PensionCategory.FIRST,
            basic_pension_number=f"{SYNTHETIC_PENSION_PREFIX}000001",
        ),
        child_allowance=False,
        card=Card(
            issued_on=date(2023, 5, 8),
            expires_on=date(2033, 4, 12),
            verification_code=f"{SYNTHETIC_CARD_PREFIX}000000000001",
        ),
    )


def _example_spouse() -> CertifiedPerson:
    return CertifiedPerson(
        resident_code=synthetic_resident_code(3),
        resident_class=ResidentClass.FOREIGN,
        alphabet_name="ALMEIDA JOAO",
        alias="高橋 ジョアン",
        birth_date=RegisterDate.of(date(1992, 11, 3)),
        sex=Sex.MALE,
        relationship="夫",
        individual_number=synthetic_individual_number(3),
        alias_history=[
            AliasEvent(alias="高橋 ジョアン", recorded_on=date(2021, 6, 1), recorded_in="131016")
        ],
        national_health_insurance=True,
        late_stage_elderly_medical_care=False,
        long_term_care_insurance=False,
        child_allowance=False,
    )
