from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jukinet_mq.errors import (
    CheckDigitError,
    ImpossibleDateError,
    MalformedBodyError,
    RejectedError,
    UnacceptableTextError,
)
from jukinet_mq.messages import (
    CATALOGUE,
    IdentityUpdate,
    Kind,
    MoveInNotice,
    MoveOutCertificate,
    build_body,
    find_kind,
    keepers_of,
    kind_of,
    may_travel,
    parse_body,
    readers_of,
)
from jukinet_mq.nodes import NATIONAL_NODE, Node, Tier, directory
from jukinet_mq.routing import Plane
from tests.fixtures.bodies import altered, content

DIRECTORY = directory()
CHIYODA = DIRECTORY.node("131016")
MINATO = DIRECTORY.node("131032")
SAPPORO = DIRECTORY.node("011002")
TOKYO = DIRECTORY.node("130001")
HOKKAIDO = DIRECTORY.node("010006")
JLIS = DIRECTORY.node(NATIONAL_NODE)
kinds = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)


def kind_named(name: str) -> Kind:
    """Return version 1 of a kind."""
    kind = find_kind(name, 1)
    assert kind is not None
    return kind


@kinds
def test_an_example_survives_the_way_to_json_and_back(kind: Kind) -> None:
    """What is written as JSON is read back as an equal body."""
    example = kind.body.example()

    assert parse_body(kind, example.dump_json()) == example
    assert kind_of(example) is kind


@kinds
def test_a_body_cannot_be_changed(kind: Kind) -> None:
    """A body stays what was validated."""
    example = kind.body.example()
    field = next(iter(kind.body.model_fields))

    with pytest.raises(ValidationError, match="frozen"):
        setattr(example, field, getattr(example, field))


@kinds
def test_an_unknown_field_is_refused(kind: Kind) -> None:
    """What no schema knows cannot travel along unseen."""
    with pytest.raises(MalformedBodyError, match=r"surprise: Extra inputs"):
        build_body(kind, content(kind.body.example()) | {"surprise": 1})


@kinds
def test_every_field_is_documented(kind: Kind) -> None:
    """The schema is the documentation: no field without a sentence."""
    assert [] == [name for name, info in kind.body.model_fields.items() if not info.description]


@kinds
def test_examples_hold_numbers_of_the_test_ranges_only(kind: Kind) -> None:
    """No example, and so no published schema, holds a number that could be a person's."""
    said = kind.body.example().dump_json().decode()

    assert all(number.startswith("9999") for number in re.findall(r'"([0-9]{10,12})"', said))
    assert all(code.startswith("TEST") for code in re.findall(r'"verification_code":"(.*?)"', said))


@given(data=st.binary(max_size=200))
def test_garbage_is_malformed_and_nothing_else(data: bytes) -> None:
    """Any bytes at all are either a body or refused with our own error."""
    with pytest.raises(RejectedError):
        parse_body(kind_named("identity-update"), data)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe{}", b'{"name": "\\ud800"}', b"{}\n{}"],
)
def test_bytes_that_are_no_body_are_malformed(data: bytes) -> None:
    """No JSON, no object, invalid UTF-8 and a lone surrogate are all refused as malformed."""
    with pytest.raises(MalformedBodyError, match="identity-update v1"):
        parse_body(kind_named("identity-update"), data)


@pytest.mark.parametrize("value", ["\ud800", object(), b"bytes", {1: 2}, float("nan")])
def test_a_mapping_that_is_no_json_is_malformed(value: object) -> None:
    """What cannot be written as JSON is refused before anything is written."""
    with pytest.raises(MalformedBodyError):
        build_body(kind_named("identity-update"), {"name": value})


def test_a_mapping_may_hold_python_values() -> None:
    """Dates, UUIDs and enum members in a mapping mean the same as their texts."""
    example = MoveInNotice.example()

    assert build_body(kind_of(example), example.model_dump(exclude_none=True)) == example


@pytest.mark.parametrize(
    ("path", "value", "error", "said"),
    [
        (("resident_code",), "99990000015", CheckDigitError, "resident_code: the last digit"),
        (("individual_number",), "999990000016", CheckDigitError, "individual_number"),
        (("area_code",), "131017", CheckDigitError, "area_code"),
        (("resident_code",), "9999000001", MalformedBodyError, "resident_code: String should"),
        (("resident_code",), "９９９９００００１４３", MalformedBodyError, "resident_code"),
        (("name",), "山\u202e田", UnacceptableTextError, "offset 1 .U.202E"),
        (("name",), "あ" * 101, UnacceptableTextError, "found 101 characters"),
        (("name",), "", UnacceptableTextError, "no visible character"),
        (("name",), "\ue000", UnacceptableTextError, "offset 0 .U.E000"),
        (("furigana",), "ﾀｶﾊｼ", UnacceptableTextError, "furigana"),
        (("address",), "あ" * 201, UnacceptableTextError, "found 201 characters"),
        (("birth_date", "value"), "1994-02-30", ImpossibleDateError, "birth_date: no calendar"),
        (("birth_date", "value"), "1994-4-12", ImpossibleDateError, "YYYY-MM-DD"),
        (("birth_date", "kind"), "about", MalformedBodyError, "birth_date.kind"),
        (("event_date", "value"), "1990-01-01", ImpossibleDateError, "lies before birth_date"),
        (("sex",), "f", MalformedBodyError, "sex"),
        (("resident_class",), None, MalformedBodyError, "resident_class: Field required"),
        (("address",), 7, MalformedBodyError, "address: Input should be a valid string"),
    ],
)
def test_a_bad_value_is_refused_with_its_own_error(
    path: tuple[str, ...], value: Any, error: type[RejectedError], said: str
) -> None:
    """The error's class says what kind of fault it is, its text which field."""
    example = IdentityUpdate.example()

    with pytest.raises(error, match=said):
        build_body(kind_of(example), altered(example, *path, value=value))


def test_an_error_names_the_person_of_a_household() -> None:
    """A fault deep in a list is found by its path."""
    example = MoveInNotice.example()

    with pytest.raises(UnacceptableTextError, match=r"persons\.1\.alias: the character") as caught:
        build_body(kind_of(example), altered(example, "persons", 1, "alias", value="JOAO"))

    assert "persons.1.alias" == caught.value.facts["field"]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """Several faults of different kinds are one malformed body that names each of them."""
    example = IdentityUpdate.example()
    wrong = altered(example, "resident_code", value="99990000015") | {"sex": "f", "name": "\x00"}

    with pytest.raises(MalformedBodyError) as caught:
        build_body(kind_of(example), wrong)

    assert all(f"{field}: " in str(caught.value) for field in ("resident_code", "sex", "name"))


def test_a_body_that_is_wrong_everywhere_gives_a_short_error() -> None:
    """The text is bounded however many faults there are."""
    example = MoveInNotice.example()
    wrong = content(example) | {"persons": [{}] * 50}

    with pytest.raises(MalformedBodyError, match=r"; and \d+ more$") as caught:
        build_body(kind_of(example), wrong)

    assert len(str(caught.value)) < 2_000


@given(secret=st.text(st.characters(categories=["Lo"]), min_size=4, max_size=12))
@pytest.mark.parametrize("field", ["name", "resident_code", "sex", "birth_date", "私の秘密"])
def test_an_error_never_repeats_a_value(field: str, secret: str) -> None:
    """No value, and no field name that a sender made up, stands in an error."""
    example = IdentityUpdate.example()
    wrong = content(example) | {field: {secret: secret}, secret: 1}

    with pytest.raises(RejectedError) as caught:
        build_body(kind_of(example), wrong)

    assert secret not in str(caught.value)
    assert "私の秘密" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("019D3A10-6C00-7000-8000-0000000000A1", MalformedBodyError),
        ("{019d3a10-6c00-7000-8000-0000000000a1}", MalformedBodyError),
        ("urn:uuid:019d3a10-6c00-7000-8000-0000000000a1", MalformedBodyError),
        ("019d3a106c00700080000000000000a1", MalformedBodyError),
    ],
)
def test_an_id_has_one_spelling(value: str, error: type[RejectedError]) -> None:
    """The same id cannot arrive in two spellings."""
    example = MoveInNotice.example()

    with pytest.raises(error, match="group_id"):
        build_body(kind_of(example), altered(example, "group_id", value=value))


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("2026-03-28T01:15:30+09:00", MalformedBodyError),
        ("2026-03-28 01:15:30Z", MalformedBodyError),
        ("1774660530", MalformedBodyError),
        ("2026-03-28T01:15Z", MalformedBodyError),
        ("2026-02-30T01:15:30Z", ImpossibleDateError),
    ],
)
def test_an_instant_has_one_spelling(value: str, error: type[RejectedError]) -> None:
    """An instant is RFC 3339 in UTC, and of the calendar."""
    kind = kind_named("identity-forward")

    with pytest.raises(error, match="forwarded_at"):
        build_body(kind, altered(kind.body.example(), "forwarded_at", value=value))


def test_kinds_are_what_the_law_and_the_architecture_say() -> None:
    """Name, plane, who may say, open and keep: the table that everything else is derived from."""
    municipality, prefecture, national = Tier
    assert {
        (k.name, k.plane, k.sender_tiers, k.recipient_tiers, k.readers, k.keepers)
        for k in CATALOGUE
        if k.plane is Plane.RELOCATION
    } == {
        (
            name,
            Plane.RELOCATION,
            frozenset({municipality}),
            frozenset({municipality}),
            ("recipient",),
            ("recipient", "sender_prefecture", "recipient_prefecture", "national"),
        )
        for name in ("move-in-notice", "move-out-certificate", "move-out-certificate-request")
    }
    assert [(k.name, k.plane, k.sealed) for k in CATALOGUE if k.plane is not Plane.RELOCATION] == [
        ("identity-update", Plane.IDENTITY, True),
        ("identity-forward", Plane.IDENTITY, False),
        ("move-out-confirmation", Plane.IDENTITY, True),
        ("receipt", Plane.RECEIPT, False),
        ("resend-request", Plane.RECEIPT, False),
        ("holdings-request", Plane.RECEIPT, False),
        ("holdings-answer", Plane.RECEIPT, False),
    ]
    assert kind_named("receipt").recipient_tiers == {municipality, prefecture}
    assert national in kind_named("receipt").sender_tiers


def test_names_are_unique_and_found() -> None:
    """A name and a version lead to one kind; any other to none."""
    assert len({(kind.name, kind.version) for kind in CATALOGUE}) == len(CATALOGUE)
    assert all(find_kind(kind.name, kind.version) is kind for kind in CATALOGUE)
    assert find_kind("identity-update", 2) is None
    assert find_kind("birthday-card", 1) is None


@pytest.mark.parametrize(
    ("name", "sender", "recipient", "readers", "keepers"),
    [
        ("identity-update", CHIYODA, TOKYO, [TOKYO, JLIS], [TOKYO, JLIS]),
        ("identity-forward", TOKYO, JLIS, [], [JLIS]),
        ("move-out-confirmation", CHIYODA, TOKYO, [TOKYO], [TOKYO]),
        ("move-in-notice", SAPPORO, CHIYODA, [CHIYODA], [CHIYODA, HOKKAIDO, TOKYO, JLIS]),
        ("move-in-notice", MINATO, CHIYODA, [CHIYODA], [CHIYODA, TOKYO, JLIS]),
        ("receipt", JLIS, CHIYODA, [], [CHIYODA]),
    ],
)
def test_readers_and_keepers_of_an_envelope(
    name: str, sender: Node, recipient: Node, readers: list[Node], keepers: list[Node]
) -> None:
    """Who may open and who keeps; a prefecture on both sides keeps once."""
    kind = kind_named(name)

    assert [node.code for node in readers] == list(readers_of(kind, recipient, DIRECTORY))
    assert [node.code for node in keepers] == list(keepers_of(kind, sender, recipient, DIRECTORY))


@pytest.mark.parametrize(
    ("name", "sender", "recipient", "expected"),
    [
        ("identity-update", CHIYODA, TOKYO, True),
        ("identity-update", CHIYODA, HOKKAIDO, False),
        ("identity-update", CHIYODA, JLIS, False),
        ("identity-update", TOKYO, JLIS, False),
        ("identity-update", CHIYODA, SAPPORO, False),
        ("identity-forward", TOKYO, JLIS, True),
        ("identity-forward", CHIYODA, JLIS, False),
        ("identity-forward", TOKYO, HOKKAIDO, False),
        ("move-out-confirmation", SAPPORO, HOKKAIDO, True),
        ("move-out-confirmation", SAPPORO, TOKYO, False),
        ("move-in-notice", SAPPORO, CHIYODA, True),
        ("move-in-notice", CHIYODA, CHIYODA, False),
        ("move-in-notice", TOKYO, CHIYODA, False),
        ("receipt", TOKYO, CHIYODA, True),
        ("receipt", HOKKAIDO, CHIYODA, True),
        ("receipt", SAPPORO, CHIYODA, True),
        ("receipt", JLIS, CHIYODA, True),
        ("receipt", JLIS, TOKYO, True),
        ("receipt", CHIYODA, TOKYO, False),
        ("receipt", HOKKAIDO, TOKYO, False),
        ("receipt", TOKYO, JLIS, False),
        ("receipt", CHIYODA, CHIYODA, False),
        ("resend-request", TOKYO, CHIYODA, True),
        ("resend-request", CHIYODA, TOKYO, True),
        ("resend-request", HOKKAIDO, CHIYODA, True),
        ("resend-request", CHIYODA, SAPPORO, True),
        ("resend-request", CHIYODA, JLIS, True),
        ("resend-request", JLIS, TOKYO, True),
        ("resend-request", HOKKAIDO, TOKYO, False),
        ("resend-request", CHIYODA, CHIYODA, False),
        ("holdings-request", CHIYODA, TOKYO, True),
        ("holdings-request", CHIYODA, JLIS, True),
        ("holdings-request", TOKYO, JLIS, False),
        ("holdings-answer", JLIS, CHIYODA, True),
        ("holdings-answer", CHIYODA, TOKYO, False),
    ],
)
def test_which_way_a_kind_may_travel(
    name: str, sender: Node, recipient: Node, *, expected: bool
) -> None:
    """Identity only to one's own prefecture or J-LIS, moves across, receipts back."""
    assert may_travel(kind_named(name), sender, recipient, DIRECTORY) is expected


@pytest.mark.parametrize("kind", [k for k in CATALOGUE if k.answered], ids=lambda k: k.name)
def test_every_keeper_may_answer_with_a_receipt(kind: Kind) -> None:
    """Whoever keeps an envelope is allowed to send its sender a receipt."""
    senders = [n for n in (CHIYODA, MINATO, SAPPORO, TOKYO) if n.tier in kind.sender_tiers]
    for sender in senders:
        for recipient in DIRECTORY.nodes():
            if may_travel(kind, sender, recipient, DIRECTORY):
                for code in keepers_of(kind, sender, recipient, DIRECTORY):
                    keeper = DIRECTORY.node(code)
                    assert may_travel(kind_named("receipt"), keeper, sender, DIRECTORY)


def test_the_certificate_is_erased_thirty_days_after_the_planned_date() -> None:
    """Order for Enforcement art. 24-4."""
    certificate = MoveOutCertificate.example()

    assert certificate.planned_on == date(2026, 3, 28)
    assert certificate.erase_on == date(2026, 4, 27)
