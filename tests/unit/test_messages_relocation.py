from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jukinet_mq.errors import (
    CheckDigitError,
    ImpossibleDateError,
    MalformedBodyError,
    RejectedError,
    SameMunicipalityError,
    UnacceptableTextError,
    UnknownNodeError,
)
from jukinet_mq.messages import (
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    Relocation,
    build_body,
    kind_of,
)
from jukinet_mq.nodes import Node, directory
from tests.fixtures.bodies import altered, content, rebuilt

DIRECTORY = directory()
CHIYODA = DIRECTORY.node("131016")
MINATO = DIRECTORY.node("131032")
SAPPORO = DIRECTORY.node("011002")
TODAY = date(2026, 4, 1)
# Each example with the sender and the recipient that it is written for.
EXAMPLES: list[tuple[Relocation, Node, Node]] = [
    (MoveInNotice.example(), SAPPORO, CHIYODA),
    (MoveOutCertificate.example(), CHIYODA, SAPPORO),
    (MoveOutCertificateRequest.example(), SAPPORO, CHIYODA),
]
examples = pytest.mark.parametrize(
    ("body", "sender", "recipient"), EXAMPLES, ids=[body.kind for body, _, _ in EXAMPLES]
)


def new_area_field(body: Relocation) -> str:
    """Return how *body* calls the area that is moved to."""
    return "planned_area_code" if isinstance(body, MoveOutCertificate) else "new_area_code"


@examples
def test_an_example_may_be_published(body: Relocation, sender: Node, recipient: Node) -> None:
    """Each kind has an example between two municipalities that passes every check."""
    body.check_route(sender=sender, recipient=recipient)
    body.check_dates(today=TODAY)


@examples
def test_a_body_about_others_than_the_header_is_refused(
    body: Relocation, sender: Node, recipient: Node
) -> None:
    """Both ends of the move must be the two nodes of the header."""
    with pytest.raises(MalformedBodyError, match="does not lie in 131032"):
        body.check_route(sender=MINATO, recipient=recipient)
    with pytest.raises(MalformedBodyError, match="does not lie in 131032"):
        body.check_route(sender=sender, recipient=MINATO)
    with pytest.raises(MalformedBodyError, match="does not lie in"):
        body.check_route(sender=recipient, recipient=sender)


@examples
@pytest.mark.parametrize("code", ["011002", "011029", "011011"])
def test_a_move_within_one_municipality_is_refused(
    body: Relocation, sender: Node, recipient: Node, code: str
) -> None:
    """From one ward of a city to another is a 転居, not a move between municipalities."""
    within = rebuilt(body, former_area_code=code)

    with pytest.raises(SameMunicipalityError, match="move_within"):
        within.check_route(sender=sender, recipient=recipient)


@examples
def test_an_unknown_area_is_refused(body: Relocation, sender: Node, recipient: Node) -> None:
    """An abolished ward, or a prefecture, is not where people move to."""
    for code in ("221317", "130001"):
        elsewhere = rebuilt(body, **{new_area_field(body): code})
        with pytest.raises(UnknownNodeError, match=new_area_field(body)):
            elsewhere.check_route(sender=sender, recipient=recipient)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (MoveInNotice.example(), ("moved_in_on",)),
        (MoveInNotice.example(), ("filed_on",)),
        (MoveInNotice.example(), ("noticed_on",)),
        (MoveInNotice.example(), ("persons", 1, "birth_date", "value")),
        (MoveOutCertificate.example(), ("filed_on",)),
        (MoveOutCertificate.example(), ("persons", 0, "birth_date", "value")),
        (MoveOutCertificate.example(), ("persons", 0, "card", "issued_on")),
        (MoveOutCertificateRequest.example(), ("filed_on",)),
    ],
)
def test_what_must_have_happened_may_not_lie_ahead(
    body: Relocation, path: tuple[str | int, ...]
) -> None:
    """Filings, notices, births and cards of tomorrow are refused at the publisher."""
    changed = altered(body, *path, value="2026-04-02")
    if isinstance(body, MoveInNotice) and path[0] != "persons":
        changed |= {"filed_on": "2026-04-02", "noticed_on": "2026-04-02"}
    ahead = build_body(kind_of(body), changed)

    with pytest.raises(ImpossibleDateError, match="in the future"):
        ahead.check_dates(today=TODAY)


def test_a_move_may_be_planned() -> None:
    """The certificate travels before the move."""
    planned = rebuilt(MoveOutCertificate.example(), planned_on="2026-05-10")

    planned.check_dates(today=TODAY)


@pytest.mark.parametrize(
    ("body", "changes", "error", "said"),
    [
        (MoveInNotice.example(), {"filed_on": "2026-03-27"}, ImpossibleDateError, "moved_in_on"),
        (MoveInNotice.example(), {"noticed_on": "2026-03-29"}, ImpossibleDateError, "filed_on"),
        (MoveInNotice.example(), {"persons": []}, MalformedBodyError, "persons"),
        (MoveInNotice.example(), {"group_id": None}, MalformedBodyError, "group_id"),
        (
            MoveInNotice.example(),
            {"family_register_notice_needed": "yes"},
            MalformedBodyError,
            "family_register_notice_needed",
        ),
        (
            MoveOutCertificateRequest.example(),
            {"erased_certificate_id": "019d3a10-6c00-7000-8000-0000000000b1"},
            MalformedBodyError,
            "for reason erased only",
        ),
        (MoveOutCertificateRequest.example(), {"reason": "lost"}, MalformedBodyError, "reason"),
    ],
)
def test_a_rule_between_fields_is_kept(
    body: Relocation, changes: dict[str, Any], error: type[RejectedError], said: str
) -> None:
    """Dates in order, at least one person, and no field that its reason does not have."""
    with pytest.raises(error, match=said):
        rebuilt(body, **changes)


@pytest.mark.parametrize("body", [MoveInNotice.example(), MoveOutCertificate.example()])
def test_a_household_names_each_person_once(body: Relocation) -> None:
    """A person who stands there twice is refused, and so is a crowd."""
    persons = content(body)["persons"]

    with pytest.raises(MalformedBodyError, match="names 1 of 3 persons twice"):
        rebuilt(body, persons=[*persons, persons[0]])
    with pytest.raises(MalformedBodyError, match="at most 50"):
        rebuilt(body, persons=persons * 26)


@pytest.mark.parametrize(
    ("path", "value", "error", "said"),
    [
        ((0, "card"), None, MalformedBodyError, "no person has a card"),
        ((0, "card", "expires_on"), "2023-05-08", ImpossibleDateError, "expires_on"),
        ((0, "card", "verification_code"), "???", MalformedBodyError, "verification_code"),
        ((0, "alias_history"), [{}], MalformedBodyError, "alias_history"),
        (
            (1, "family_register"),
            {"domicile": "東京都千代田区", "head": "髙橋 花子"},
            MalformedBodyError,
            "family_register is for Japanese nationals only",
        ),
        ((0, "individual_number"), None, MalformedBodyError, "individual_number"),
        ((0, "individual_number"), "999990000016", CheckDigitError, "individual_number"),
        ((0, "relationship"), "\u200b", UnacceptableTextError, "relationship"),
        ((0, "relationship"), "子" * 51, UnacceptableTextError, "at most 50"),
        (
            (0, "national_pension", "basic_pension_number"),
            "99990000",
            MalformedBodyError,
            "basic_pension_number",
        ),
        ((0, "national_pension", "category"), "fourth", MalformedBodyError, "category"),
        ((0, "child_allowance"), None, MalformedBodyError, "child_allowance"),
        ((1, "alias_history", 0, "deleted_on"), "2022-01-01", MalformedBodyError, "together"),
        ((1, "alias_history", 0, "alias"), "JOAO", UnacceptableTextError, "alias"),
        ((1, "alias_history", 0, "recorded_in"), "131017", CheckDigitError, "recorded_in"),
    ],
)
def test_the_certificate_keeps_its_rules(
    path: tuple[str | int, ...], value: Any, error: type[RejectedError], said: str
) -> None:
    """Every record of Order art. 24-3 is checked, person by person."""
    certificate = MoveOutCertificate.example()

    with pytest.raises(error, match=said):
        build_body(kind_of(certificate), altered(certificate, "persons", *path, value=value))


def test_an_alias_of_a_japanese_national_has_no_history() -> None:
    """Who has no alias has no history of one."""
    certificate = MoveOutCertificate.example()
    history = content(certificate)["persons"][1]["alias_history"]

    with pytest.raises(MalformedBodyError, match="alias_history is for foreign residents only"):
        build_body(
            kind_of(certificate), altered(certificate, "persons", 0, "alias_history", value=history)
        )


def test_an_alias_is_not_deleted_before_it_was_recorded() -> None:
    """The two days of a history stand in order."""
    certificate = MoveOutCertificate.example()
    event = content(certificate)["persons"][1]["alias_history"][0]
    event |= {"deleted_on": "2020-01-01", "deleted_in": "131016"}

    with pytest.raises(ImpossibleDateError, match="deleted_on lies before recorded_on"):
        build_body(
            kind_of(certificate),
            altered(certificate, "persons", 1, "alias_history", value=[event]),
        )
