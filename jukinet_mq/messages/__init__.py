"""What happened: the kinds of body, and the one catalogue of them.

A new kind is one class in its family's file and one line in `catalogue.py`.
"""

from __future__ import annotations

from jukinet_mq.messages.body import Body, Keeper, Reader, Record, Travel
from jukinet_mq.messages.catalogue import (
    CATALOGUE,
    Kind,
    find_kind,
    keepers_of,
    kind_of,
    may_travel,
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

__all__ = [
    "CATALOGUE",
    "ORIGINALS_MAX",
    "RECEIPTS_MAX",
    "AliasEvent",
    "Body",
    "Card",
    "CertifiedPerson",
    "ChangeReason",
    "EventClass",
    "FamilyRegister",
    "IdentityForward",
    "IdentityUpdate",
    "Keeper",
    "Kind",
    "MoveInNotice",
    "MoveOutCertificate",
    "MoveOutCertificateRequest",
    "MoveOutConfirmation",
    "NationalPension",
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
    "ResidentClass",
    "Sex",
    "Travel",
    "build_body",
    "find_kind",
    "keepers_of",
    "kind_of",
    "may_travel",
    "parse_body",
    "readers_of",
]
