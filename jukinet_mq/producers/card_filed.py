"""What is filed for a card-based move (Act art. 24-2): the move-out, then the move-in."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal, Self

from pydantic import model_validator

from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import CertifiedPerson, MoveOutCertificate
from jukinet_mq.messages.body import broken_rule
from jukinet_mq.messages.fields import (
    Address,
    AreaCode,
    Day,
    Name,
    Persons,
    ResidentCodes,
    require_distinct,
)
from jukinet_mq.messages.rules import area_node, require_move
from jukinet_mq.nodes import Directory, NodeCode
from jukinet_mq.producers.filed import Filed, require_order

PLANNED_DAYS_MAX: Final = 30
"""Days after the planned day of moving out, in which the card still serves (Order 24-2(1)2)."""
MOVED_IN_DAYS_MAX: Final = 14
"""Days after the day of moving in, likewise."""


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
        former = self.municipality_of(nodes)
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
        require_order(moved_in_on=self.moved_in_on, filed_on=self.filed_on)
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
        new = self.municipality_of(nodes)
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
