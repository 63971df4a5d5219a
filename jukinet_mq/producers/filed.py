"""What is filed at a municipality: any single update, and the move-in with paper."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from uuid_utils.compat import uuid7

from jukinet_mq.errors import ImpossibleDateError, UnknownNodeError
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import IdentityUpdate, Person, RegisterDate, ResidentClass, Sex
from jukinet_mq.messages.body import Record, refused_by
from jukinet_mq.messages.fields import (
    Address,
    AreaCode,
    Day,
    Id,
    IndividualNumber,
    Persons,
    in_utc,
    require_distinct,
)
from jukinet_mq.messages.rules import area_node, require_area, require_move
from jukinet_mq.nodes import Directory, Node, NodeCode, Tier

Occurrence = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""RFC 3339 with any offset, kept in UTC: counters keep Japan's time."""


class Filed(Record, ABC):
    """What every business event has."""

    event_id: Id = Field(default_factory=uuid7)
    """Made when missing. A second filing under the same id at the same municipality publishes
    nothing; a client that may repeat itself gives its own UUIDv7."""
    occurred_at: Occurrence | None = None
    """When it happened at the counter; the instant of publishing when missing. Orders a
    resident's updates. At most 10 minutes ahead of this machine's clock, and not before the
    node's key began."""
    municipality: AreaCode
    """Code of the municipality where it was filed; in a designated city the city's."""

    @property
    def node(self) -> NodeCode:
        """Where it was filed."""
        return NodeCode(self.municipality)

    @abstractmethod
    def check_places(self, nodes: Directory) -> None:
        """Refuse places that are none, or not what the event says of them.

        Raises:
            UnknownNodeError: No municipality has a code.
            WardIsNotANodeError: `municipality` names a ward.
            MalformedBodyError: An area lies in another municipality.
            SameMunicipalityError: A move that ends where it began.
        """

    def digest_text(self) -> bytes:
        """Return what two filings under one id must have in common."""
        return self.model_dump_json(exclude={"event_id"}, exclude_none=True).encode()

    def municipality_of(self, nodes: Directory) -> Node:
        """Return the node of the filing; raises as `check_places`."""
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
        node = self.municipality_of(nodes)
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
        require_order(moved_in_on=self.moved_in_on, filed_on=self.filed_on)
        return self

    def check_places(self, nodes: Directory) -> None:
        """See the base class."""
        new = self.municipality_of(nodes)
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


def require_order(*, moved_in_on: date, filed_on: date) -> None:
    """Refuse a filing before the move that it is about (Act art. 22)."""
    if filed_on < moved_in_on:
        raise refused_by(ImpossibleDateError("filed_on lies before moved_in_on (Act art. 22)"))
