"""What is held of a flood, and what may be stored of what a stranger wrote."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import MalformedEnvelopeError
from jukinet_mq.nodes import NodeCode
from jukinet_mq.store.quarantine_intake import (
    HELD_WHOLE_MAX,
    SAMPLED_EVERY,
    Held,
    _beyond,
    _Identity,
    _identity,
    _Open,
    _row,
)

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
any_text = st.none() | st.text(max_size=400)


def news(count: int) -> list[_Identity]:
    """Return that many deliveries of one cause."""
    return [_Identity("130001", n.to_bytes(32), "signature_mismatch", b"") for n in range(count)]


@given(st.integers(0, 200), st.integers(0, 5_000), st.integers(0, 3_000))
def test_first_of_a_cause_are_held_and_then_one_of_a_thousand(
    held: int, counted: int, count: int
) -> None:
    """Whatever came before, room up to 100 is used first; of the rest every 1,000th is held."""
    opened = _Open(held, NOW, counted) if held else None
    before = counted if held else 0
    arriving = news(count)

    beyond = _beyond(arriving, opened)

    room = max(HELD_WHOLE_MAX - held, 0)
    assert not set(beyond) & set(arriving[:room])
    rest = range(before + 1, before + 1 + max(count - room, 0))
    assert len(beyond) == sum(1 for n in rest if n % SAMPLED_EVERY)


@given(any_text, any_text, any_text, st.text(max_size=3_000))
def test_whatever_a_stranger_wrote_can_be_stored(
    login: str | None, message_id: str | None, kind: str | None, explanation: str
) -> None:
    """Every text of a row is UTF-8 without NUL, and bounded."""
    delivery = Delivery(
        node=NodeCode("130001"), signed=b"\0\xff", exchange="\0", routing_key="\udcff" * 300,
        user_id=login, message_id=message_id, type=kind, content_type=message_id, received_at=NOW,
    )  # fmt: skip
    held = Held(delivery, MalformedEnvelopeError(explanation))

    texts = [value for value in _row(_identity(held), held, 1) if isinstance(value, str)]

    for text in texts:
        assert "\0" not in text
        assert len(text.encode()) <= 4 * 2_000
