from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jukinet_mq import data
from jukinet_mq.errors import (
    ImpossibleDateError,
    MalformedBodyError,
    RejectedError,
    SameMunicipalityError,
    UnknownNodeError,
)
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import (
    ORIGINALS_MAX,
    ChangeReason,
    EventClass,
    IdentityForward,
    IdentityUpdate,
    MoveOutConfirmation,
    RegisterDate,
    build_body,
    kind_of,
    parse_body,
)
from jukinet_mq.nodes import directory
from jukinet_mq.text import PartialDate
from tests.fixtures.bodies import altered, content, identity_updates, rebuilt

DIRECTORY = directory()
CHIYODA = DIRECTORY.node("131016")
SAPPORO = DIRECTORY.node("011002")
TOKYO = DIRECTORY.node("130001")
HOKKAIDO = DIRECTORY.node("010006")
TODAY = date(2026, 4, 1)
reasons = pytest.mark.parametrize("reason", ChangeReason)
FOREIGN: dict[str, Any] = {
    "resident_class": "foreign",
    "name": None,
    "furigana": None,
    "alphabet_name": "ALMEIDA JOAO",
}


def test_reasons_are_those_of_the_rule() -> None:
    """All 20 reasons, their classes, names and items are the ones of Rule art. 11."""
    listed = [
        (row["key"], row["group"], row["reason_ja"], row["basis"])
        for row in data.table("change_reasons")
    ]

    ours = []
    for reason in ChangeReason:
        paragraph, item = reason.item.split("-")
        basis = f"施行規則11条{paragraph}項{item}号"
        ours.append((reason.value, reason.event_class.value, reason.japanese, basis))

    assert listed == ours
    assert 20 == len(ours)


def test_classes_share_out_the_reasons() -> None:
    """Every reason belongs to exactly one class."""
    assert [*ChangeReason] == [reason for cls in EventClass for reason in ChangeReason.of(cls)]


@reasons
def test_every_reason_makes_a_valid_update(reason: ChangeReason) -> None:
    """Each of the 20 reasons has an example that survives JSON and may be published."""
    update = IdentityUpdate.example(reason)

    assert parse_body(kind_of(update), update.dump_json()) == update
    update.check_route(sender=CHIYODA, recipient=TOKYO)
    update.check_dates(today=TODAY)


@reasons
@given(source=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_any_valid_update_is_read_back_equal(reason: ChangeReason, source: st.DataObject) -> None:
    """No name, partial date or number is changed on the way to JSON and back."""
    update = source.draw(identity_updates(reason))

    assert parse_body(kind_of(update), update.dump_json()) == update


@reasons
@pytest.mark.parametrize("event_class", EventClass)
def test_a_reason_of_another_class_is_refused(
    reason: ChangeReason, event_class: EventClass
) -> None:
    """Rule art. 11 lists the reasons by class."""
    update = IdentityUpdate.example(reason)
    if event_class is reason.event_class:
        return

    with pytest.raises(MalformedBodyError, match=rf"reason {reason} belongs to event_class"):
        rebuilt(update, event_class=event_class)


@pytest.mark.parametrize("reason", ["in_change_request", "in_ex_officio_correct"])
def test_a_changed_individual_number_needs_the_previous_one(reason: str) -> None:
    """Order art. 30-5 item 4: what is changed existed."""
    update = IdentityUpdate.example(ChangeReason(reason))

    with pytest.raises(MalformedBodyError, match="previous_individual_number is missing"):
        rebuilt(update, previous_individual_number=None)


def test_a_first_individual_number_has_no_previous_one() -> None:
    """個人番号の職権記載等 may be the first designation, or replace a number that existed."""
    first = IdentityUpdate.example(ChangeReason.IN_EX_OFFICIO_ADD)
    again = rebuilt(first, previous_individual_number=synthetic_individual_number(9))

    assert first.previous_individual_number is None
    assert isinstance(again, IdentityUpdate)
    assert again.previous_individual_number == synthetic_individual_number(9)


def test_a_changed_resident_code_needs_the_previous_one() -> None:
    """Order art. 30-5 item 5."""
    update = IdentityUpdate.example(ChangeReason.RC_CHANGE_REQUEST)

    with pytest.raises(MalformedBodyError, match="previous_resident_code is missing"):
        rebuilt(update, previous_resident_code=None)


@pytest.mark.parametrize(
    ("reason", "field", "same_as"),
    [
        (ChangeReason.IN_CHANGE_REQUEST, "previous_individual_number", "individual_number"),
        (ChangeReason.RC_CHANGE_REQUEST, "previous_resident_code", "resident_code"),
    ],
)
def test_a_previous_number_differs_from_the_new_one(
    reason: ChangeReason, field: str, same_as: str
) -> None:
    """A correction that corrects nothing is refused."""
    update = IdentityUpdate.example(reason)

    with pytest.raises(MalformedBodyError, match=rf"{field} equals {same_as}"):
        rebuilt(update, **{field: getattr(update, same_as)})


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        (
            "previous_individual_number",
            synthetic_individual_number(9),
            EventClass.CORRECT_INDIVIDUAL_NUMBER,
        ),
        ("previous_resident_code", synthetic_resident_code(9), EventClass.CORRECT_RESIDENT_CODE),
    ],
)
@reasons
def test_a_previous_number_stands_in_its_own_class_only(
    reason: ChangeReason, field: str, value: str, allowed: EventClass
) -> None:
    """Order art. 30-5: previous numbers are said where that number was corrected, only there."""
    update = IdentityUpdate.example(reason)
    if reason.event_class is allowed:
        rebuilt(update, **{field: value})
        return

    with pytest.raises(MalformedBodyError, match=rf"{field} is for {allowed} only"):
        rebuilt(update, **{field: value})


@pytest.mark.parametrize("reason", ["domestic_move_in", "in_change_request", "in_ex_officio_add"])
def test_an_individual_number_cannot_be_missing_where_it_exists(reason: str) -> None:
    """Who moves in brings a number; a number's correction names it."""
    with pytest.raises(MalformedBodyError, match="individual_number is missing"):
        rebuilt(IdentityUpdate.example(ChangeReason(reason)), individual_number=None)


def test_a_newborn_has_no_individual_number_yet() -> None:
    """The number is designated after the entry is made."""
    born = rebuilt(IdentityUpdate.example(ChangeReason.BIRTH), individual_number=None)

    assert isinstance(born, IdentityUpdate)
    assert born.individual_number is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "name is missing"),
        ({"alphabet_name": "TAKAHASHI HANAKO"}, "for foreign residents only"),
        ({"alias": "高橋"}, "for foreign residents only"),
        ({"former_surname": "渡邉"}, "come together"),
        ({"former_surname_furigana": "ワタナベ"}, "come together"),
        (FOREIGN | {"furigana": "ジョアン"}, "furigana is for Japanese nationals only"),
        (FOREIGN | {"alphabet_name": None}, "name or alphabet_name is needed"),
        (FOREIGN | {"former_surname": "渡邉"}, "former_surname is for Japanese nationals only"),
        (
            FOREIGN | {"former_surname_furigana": "ワタナベ"},
            "former_surname is for Japanese nationals only",
        ),
    ],
)
def test_names_of_the_other_nationality_are_refused(changes: dict[str, Any], said: str) -> None:
    """Furigana and former surname are for Japanese nationals, alias and alphabet name are not."""
    with pytest.raises(MalformedBodyError, match=said):
        rebuilt(IdentityUpdate.example(), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"former_surname": "渡邉", "former_surname_furigana": "ワタナベ"},
        {"furigana": None},
        FOREIGN,
        FOREIGN | {"alias": "高橋 ジョアン"},
        FOREIGN | {"name": "欧陽 美玲"},
        FOREIGN | {"name": "欧陽 美玲", "alphabet_name": None},
    ],
)
def test_names_of_the_own_nationality_are_taken(changes: dict[str, Any]) -> None:
    """Every lawful combination of names is a valid update."""
    rebuilt(IdentityUpdate.example(), **changes)


@pytest.mark.parametrize("name", ["葛󠄀城 𠮷男", "辻󠄀 﨑子", "𪚲 花子"])
def test_a_rare_name_goes_through_code_point_for_code_point(name: str) -> None:
    """Variation sequences and characters beyond the BMP are neither lost nor normalised."""
    update = rebuilt(IdentityUpdate.example(), name=name)

    again = parse_body(kind_of(update), update.dump_json())

    assert isinstance(again, IdentityUpdate)
    assert name == again.name


@pytest.mark.parametrize("reason", ["domestic_move_out", "overseas_move_out"])
def test_a_filed_move_out_carries_its_planned_day(reason: str) -> None:
    """The planned day may lie ahead, but it is a day."""
    update = IdentityUpdate.example(ChangeReason(reason))
    planned = rebuilt(update, event_date={"kind": "exact", "value": "2026-04-20"})

    planned.check_dates(today=TODAY)
    with pytest.raises(MalformedBodyError, match="planned day of moving out"):
        rebuilt(update, event_date={"kind": "month", "value": "2026-04"})


@reasons
def test_only_a_move_out_may_be_planned(reason: ChangeReason) -> None:
    """Everything else has happened before it is said."""
    if reason in {ChangeReason.DOMESTIC_MOVE_OUT, ChangeReason.OVERSEAS_MOVE_OUT}:
        return
    ahead = rebuilt(
        IdentityUpdate.example(reason), event_date={"kind": "exact", "value": "2026-04-02"}
    )

    with pytest.raises(ImpossibleDateError, match="event_date: lies after 2026-04-01"):
        ahead.check_dates(today=TODAY)


@pytest.mark.parametrize(
    "born", [{"kind": "exact", "value": "2026-04-02"}, {"kind": "year", "value": "2027"}]
)
def test_nobody_is_born_in_the_future(born: dict[str, str]) -> None:
    """A birth after the publisher's day is refused, known in full or in part."""
    update = rebuilt(
        IdentityUpdate.example(ChangeReason.DOMESTIC_MOVE_OUT),
        birth_date=born,
        event_date={"kind": "exact", "value": "2027-12-31"},
    )

    with pytest.raises(ImpossibleDateError, match="birth_date"):
        update.check_dates(today=TODAY)


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"kind": "unknown", "value": "1994"}, ImpossibleDateError),
        ({"kind": "year", "value": "94"}, ImpossibleDateError),
        ({"kind": "month", "value": "1994-13"}, ImpossibleDateError),
        ({"kind": "text"}, ImpossibleDateError),
        ({"kind": "exact"}, ImpossibleDateError),
        ({"kind": "exact", "value": "1994-04-12", "text": "頃"}, ImpossibleDateError),
        ({"kind": "exact", "value": "1994-04-12T00:00"}, MalformedBodyError),
        ({"kind": "exact", "value": 19940412}, MalformedBodyError),
        ("1994-04-12", MalformedBodyError),
    ],
)
def test_a_date_keeps_the_form_of_its_kind(parts: Any, error: type[RejectedError]) -> None:
    """A date that says more or less than its kind is refused."""
    update = IdentityUpdate.example()

    with pytest.raises(error, match="birth_date"):
        build_body(kind_of(update), altered(update, "birth_date", value=parts))


@pytest.mark.parametrize(
    ("known", "day"),
    [
        (PartialDate.exact(date(1994, 4, 12)), date(1994, 4, 12)),
        (PartialDate.in_month(1994, 4), None),
        (PartialDate.unknown("年月日不詳"), None),
    ],
)
def test_a_register_date_is_as_exact_as_it_is_known(known: PartialDate, day: date | None) -> None:
    """Only an exact date is a day; all are the same value in `text`'s words."""
    register_date = RegisterDate.of(known)

    assert day == register_date.exact
    assert known == register_date.partial


def test_an_address_elsewhere_is_refused() -> None:
    """Only the municipality of residence may speak of an entry."""
    update = rebuilt(IdentityUpdate.example(), area_code="131032")

    with pytest.raises(MalformedBodyError, match="does not lie in 131016"):
        update.check_route(sender=CHIYODA, recipient=TOKYO)


def test_a_ward_speaks_through_its_city() -> None:
    """The ward stands in the body, its city in the header (Order art. 31(2))."""
    update = rebuilt(IdentityUpdate.example(), area_code="011011")

    update.check_route(sender=SAPPORO, recipient=HOKKAIDO)


@pytest.mark.parametrize("code", ["130001", "221317", "999997"])
def test_an_area_that_does_not_exist_is_refused(code: str) -> None:
    """Prefectures, abolished wards and invented codes are no places to live in."""
    update = rebuilt(IdentityUpdate.example(), area_code=code)

    with pytest.raises(UnknownNodeError, match="area_code"):
        update.check_route(sender=CHIYODA, recipient=TOKYO)


@pytest.mark.parametrize("count", [0, ORIGINALS_MAX + 1])
def test_a_forward_is_bounded(count: int) -> None:
    """A forward holds at least one original and at most what an envelope can carry."""
    forward = IdentityForward.example()
    originals = content(forward)["originals"] * count

    with pytest.raises(MalformedBodyError, match="originals: List should have"):
        build_body(kind_of(forward), altered(forward, "originals", value=originals))


@pytest.mark.parametrize("original", ["", "a.b", "a.b.c.d", "a.b.c\n", "a.b.ç", "a.b.c=", "..."])
def test_a_forward_carries_nothing_but_signed_envelopes(original: str) -> None:
    """An original that has not the form of a JWS compact is refused."""
    forward = IdentityForward.example()

    with pytest.raises(MalformedBodyError, match=r"originals\.0"):
        build_body(kind_of(forward), altered(forward, "originals", 0, value=original))


def test_a_confirmation_speaks_of_the_senders_former_resident() -> None:
    """A confirmation about another municipality's resident is refused."""
    confirmation = MoveOutConfirmation.example()

    confirmation.check_route(sender=CHIYODA, recipient=TOKYO)
    with pytest.raises(MalformedBodyError, match="former_area_code does not lie in 011002"):
        rebuilt(confirmation, new_area_code="131032").check_route(
            sender=SAPPORO, recipient=HOKKAIDO
        )
    with pytest.raises(SameMunicipalityError):
        rebuilt(confirmation, new_area_code="131016").check_route(sender=CHIYODA, recipient=TOKYO)


def test_a_confirmation_names_each_person_once() -> None:
    """A resident code that stands there twice is refused."""
    confirmation = MoveOutConfirmation.example()

    with pytest.raises(MalformedBodyError, match="resident_codes names 1 of 2 persons twice"):
        rebuilt(confirmation, resident_codes=[synthetic_resident_code(1)] * 2)


@pytest.mark.parametrize("field", ["moved_out_on", "notice_received_on"])
def test_a_confirmation_confirms_what_has_happened(field: str) -> None:
    """Neither the move nor the notice may lie ahead."""
    ahead = rebuilt(MoveOutConfirmation.example(), **{field: "2026-04-02"})

    with pytest.raises(ImpossibleDateError, match=field):
        ahead.check_dates(today=TODAY)
