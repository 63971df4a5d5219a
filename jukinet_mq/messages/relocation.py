"""The relocation plane: what municipalities tell each other about a move.

Sealed to the recipient alone. Prefectures and J-LIS keep the sealed envelopes as evidence
and cannot open them: registered domicile, relationship and pension numbers are neither held
by nor passed through their computers.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self
from uuid import UUID

from pydantic import model_validator

from jukinet_mq.errors import ImpossibleDateError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages.body import Body, Keeper, Reader, Travel, broken_rule, refused_by
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.messages.fields import (
    Address,
    AreaCode,
    Day,
    Id,
    Persons,
    ResidentCodes,
    require_distinct,
)
from jukinet_mq.messages.person import Person, ResidentClass, Sex
from jukinet_mq.messages.rules import require_move, require_not_ahead
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node


class Relocation(Body):
    """What all kinds of this plane share: municipality to municipality, kept by all tiers."""

    plane: ClassVar[Plane] = Plane.RELOCATION
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    travel: ClassVar[Travel] = Travel.ACROSS
    readers: ClassVar[tuple[Reader, ...]] = (Reader.RECIPIENT,)
    keepers: ClassVar[tuple[Keeper, ...]] = (
        Keeper.RECIPIENT,
        Keeper.SENDER_PREFECTURE,
        Keeper.RECIPIENT_PREFECTURE,
        Keeper.NATIONAL,
    )


class MoveInNotice(Relocation):
    """転入通知 (Act art. 9(1)): somebody of yours is registered here now.

    One notice speaks of one filing, which may cover a household. The Act sets no list of
    items; this one holds what the receiver needs to correct its deleted entry (Order
    art. 13(2)).
    """

    kind: ClassVar[str] = "move-in-notice"

    group_id: Id
    """The same for every notice about one filing, re-sent and amended ones included."""
    persons: Persons[Person]
    """Who moved in; each once."""
    former_address: Address
    """転出元の住所, as far as the filing states it."""
    former_area_code: AreaCode
    """Code of the former municipality; in a designated city, of its ward."""
    new_address: Address
    """転出先住所（確定）."""
    new_area_code: AreaCode
    """Code of the new municipality; in a designated city, of its ward."""
    moved_in_on: Day
    """転入年月日; the receiver's 転出年月日."""
    filed_on: Day
    """届出年月日 of the move-in."""
    noticed_on: Day
    """転入通知年月日."""
    family_register_notice_needed: bool
    """Whether the receiver must also report to the municipality of the family register
    (Act art. 19)."""
    certificate_id: Id | None = None
    """Id of the `move-out-certificate` envelope that the filing used, if it used one."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        require_distinct([person.resident_code for person in self.persons], field="persons")
        if self.filed_on < self.moved_in_on:
            raise refused_by(ImpossibleDateError("filed_on lies before moved_in_on (Act art. 22)"))
        if self.noticed_on < self.filed_on:
            raise refused_by(ImpossibleDateError("noticed_on lies before filed_on"))
        return self

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Hold the two areas against the header: new is the sender, former the recipient.

        Raises:
            UnknownNodeError: No municipality or ward has an area code.
            MalformedBodyError: An area belongs to another municipality than the header says.
            SameMunicipalityError: Both areas belong to one municipality.
        """
        require_move(self.former_area_code, self.new_area_code, former=recipient, new=sender)

    def check_dates(self, *, today: date) -> None:
        """Refuse a move, filing, notice or birth that has not happened yet.

        Raises:
            ImpossibleDateError: A day lies after *today*.
        """
        require_not_ahead(self.moved_in_on, today=today, field="moved_in_on")
        require_not_ahead(self.filed_on, today=today, field="filed_on")
        require_not_ahead(self.noticed_on, today=today, field="noticed_on")
        for index, person in enumerate(self.persons):
            require_not_ahead(person.birth_date, today=today, field=f"persons.{index}.birth_date")

    @classmethod
    def example(cls) -> Self:
        """Return a valid notice; Sapporo (011002) would say it to Chiyoda (131016)."""
        return cls(
            group_id=UUID("019d3a10-6c00-7000-8000-0000000000a1"),
            persons=[
                Person(
                    resident_code=synthetic_resident_code(1),
                    resident_class=ResidentClass.JAPANESE,
                    name="髙橋 花子",
                    furigana="タカハシ ハナコ",
                    birth_date=RegisterDate.of(date(1994, 4, 12)),
                    sex=Sex.FEMALE,
                ),
                Person(
                    resident_code=synthetic_resident_code(3),
                    resident_class=ResidentClass.FOREIGN,
                    alphabet_name="ALMEIDA JOAO",
                    alias="高橋 ジョアン",
                    birth_date=RegisterDate.of(date(1992, 11, 3)),
                    sex=Sex.MALE,
                ),
            ],
            former_address="東京都千代田区霞が関二丁目1番2号",
            former_area_code="131016",
            new_address="北海道札幌市中央区北一条西二丁目",
            new_area_code="011011",
            moved_in_on=date(2026, 3, 28),
            filed_on=date(2026, 3, 30),
            noticed_on=date(2026, 3, 30),
            family_register_notice_needed=True,
        )


class RequestReason(StrEnum):
    """Why the destination has no certificate (Act art. 24-2(5))."""

    ERASED = "erased"
    """It came, but was erased 30 days after the planned date (Act art. 24-2(4))."""
    NEVER_RECEIVED = "never_received"
    """It never came."""


class MoveOutCertificateRequest(Relocation):
    """転出証明書情報の請求 (Act art. 24-2(5)): let us have the certificate again."""

    kind: ClassVar[str] = "move-out-certificate-request"

    reason: RequestReason
    """Why it is asked for."""
    resident_codes: ResidentCodes
    """住民票コード of everybody in the filing."""
    former_area_code: AreaCode
    """Where they moved out of: the recipient, or one of its wards."""
    new_area_code: AreaCode
    """Where they filed: the sender, or one of its wards."""
    filed_on: Day
    """届出年月日 of the move-in."""
    erased_certificate_id: Id | None = None
    """Id of the envelope whose content was erased; only with reason `erased`."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        if self.erased_certificate_id is not None and self.reason is not RequestReason.ERASED:
            raise broken_rule("erased_certificate_id is for reason erased only")
        return self

    def check_route(self, *, sender: Node, recipient: Node) -> None:
        """Hold the two areas against the header, as `MoveInNotice.check_route`.

        Raises:
            RejectedError: As there.
        """
        require_move(self.former_area_code, self.new_area_code, former=recipient, new=sender)

    def check_dates(self, *, today: date) -> None:
        """Refuse a filing that has not happened yet.

        Raises:
            ImpossibleDateError: The filing lies after *today*.
        """
        require_not_ahead(self.filed_on, today=today, field="filed_on")

    @classmethod
    def example(cls) -> Self:
        """Return a valid request; Sapporo (011002) would say it to Chiyoda (131016)."""
        return cls(
            reason=RequestReason.NEVER_RECEIVED,
            resident_codes=[synthetic_resident_code(1), synthetic_resident_code(3)],
            former_area_code="131016",
            new_area_code="011011",
            filed_on=date(2026, 3, 30),
        )
