"""What is filed at a municipality: the business events that envelopes are made of.

One JSON object per event, told apart by `event`. Reading one checks all that needs neither
the day nor the database; `filings.check_event` checks the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import orjson
from pydantic import Field, TypeAdapter, ValidationError, model_validator
from uuid_utils.compat import uuid7

from jukinet_mq.envelope import SIZE_MAX
from jukinet_mq.errors import (
    ImpossibleDateError,
    MalformedBodyError,
    RejectedError,
    UnknownNodeError,
)
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import (
    CertifiedPerson,
    IdentityUpdate,
    MoveOutCertificate,
    Person,
    RegisterDate,
    ResidentClass,
    Sex,
)
from jukinet_mq.messages.body import Record, broken_rule, refused_by
from jukinet_mq.messages.fields import (
    Address,
    AreaCode,
    Day,
    Id,
    IndividualNumber,
    Instant,
    Name,
    Persons,
    ResidentCodes,
    require_distinct,
)
from jukinet_mq.messages.parsing import refusal
from jukinet_mq.messages.rules import area_node, require_area, require_move
from jukinet_mq.nodes import Directory, Node, NodeCode, Tier, directory

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

EVENT_SIZE_MAX: Final = SIZE_MAX
"""Bytes of one event's JSON text; what does not fit an envelope need not be read."""

PLANNED_DAYS_MAX: Final = 30
"""Days after the planned day of moving out, in which the card still serves (Order 24-2(1)2)."""
MOVED_IN_DAYS_MAX: Final = 14
"""Days after the day of moving in, likewise."""


class Filed(Record):
    """What every business event has."""

    event_id: Id = Field(default_factory=uuid7)
    """Made when missing. A second filing under the same id at the same municipality publishes
    nothing; a client that may repeat itself gives its own UUIDv7."""
    occurred_at: Instant | None = None
    """When it happened at the counter; the instant of publishing when missing. Orders a
    resident's updates."""
    municipality: AreaCode
    """Code of the municipality where it was filed; in a designated city the city's."""

    @property
    def node(self) -> NodeCode:
        """Where it was filed."""
        return NodeCode(self.municipality)

    def check_places(self, nodes: Directory) -> None:
        """Refuse places that are none, or not what the event says of them.

        Raises:
            UnknownNodeError: No municipality has a code.
            WardIsNotANodeError: `municipality` names a ward.
            MalformedBodyError: An area lies in another municipality.
            SameMunicipalityError: A move that ends where it began.
        """
        raise NotImplementedError

    def digest_text(self) -> bytes:
        """Return what two filings under one id must have in common."""
        return self.model_dump_json(exclude={"event_id"}, exclude_none=True).encode()

    def _municipality(self, nodes: Directory) -> Node:
        node = nodes.node(self.municipality)
        if node.tier is not Tier.MUNICIPALITY:
            raise UnknownNodeError(
                f"municipality: {node.code} ({node.name}) is no municipality; events are filed "
                "at municipalities",
                field="municipality",
            )
        return node


class IdentityUpdateFiled(Filed):
    """Any single update of a register entry: all 20 reasons of Rule art. 11."""

    event: Literal["identity-update"] = "identity-update"
    update: IdentityUpdate
    """What the prefecture and J-LIS are told."""

    def check_places(self, nodes: Directory) -> None:
        """See the base class."""
        node = self._municipality(nodes)
        require_area(self.update.area_code, field="update.area_code", node=node)

    @classmethod
    def example(cls) -> Self:
        """Return a valid event about nobody."""
        return cls(municipality="131016", update=IdentityUpdate.example())


class MovingPerson(Person):
    """Somebody who moves with a paper certificate."""

    individual_number: IndividualNumber
    """個人番号, from the paper."""


class MoveFiled(Filed):
    """A move-in filed at the new municipality with a paper certificate (Act art. 22)."""

    event: Literal["move"] = "move"
    persons: Persons[MovingPerson]
    """Who moved in; each once."""
    former_address: Address
    """転出元の住所."""
    former_area_code: AreaCode
    """Former municipality; in a designated city, its ward."""
    new_address: Address
    """新住所."""
    new_area_code: AreaCode
    """New municipality; in a designated city, its ward."""
    moved_in_on: Day
    """転入年月日."""
    filed_on: Day
    """届出年月日."""
    family_register_notice_needed: bool = False
    """Whether the former municipality must report to the family register's (Act art. 19)."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        require_distinct([person.resident_code for person in self.persons], field="persons")
        _require_order(moved_in_on=self.moved_in_on, filed_on=self.filed_on)
        return self

    def check_places(self, nodes: Directory) -> None:
        """See the base class."""
        new = self._municipality(nodes)
        former = area_node(self.former_area_code, field="former_area_code")
        require_move(self.former_area_code, self.new_area_code, former=former, new=new)

    @classmethod
    def example(cls) -> Self:
        """Return a valid event: from Chiyoda (131016) to Sapporo (011002)."""
        return cls(
            municipality="011002",
            persons=[
                MovingPerson(
                    resident_code=synthetic_resident_code(1),
                    resident_class=ResidentClass.JAPANESE,
                    name="髙橋 花子",
                    furigana="タカハシ ハナコ",
                    birth_date=RegisterDate.of(date(1994, 4, 12)),
                    sex=Sex.FEMALE,
                    individual_number=synthetic_individual_number(1),
                )
            ],
            former_address="東京都千代田区霞が関二丁目1番2号",
            former_area_code="131016",
            new_address="北海道札幌市中央区北一条西二丁目",
            new_area_code="011011",
            moved_in_on=date(2026, 3, 28),
            filed_on=date(2026, 3, 30),
            family_register_notice_needed=True,
        )


class CardMoveOutFiled(Filed):
    """A move-out filed at the former municipality by a card holder (Act art. 24-2(1)-(3))."""

    event: Literal["card-move-out"] = "card-move-out"
    persons: Persons[CertifiedPerson]
    """Who moves, with all items of the certificate; at least one of them has a card."""
    household_head: Name
    """世帯主の氏名, whether moving along or not."""
    former_address: Address
    """転出前の住所."""
    former_area_code: AreaCode
    """The municipality of the filing, or its ward."""
    planned_address: Address
    """転出先（予定）."""
    planned_area_code: AreaCode
    """Planned destination; in a designated city, its ward."""
    planned_on: Day
    """転出の予定年月日."""
    filed_on: Day
    """届出年月日."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        require_distinct([person.resident_code for person in self.persons], field="persons")
        if all(person.card is None for person in self.persons):
            raise broken_rule("no person has a card; file a move-out with paper instead")
        return self

    def check_places(self, nodes: Directory) -> None:
        """See the base class."""
        former = self._municipality(nodes)
        require_move(
            self.former_area_code,
            self.planned_area_code,
            former=former,
            new_field="planned_area_code",
        )

    @classmethod
    def example(cls) -> Self:
        """Return a valid event: from Chiyoda (131016), planned to Sapporo (011002)."""
        body = MoveOutCertificate.example()
        return cls(
            municipality="131016",
            persons=body.persons,
            household_head=body.household_head,
            former_address=body.former_address,
            former_area_code=body.former_area_code,
            planned_address=body.planned_address,
            planned_area_code=body.planned_area_code,
            planned_on=body.planned_on,
            filed_on=body.filed_on,
        )


class CardMoveInFiled(Filed):
    """The first move-in filing, with the card presented and no paper (Act art. 24-2)."""

    event: Literal["card-move-in"] = "card-move-in"
    resident_codes: ResidentCodes
    """Who moves in; all must stand on one certificate."""
    former_area_code: AreaCode
    """Former municipality; in a designated city, its ward."""
    new_address: Address
    """新住所."""
    new_area_code: AreaCode
    """The municipality of the filing, or its ward."""
    moved_in_on: Day
    """転入年月日."""
    filed_on: Day
    """届出年月日."""
    planned_on: Day | None = None
    """転出の予定年月日 as the filer states it; tells an erased certificate from none."""
    family_register_notice_needed: bool = False
    """Whether the former municipality must report to the family register's (Act art. 19)."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        _require_order(moved_in_on=self.moved_in_on, filed_on=self.filed_on)
        return self

    @property
    def former(self) -> NodeCode:
        """The municipality that issued the certificate."""
        return area_node(self.former_area_code, field="former_area_code").code

    def last_day(self, planned_on: date | None) -> date:
        """Return the last day on which this may be filed without paper (Order 24-2(1)2).

        三十日を経過した日, the day on which the privilege is lost, is the 31st day after the
        planned one, as it is the 15th after moving in: the duty to file (Act art. 22) ends
        with the 14th.
        """
        last = self.moved_in_on + timedelta(days=MOVED_IN_DAYS_MAX)
        if planned_on is None:
            return last
        return min(last, planned_on + timedelta(days=PLANNED_DAYS_MAX))

    def check_places(self, nodes: Directory) -> None:
        """See the base class."""
        new = self._municipality(nodes)
        former = area_node(self.former_area_code, field="former_area_code")
        require_move(self.former_area_code, self.new_area_code, former=former, new=new)

    @classmethod
    def example(cls) -> Self:
        """Return the filing that follows `CardMoveOutFiled.example`."""
        return cls(
            municipality="011002",
            resident_codes=[synthetic_resident_code(1), synthetic_resident_code(3)],
            former_area_code="131016",
            new_address="北海道札幌市中央区北一条西二丁目",
            new_area_code="011011",
            moved_in_on=date(2026, 3, 28),
            filed_on=date(2026, 3, 30),
            planned_on=date(2026, 3, 28),
            family_register_notice_needed=True,
        )


Event = IdentityUpdateFiled | MoveFiled | CardMoveOutFiled | CardMoveInFiled
EVENTS: Final[tuple[type[Event], ...]] = (
    IdentityUpdateFiled,
    MoveFiled,
    CardMoveOutFiled,
    CardMoveInFiled,
)
_NAMES: Final = tuple(str(kind.model_fields["event"].default) for kind in EVENTS)
ADAPTER: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


def read_event(content: bytes | str | Mapping[str, Any]) -> Event:
    """Return the event that a JSON text, or a mapping of the same shape, holds.

    Raises:
        MalformedBodyError: No such event, or a field that is wrong; names the fields.
        CheckDigitError: A code does not have its check digit.
        UnacceptableTextError: A text holds what may not stand in it.
        ImpossibleDateError: A date that no calendar has, or dates in the wrong order.
        UnknownNodeError: No municipality has one of the codes.
        WardIsNotANodeError: The filing's place is a ward.
        SameMunicipalityError: A move that ends where it began.
    """
    data = content if isinstance(content, bytes | str) else _text_of(content)
    if len(data) > EVENT_SIZE_MAX:
        raise MalformedBodyError(
            f"the event has {len(data)} bytes; the limit is {EVENT_SIZE_MAX}; file fewer persons"
        )
    try:
        event = ADAPTER.validate_json(data)
    except ValidationError as error:
        raise _refused(error.errors(include_url=False)) from None
    event.check_places(directory())
    return event


def _text_of(content: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError as error:
        raise MalformedBodyError(
            f"the event cannot be written as JSON in UTF-8 ({error}); give text, numbers, "
            "dates, lists and mappings only"
        ) from None


def _refused(findings: Sequence[ErrorDetails]) -> RejectedError:
    if findings[0]["type"].startswith("union_tag"):
        return MalformedBodyError(f"event: expected one of {', '.join(_NAMES)}", field="event")
    # The first part of each place is the union's: the event's own name.
    name = str(findings[0]["loc"][0]) if findings[0]["loc"] else "event"
    for finding in findings:
        finding["loc"] = finding["loc"][1:]
    return refusal(findings, title=name)


def _require_order(*, moved_in_on: date, filed_on: date) -> None:
    if filed_on < moved_in_on:
        raise refused_by(ImpossibleDateError("filed_on lies before moved_in_on (Act art. 22)"))
