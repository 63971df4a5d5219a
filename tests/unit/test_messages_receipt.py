from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from jukinet_mq.envelope import SIZE_MAX
from jukinet_mq.errors import MalformedBodyError
from jukinet_mq.messages import (
    RECEIPTS_MAX,
    Receipt,
    ReceiptLevel,
    ReceiptNotice,
    build_body,
    kind_of,
    parse_body,
)
from tests.fixtures.bodies import altered, content

NOW = datetime(2026, 4, 1, 3, 0, 0, 123456, tzinfo=UTC)
KEPT, PROCESSED, REJECTED = range(3)


@pytest.mark.parametrize(
    ("index", "field", "value", "said"),
    [
        (KEPT, "kept_at", None, "kept_at is missing"),
        (KEPT, "reason", "seal_unopenable", "reason stands with level rejected"),
        (KEPT, "processed_at", "2026-04-01T03:00:00Z", "processed_at stands with level processed"),
        (PROCESSED, "kept_at", None, "kept_at is missing"),
        (PROCESSED, "processed_at", None, "processed_at stands with level processed"),
        (PROCESSED, "reason", "seal_unopenable", "reason stands with level rejected"),
        (REJECTED, "reason", None, "reason stands with level rejected"),
        (REJECTED, "processed_at", "2026-04-01T03:00:00Z", "processed_at stands with level"),
        (REJECTED, "reason", "Something went wrong", r"receipts\.2\.reason"),
        (KEPT, "digest", "0" * 63, r"receipts\.0\.digest"),
        (KEPT, "digest", "A" * 64, r"receipts\.0\.digest"),
        (KEPT, "level", "read", r"receipts\.0\.level"),
    ],
)
def test_a_receipt_says_exactly_what_its_level_needs(
    index: int, field: str, value: Any, said: str
) -> None:
    """Times and reason stand with their level and with no other."""
    notice = ReceiptNotice.example()

    with pytest.raises(MalformedBodyError, match=said):
        build_body(kind_of(notice), altered(notice, "receipts", index, field, value=value))


def test_what_was_kept_may_be_rejected_later() -> None:
    """A person may discard what was parked; the receipt then tells both."""
    notice = ReceiptNotice.example()
    kept = altered(notice, "receipts", REJECTED, "kept_at", value="2026-04-01T03:00:00Z")

    assert isinstance(build_body(kind_of(notice), kept), ReceiptNotice)


def test_a_notice_holds_one_receipt_at_least() -> None:
    """An empty answer is none."""
    notice = ReceiptNotice.example()

    with pytest.raises(MalformedBodyError, match="receipts: List should have at least 1"):
        build_body(kind_of(notice), altered(notice, "receipts", value=[]))


def test_the_most_receipts_fit_into_an_envelope() -> None:
    """The bound on receipts keeps a signed envelope below 256 KiB; one more is refused."""
    longest = Receipt(
        message_id=UUID(int=2**128 - 1),
        digest="f" * 64,
        level=ReceiptLevel.PROCESSED,
        kept_at=NOW,
        processed_at=NOW,
    )
    notice = ReceiptNotice(receipts=[longest] * RECEIPTS_MAX)

    signed_size = len(notice.dump_json()) * 4 / 3 + 2_000

    assert signed_size < SIZE_MAX
    with pytest.raises(MalformedBodyError, match="at most 500"):
        build_body(kind_of(notice), {"receipts": content(notice)["receipts"] * 2})


def test_instants_are_said_in_utc() -> None:
    """An instant of Japan's clock is the same instant in UTC, and reads back so."""
    japan = NOW.astimezone(timezone(timedelta(hours=9)))
    receipt = Receipt(
        message_id=UUID(int=1), digest="0" * 64, level=ReceiptLevel.KEPT, kept_at=japan
    )
    notice = ReceiptNotice(receipts=[receipt])

    again = parse_body(kind_of(notice), notice.dump_json())

    assert b'"kept_at":"2026-04-01T03:00:00.123456Z"' in notice.dump_json()
    assert notice == again
