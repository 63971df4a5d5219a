"""The identity plane: what the prefecture and J-LIS are told about a resident."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from jukinet_mq.errors import ImpossibleDateError
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import identity_rules
from jukinet_mq.messages.body import Body, Keeper, Reader, Travel, refused_by
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.messages.fields import (
    Address,
    AreaCode,
    Day,
    Id,
    IndividualNumber,
    Instant,
    ResidentCode,
    ResidentCodes,
    SignedText,
)
from jukinet_mq.messages.person import Person, ResidentClass, Sex
from jukinet_mq.messages.reasons import ChangeReason, EventClass
from jukinet_mq.messages.rules import require_area, require_move, require_not_ahead
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane

if TYPE_CHECKING:
    from jukinet_mq.nodes import Node

ORIGINALS_MAX: Final = 64
"""Envelopes in one forward; 64 ordinary ones (2.2 kB each) make 190 of the 256 KiB allowed."""


class IdentityUpdate(Person, Body):
    """本人確認情報の通知 (Act art. 30-6): an entry was added, deleted or corrected.

    On a deletion every value is the one that stood on the deleted entry (Act art. 30-6(1)).
    """

    model_config = ConfigDict(json_schema_extra=identity_rules.schema_rules)

    kind: ClassVar[str] = "identity-update"
    plane: ClassVar[Plane] = Plane.IDENTITY
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.PREFECTURE})
    travel: ClassVar[Travel] = Travel.UPWARD
    readers: ClassVar[tuple[Reader, ...]] = (Reader.RECIPIENT, Reader.NATIONAL)
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT, Keeper.NATIONAL_BY_FORWARD)
    actors: ClassVar[tuple[Keeper, ...]] = keepers

    event_class: EventClass
    """記載, 消除, or one of three kinds of 修正 (Order art. 30-5)."""
    reason: ChangeReason
    """異動事由 (Rule art. 11); must be one of the event class's."""
    event_date: RegisterDate
    """事由が生じた年月日. On a filed move-out (domestic or overseas): the planned day of
    moving out (転出予定年月日), always exact, possibly ahead."""
    address: Address
    """住所 with building and room (方書). On a deletion: the address of the deleted entry."""
    area_code: AreaCode
    """Code of the municipality that the address lies in; in a designated city, its ward."""
    individual_number: IndividualNumber | None = None
    """個人番号, 12 digits. Missing only while none has been designated, such as at a birth."""
    previous_individual_number: IndividualNumber | None = None
    """変更前の個人番号: only where that number was corrected and one existed (Order art. 30-5
    item 4)."""
    previous_resident_code: ResidentCode | None = None
    """変更前の住民票コード: likewise (Order art. 30-5 item 5)."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        broken = identity_rules.broken(self)
        if broken is not None:
            raise broken
        born, happened = self.birth_date.exact, self.event_date.exact
        if born is not None and happened is not None and happened < born:
            raise refused_by(ImpossibleDateError("event_date lies before birth_date"))
        return self

    def check_route(self, *, sender: Node, recipient: Node) -> None:  # noqa: ARG002
        """Hold the address against the sender: only the municipality of residence may speak.

        Raises:
            UnknownNodeError: No municipality or ward has the area code.
            : The area belongs to another municipality than the sender.
        """
        require_area(self.area_code, field="area_code", node=sender)

    def check_dates(self, *, today: date) -> None:
        """Refuse what has not happened yet; a filed move-out may be planned.

        Raises:
            ImpossibleDateError: The event or the birth lies after *today*.
        """
        require_not_ahead(self.birth_date, today=today, field="birth_date")
        if self.reason not in identity_rules.FILED_MOVE_OUTS:
            require_not_ahead(self.event_date, today=today, field="event_date")

    @classmethod
    def example(cls, reason: ChangeReason = ChangeReason.DOMESTIC_MOVE_IN) -> Self:
        """Return a valid update with *reason*; Chiyoda (131016) would say it to Tokyo (130001)."""
        return cls(
            resident_code=synthetic_resident_code(1),
            resident_class=ResidentClass.JAPANESE,
            name="髙橋 花子",
            furigana="タカハシ ハナコ",
            birth_date=RegisterDate.of(date(1994, 4, 12)),
            sex=Sex.FEMALE,
            event_class=reason.event_class,
            reason=reason,
            event_date=RegisterDate.of(date(2026, 3, 28)),
            address="東京都千代田区霞が関二丁目1番2号",
            area_code="131016",
            individual_number=synthetic_individual_number(1),
            previous_individual_number=(
                synthetic_individual_number(2)
                if reason in identity_rules.PREVIOUS_NUMBER_NEEDED
                else None
            ),
            previous_resident_code=(
                synthetic_resident_code(2)
                if reason in identity_rules.PREVIOUS_CODE_NEEDED
                else None
            ),
        )


class IdentityForward(Body):
    """The prefecture's notice to J-LIS (Act art. 30-7): the municipalities' own words.

    Not sealed again: its contents are already sealed to J-LIS.
    """

    kind: ClassVar[str] = "identity-forward"
    plane: ClassVar[Plane] = Plane.IDENTITY
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.PREFECTURE})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.NATIONAL})
    travel: ClassVar[Travel] = Travel.UPWARD
    readers: ClassVar[tuple[Reader, ...]] = ()
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)

    originals: Annotated[list[SignedText], Field(min_length=1, max_length=ORIGINALS_MAX)]
    """The signed envelopes of `identity-update` exactly as they came, in the order they came."""
    forwarded_at: Instant
    """When the prefecture bundled them."""

    @classmethod
    def example(cls) -> Self:
        """Return a valid forward; its one original has the form of an envelope only."""
        return cls(
            originals=[_EXAMPLE_ORIGINAL],
            forwarded_at=datetime(2026, 3, 28, 1, 15, 30, tzinfo=UTC),
        )


_EXAMPLE_ORIGINAL: Final = (
    "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoianVraW5ldCtqd3MifQ."
    "eyJzcGVjdmVyc2lvbiI6IjEuMCJ9."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


class MoveOutConfirmation(Body):
    """転出確定通知 (Order art. 13(3)): the former municipality has received a move-in notice.

    Its fields are ours: the Order sets no list. It is not identity information, so it
    carries neither names nor an address.
    """

    kind: ClassVar[str] = "move-out-confirmation"
    plane: ClassVar[Plane] = Plane.IDENTITY
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY})
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.PREFECTURE})
    travel: ClassVar[Travel] = Travel.UPWARD
    readers: ClassVar[tuple[Reader, ...]] = (Reader.RECIPIENT,)
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)
    actors: ClassVar[tuple[Keeper, ...]] = ()

    notice_id: Id
    """Id of the `move-in-notice` envelope that was received."""
    resident_codes: ResidentCodes
    """住民票コード of every person of that notice."""
    former_area_code: AreaCode
    """Where they were registered: the sender, or one of its wards."""
    new_area_code: AreaCode
    """Where they are registered now."""
    moved_out_on: Day
    """転出年月日, now certain: the day of moving in that the notice states."""
    notice_received_on: Day
    """When the notice arrived."""

    def check_route(self, *, sender: Node, recipient: Node) -> None:  # noqa: ARG002
        """Hold the former area against the sender.

        Raises:
            UnknownNodeError: No municipality or ward has an area code.
            : The former area belongs to another municipality.
            SameMunicipalityError: Both areas belong to one municipality.
        """
        require_move(self.former_area_code, self.new_area_code, former=sender)

    def check_dates(self, *, today: date) -> None:
        """Refuse a receipt or a move that has not happened yet.

        Raises:
            ImpossibleDateError: One of the two days lies after *today*.
        """
        require_not_ahead(self.moved_out_on, today=today, field="moved_out_on")
        require_not_ahead(self.notice_received_on, today=today, field="notice_received_on")

    @classmethod
    def example(cls) -> Self:
        """Return a valid confirmation; Chiyoda (131016) would say it to Tokyo (130001)."""
        return cls(
            notice_id=UUID("019d3a10-6c00-7000-8000-000000000001"),
            resident_codes=[synthetic_resident_code(1), synthetic_resident_code(3)],
            former_area_code="131016",
            new_area_code="011011",
            moved_out_on=date(2026, 3, 28),
            notice_received_on=date(2026, 3, 30),
        )
