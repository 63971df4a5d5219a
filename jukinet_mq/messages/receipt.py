"""The receipt plane: what a keeper answers."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from jukinet_mq.messages.body import Body, Keeper, Reader, Record, Travel, broken_rule
from jukinet_mq.messages.fields import Id, Instant
from jukinet_mq.nodes import Tier
from jukinet_mq.routing import Plane

RECEIPTS_MAX: Final = 500
"""Receipts in one envelope; each takes at most some 400 of its 256 KiB once signed."""


class ReceiptLevel(StrEnum):
    """How far an envelope has come at its keeper; each is said once, in this order."""

    KEPT = "kept"
    """Archived; it cannot be lost any more."""
    PROCESSED = "processed"
    """Its handler has done all that was to be done."""
    REJECTED = "rejected"
    """Not accepted, or parked and discarded by a person; `reason` says why."""


def _level_rules(schema: dict[str, object]) -> None:
    """Say in JSON Schema what `Receipt` checks between its fields."""
    absent, text = {"type": "null"}, {"type": "string"}
    shapes = {
        ReceiptLevel.KEPT: (("kept_at",), ("processed_at", "reason")),
        ReceiptLevel.PROCESSED: (("kept_at", "processed_at"), ("reason",)),
        ReceiptLevel.REJECTED: (("reason",), ("processed_at",)),
    }
    schema["allOf"] = [
        {
            "if": {"properties": {"level": {"const": level.value}}},
            "then": {
                "required": list(needed),
                "properties": dict.fromkeys(needed, text) | dict.fromkeys(barred, absent),
            },
        }
        for level, (needed, barred) in shapes.items()
    ]


class Receipt(Record):
    """What became of one envelope at one keeper."""

    model_config = ConfigDict(json_schema_extra=_level_rules)  # type: ignore[typeddict-item]

    message_id: Id
    """Id of the envelope that is answered."""
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 over that envelope's signed bytes, lower-case hexadecimal."""
    level: ReceiptLevel
    """How far it has come."""
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    """Stable public reason of a rejection, as listed in the runbooks; only with `rejected`."""
    kept_at: Instant | None = None
    """When the archive was committed; with `kept` and `processed`, and with `rejected` where
    it had been kept."""
    processed_at: Instant | None = None
    """When the handler's effects were committed; with `processed` only."""

    @model_validator(mode="after")
    def _says_what_its_level_needs(self) -> Self:
        if (self.level is ReceiptLevel.REJECTED) is (self.reason is None):
            raise broken_rule("reason stands with level rejected, always and only")
        if (self.level is ReceiptLevel.PROCESSED) is (self.processed_at is None):
            raise broken_rule("processed_at stands with level processed, always and only")
        if self.kept_at is None and self.level is not ReceiptLevel.REJECTED:
            raise broken_rule(f"kept_at is missing; level {self.level.value} needs it")
        return self


class ReceiptNotice(Body):
    """The signed business answer to one or many envelopes; carries no personal data."""

    kind: ClassVar[str] = "receipt"
    plane: ClassVar[Plane] = Plane.RECEIPT
    sender_tiers: ClassVar[frozenset[Tier]] = frozenset(Tier)
    recipient_tiers: ClassVar[frozenset[Tier]] = frozenset({Tier.MUNICIPALITY, Tier.PREFECTURE})
    travel: ClassVar[Travel] = Travel.BACK
    readers: ClassVar[tuple[Reader, ...]] = ()
    keepers: ClassVar[tuple[Keeper, ...]] = (Keeper.RECIPIENT,)

    receipts: Annotated[list[Receipt], Field(min_length=1, max_length=RECEIPTS_MAX)]
    """Answers to envelopes of the recipient, oldest first."""

    @classmethod
    def example(cls) -> Self:
        """Return a valid notice with one receipt of each level."""
        kept_at = datetime(2026, 3, 28, 1, 15, 30, tzinfo=UTC)
        return cls(
            receipts=[
                Receipt(
                    message_id=UUID("019d3a10-6c00-7000-8000-000000000001"),
                    digest="0" * 64,
                    level=ReceiptLevel.KEPT,
                    kept_at=kept_at,
                ),
                Receipt(
                    message_id=UUID("019d3a10-6c00-7000-8000-000000000002"),
                    digest="1" * 64,
                    level=ReceiptLevel.PROCESSED,
                    kept_at=kept_at,
                    processed_at=datetime(2026, 3, 28, 1, 15, 31, tzinfo=UTC),
                ),
                Receipt(
                    message_id=UUID("019d3a10-6c00-7000-8000-000000000003"),
                    digest="2" * 64,
                    level=ReceiptLevel.REJECTED,
                    reason="signature_mismatch",
                ),
            ]
        )
