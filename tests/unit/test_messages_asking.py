"""The bodies with which nodes ask one another: bounded, exact, and only where one has a part."""

from __future__ import annotations

from typing import Any

import pytest

from jukinet_mq.envelope import SIZE_MAX
from jukinet_mq.errors import MalformedBodyError, NotItsKeeperError
from jukinet_mq.messages import (
    NUMBERS_MAX,
    SPAN_NUMBERS_MAX,
    SPANS_MAX,
    HoldingsAnswer,
    HoldingsRequest,
    ResendRequest,
    build_body,
    kind_of,
)
from jukinet_mq.nodes import directory
from jukinet_mq.routing import SEQUENCE_MAX, Plane
from tests.fixtures.bodies import altered, content

ASK = ResendRequest.example()
HELD = HoldingsRequest.example()
TOLD = HoldingsAnswer.example()


@pytest.mark.parametrize(
    "numbers",
    [[], [0], [-1], [1, 1], [SEQUENCE_MAX + 1], [True], ["1"], list(range(1, NUMBERS_MAX + 2))],
    ids=str,
)
def test_resend_request_names_each_number_once_and_not_too_many(numbers: list[Any]) -> None:
    """A request is bounded, and cannot name a number that no sequence has."""
    with pytest.raises(MalformedBodyError, match="numbers"):
        build_body(kind_of(ASK), content(ASK) | {"numbers": numbers})


def test_fullest_resend_request_is_small() -> None:
    """A thousand of the longest numbers fit many times over."""
    numbers = list(range(SEQUENCE_MAX - NUMBERS_MAX + 1, SEQUENCE_MAX + 1))
    body = ResendRequest(about=Plane.RELOCATION, addressee="131016", numbers=numbers)

    assert len(body.dump_json()) < SIZE_MAX / 4


@pytest.mark.parametrize(
    ("about", "asker", "addressee", "asked", "lawful"),
    [
        (Plane.IDENTITY, "130001", "130001", "131016", True),
        (Plane.IDENTITY, "jlis", "jlis", "130001", True),
        (Plane.RECEIPT, "131016", "131016", "jlis", True),
        (Plane.RELOCATION, "131016", "131016", "011002", True),
        (Plane.RELOCATION, "130001", "131016", "011002", True),
        (Plane.RELOCATION, "010006", "131016", "011002", True),
        (Plane.RELOCATION, "jlis", "131016", "011002", True),
        (Plane.RELOCATION, "270008", "131016", "011002", False),
        (Plane.RELOCATION, "012025", "131016", "011002", False),
        (Plane.IDENTITY, "jlis", "130001", "131016", False),
        (Plane.IDENTITY, "010006", "130001", "131016", False),
        (Plane.RECEIPT, "130001", "131016", "011002", False),
        (Plane.RECEIPT, "jlis", "131016", "011002", False),
    ],
)
def test_only_who_keeps_may_ask(
    about: Plane, asker: str, addressee: str, asked: str, lawful: bool
) -> None:
    """The recipient of its own plane; evidence of the relocation plane where it is kept."""
    body = ResendRequest(about=about, addressee=addressee, numbers=[1])
    sender, recipient = directory().node(asker), directory().node(asked)

    if lawful:
        body.check_route(sender=sender, recipient=recipient)
    else:
        with pytest.raises(NotItsKeeperError):
            body.check_route(sender=sender, recipient=recipient)


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [{"first": 2, "last": 1}],
        [{"first": 1, "last": SPAN_NUMBERS_MAX + 1}],
        [{"first": 0, "last": 1}],
        [{"first": 1, "last": 2}] * (SPANS_MAX + 1),
    ],
    ids=["none", "backwards", "wide", "zero", "many"],
)
def test_spans_are_bounded(spans: list[dict[str, int]]) -> None:
    """A request cannot make a keeper look at more than it can answer in one envelope."""
    with pytest.raises(MalformedBodyError, match="spans"):
        build_body(kind_of(HELD), content(HELD) | {"spans": spans})


def test_spelling_out_is_for_one_span() -> None:
    """More would not fit into an envelope, neither asked nor told."""
    with pytest.raises(MalformedBodyError, match="one span"):
        build_body(kind_of(HELD), content(HELD) | {"spelt_out": True})
    with pytest.raises(MalformedBodyError, match="one span"):
        build_body(kind_of(TOLD), content(TOLD) | {"spans": content(TOLD)["spans"] * 2})


@pytest.mark.parametrize(
    ("field", "value"), [("digest", "F" * 64), ("count", -1), ("count", SPAN_NUMBERS_MAX + 1)]
)
def test_answer_has_the_form_of_an_answer(field: str, value: object) -> None:
    """Digests are lower-case hexadecimal, counts what a span can hold."""
    with pytest.raises(MalformedBodyError, match=field):
        build_body(kind_of(TOLD), altered(TOLD, "spans", 0, field, value=value))
