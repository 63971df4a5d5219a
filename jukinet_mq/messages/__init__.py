"""What happened: the kinds of body, and the one catalogue of them.

A new kind is one class in its family's file and one line in `catalogue.py`.
"""

from __future__ import annotations

from jukinet_mq.messages.body import Body, Keeper, Reader, Record, Travel
from jukinet_mq.messages.catalogue import (
    CATALOGUE,
    Kind,
    Owed,
    find_kind,
    keepers_of,
    kind_of,
    may_travel,
    owed_by,
    readers_of,
)
from jukinet_mq.messages.certificate import (
    AliasEvent,
    Card,
    CertifiedPerson,
    FamilyRegister,
    MoveOutCertificate,
    NationalPension,
    PensionCategory,
)
from jukinet_mq.messages.dates import RegisterDate
from jukinet_mq.messages.holdings import (
    SPAN_NUMBERS_MAX,
    SPANS_MAX,
    Holding,
    HoldingsAnswer,
    HoldingsRequest,
    Span,
    SpanHoldings,
)
from jukinet_mq.messages.identity import (
    ORIGINALS_MAX,
    IdentityForward,
    IdentityUpdate,
    MoveOutConfirmation,
)
from jukinet_mq.messages.parsing import build_body, parse_body
from jukinet_mq.messages.person import Person, ResidentClass, Sex
from jukinet_mq.messages.reasons import ChangeReason, EventClass
from jukinet_mq.messages.receipt import RECEIPTS_MAX, Receipt, ReceiptLevel, ReceiptNotice
from jukinet_mq.messages.relocation import (
    MoveInNotice,
    MoveOutCertificateRequest,
    Relocation,
    RequestReason,
)
from jukinet_mq.messages.resend import NUMBERS_MAX, ResendRequest

__all__ = [
    "CATALOGUE",
    "NUMBERS_MAX",
    "ORIGINALS_MAX",
    "RECEIPTS_MAX",
    "SPANS_MAX",
    "SPAN_NUMBERS_MAX",
    "AliasEvent",
    "Body",
    "Card",
    "CertifiedPerson",
    "ChangeReason",
    "EventClass",
    "FamilyRegister",
    "Holding",
    "HoldingsAnswer",
    "HoldingsRequest",
    "IdentityForward",
    "IdentityUpdate",
    "Keeper",
    "Kind",
    "MoveInNotice",
    "MoveOutCertificate",
    "MoveOutCertificateRequest",
    "MoveOutConfirmation",
    "NationalPension",
    "Owed",
    "PensionCategory",
    "Person",
    "Reader",
    "Receipt",
    "ReceiptLevel",
    "ReceiptNotice",
    "Record",
    "RegisterDate",
    "Relocation",
    "RequestReason",
    "ResendRequest",
    "ResidentClass",
    "Sex",
    "Span",
    "SpanHoldings",
    "Travel",
    "build_body",
    "find_kind",
    "keepers_of",
    "kind_of",
    "may_travel",
    "owed_by",
    "parse_body",
    "readers_of",
]
