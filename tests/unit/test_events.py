"""Business events: how they are read, and which envelopes they make."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.clock import SKEW_MAX, today_in_japan
from jukinet_mq.consumers.handlers.municipality import Notice, place
from jukinet_mq.errors import (
    CardPrivilegeLostError,
    CertificateMismatchError,
    CertificateUsedError,
    CheckDigitError,
    ImpossibleDateError,
    MalformedBodyError,
    SameMunicipalityError,
    UnacceptableTextError,
    UnknownNodeError,
    WardIsNotANodeError,
)
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import (
    ChangeReason,
    IdentityUpdate,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    RequestReason,
)
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.producers.drafting import completed, drafts_of, request_of
from jukinet_mq.producers.effects import certain_effects, check_card_move_in, choose
from jukinet_mq.producers.events import (
    EVENT_SIZE_MAX,
    EVENTS,
    CardMoveInFiled,
    CardMoveOutFiled,
    Event,
    IdentityUpdateFiled,
    MoveFiled,
    read_event,
)
from jukinet_mq.producers.filings import check_event, check_signer
from jukinet_mq.producers.publisher import Draft, Publisher
from jukinet_mq.store.certificates import FoundCertificate
from jukinet_mq.store.relocation import MoveOut
from jukinet_mq.trust import SigningKey, TrustStore, pki
from jukinet_mq.trust.keyring import KeyRing

CHIYODA, SAPPORO = NodeCode("131016"), NodeCode("011002")
TOKYO, HOKKAIDO = NodeCode("130001"), NodeCode("010006")
HEAD, SPOUSE = synthetic_resident_code(1), synthetic_resident_code(3)
NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
ENVELOPE = UUID("019d3a10-6c00-7000-8000-0000000000c1")
PUBLISHER = Publisher(directory(), trust=TrustStore, signing_key=lambda *_: SigningKey.generate())


def said(event: Event) -> dict[str, Any]:
    """Return an event as a client would write it."""
    content: dict[str, Any] = json.loads(event.model_dump_json(exclude_none=True))
    return content


def way(draft: Draft) -> tuple[str, str, str]:
    """Return who says what to whom."""
    return (draft.sender, draft.recipient, draft.kind.name)


class TestReading:
    """`read_event`: one JSON object to one event, or one clear refusal."""

    @pytest.mark.parametrize("kind", EVENTS)
    def test_example_survives_being_written_and_read(self, kind: type[Event]) -> None:
        """What is written is read back the same, from text and from a mapping."""
        event = kind.example()

        assert event == read_event(event.model_dump_json(exclude_none=True))
        assert event == read_event(said(event))

    def test_every_reason_can_be_filed(self) -> None:
        """All 20 reasons pass as a single update."""
        for reason in ChangeReason:
            event = IdentityUpdateFiled(municipality=CHIYODA, update=IdentityUpdate.example(reason))
            assert event == read_event(said(event))

    def test_event_without_id_gets_one_and_its_own(self) -> None:
        """An id that nobody gave is a new UUIDv7 each time."""
        content = said(MoveFiled.example())
        del content["event_id"]

        first, second = read_event(content), read_event(content)

        assert first.event_id.version == 7
        assert first.event_id != second.event_id

    def test_instant_with_an_offset_is_the_same_instant(self) -> None:
        """The counter's local time is read as what it means, and survives being kept."""
        event = read_event(said(MoveFiled.example()) | {"occurred_at": "2026-04-01T09:00:00+09:00"})

        assert event.occurred_at == datetime(2026, 4, 1, tzinfo=UTC)
        assert read_event(said(event)) == event
        assert read_event(said(event)).digest_text() == event.digest_text()

    @pytest.mark.parametrize(
        ("changes", "error", "text"),
        [
            ({"municipality": "011011"}, WardIsNotANodeError, "011002"),
            ({"municipality": "010006"}, UnknownNodeError, "municipality"),
            ({"municipality": "011003"}, CheckDigitError, "municipality"),
            ({"municipality": "131016"}, MalformedBodyError, "new_area_code"),
            ({"former_area_code": "011029"}, SameMunicipalityError, "new_area_code"),
            ({"former_area_code": "010006"}, UnknownNodeError, "former_area_code"),
            ({"former_area_code": "990019"}, UnknownNodeError, "former_area_code"),
            ({"moved_in_on": "2026-02-30"}, ImpossibleDateError, "moved_in_on"),
            ({"moved_in_on": "2026-03-31"}, ImpossibleDateError, "filed_on lies before"),
            ({"filed_on": "yesterday"}, MalformedBodyError, "filed_on"),
            ({"new_address": "札幌市\u202e"}, UnacceptableTextError, "new_address"),
            ({"new_address": "長" * 201}, UnacceptableTextError, "new_address"),
            ({"persons": []}, MalformedBodyError, "persons"),
            ({"colour": "red"}, MalformedBodyError, "colour"),
            ({"event_id": "one"}, MalformedBodyError, "event_id"),
            ({"occurred_at": "2026-04-01T09:00:00"}, MalformedBodyError, "occurred_at"),
        ],
    )  # fmt: skip
    def test_wrong_field_is_refused_by_its_name(
        self, changes: dict[str, Any], error: type[Exception], text: str
    ) -> None:
        """Each refusal is of its own class and says which field."""
        with pytest.raises(error, match=text):
            read_event(said(MoveFiled.example()) | changes)

    def test_persons_field_is_named_with_its_place(self) -> None:
        """A wrong digit deep inside is found, and never quoted."""
        content = said(MoveFiled.example())
        content["persons"][0]["resident_code"] = "99990000001"

        with pytest.raises(CheckDigitError, match=r"persons\.0\.resident_code") as refused:
            read_event(content)
        assert "99990000001" not in str(refused.value)

    @pytest.mark.parametrize(
        ("content", "text"),
        [
            (b'{"event": "move\xff"}', "not JSON"),
            (b"{", "not JSON"),
            (b'{"event": "move", "event": "move"}', "twice"),
            (b'{"event": "move", "persons": [{"name": {"a": 1, "a": 2}}]}', "twice"),
            (b'{"event": "move", "number": 1e400}', "number"),
            (b'{"event": "move", "number": 9007199254740992}', "outside"),
            (b'{"event": "move", "number": NaN}', "not JSON"),
            (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
            (b"[]", "body"),
            (b"{}", "identity-update, move, card-move-out, card-move-in"),
            (b'{"event": "removal"}', "identity-update, move, card-move-out, card-move-in"),
            (b" " * (EVENT_SIZE_MAX + 1), "at most"),
        ],
    )
    def test_what_is_no_event_is_refused(self, content: bytes, text: str) -> None:
        """Garbage, another event and a huge line each give one error of ours."""
        with pytest.raises(MalformedBodyError, match=text):
            read_event(content)

    def test_person_named_twice_is_refused(self) -> None:
        """One filing registers nobody twice."""
        content = said(MoveFiled.example())
        content["persons"] *= 2
        with pytest.raises(MalformedBodyError, match="twice"):
            read_event(content)

    def test_card_move_out_without_any_card_is_refused(self) -> None:
        """Without a card there is nothing to move out with."""
        content = said(CardMoveOutFiled.example())
        content["persons"] = content["persons"][1:]
        with pytest.raises(MalformedBodyError, match="card"):
            read_event(content)


class TestDrafting:
    """`drafts_of` and its kin: from event to envelopes, without any I/O."""

    def test_update_goes_up(self) -> None:
        """One update, one envelope, to the prefecture; its time is the event's."""
        event = IdentityUpdateFiled.example()

        [draft] = drafts_of(event, directory(), NOW)

        assert (CHIYODA, TOKYO, "identity-update") == way(draft)
        assert (event.update, event.event_id, NOW) == (draft.body, draft.event_id, draft.time)

    def test_move_goes_up_and_across(self) -> None:
        """Per person an added entry upward, then one notice to where they came from."""
        event = MoveFiled.example()

        update, notice = drafts_of(event, directory(), NOW)

        assert (SAPPORO, HOKKAIDO, "identity-update") == way(update)
        assert (SAPPORO, CHIYODA, "move-in-notice") == way(notice)
        assert isinstance(update.body, IdentityUpdate)
        assert ChangeReason.DOMESTIC_MOVE_IN is update.body.reason
        assert (event.new_address, "011011") == (update.body.address, update.body.area_code)
        assert event.persons[0].individual_number == update.body.individual_number
        assert isinstance(notice.body, MoveInNotice)
        assert (event.event_id, today_in_japan(NOW)) == (
            notice.body.group_id,
            notice.body.noticed_on,
        )

    def test_notice_across_carries_no_individual_number(self) -> None:
        """The number goes up and nowhere else."""
        event = MoveFiled.example()

        notice = drafts_of(event, directory(), NOW)[-1]

        assert event.persons[0].individual_number.encode() not in notice.body.dump_json()

    def test_card_move_out_deletes_with_the_planned_day(self) -> None:
        """Per person the deleted entry's values upward, then the certificate to the destination."""
        event = CardMoveOutFiled.example()

        *updates, certificate = drafts_of(event, directory(), NOW)

        assert [(CHIYODA, TOKYO, "identity-update")] * 2 == [way(draft) for draft in updates]
        assert (CHIYODA, SAPPORO, "move-out-certificate") == way(certificate)
        body = updates[0].body
        assert isinstance(body, IdentityUpdate)
        assert ChangeReason.DOMESTIC_MOVE_OUT is body.reason
        assert (event.planned_on, event.former_address) == (body.event_date.exact, body.address)
        assert isinstance(certificate.body, MoveOutCertificate)
        assert (event.event_id, event.persons) == (
            certificate.body.group_id,
            certificate.body.persons,
        )

    def test_card_move_in_says_what_the_certificate_knows(self) -> None:
        """Only those who file are registered; the notice names the certificate's envelope."""
        event = CardMoveInFiled.example().model_copy(update={"resident_codes": [SPOUSE]})

        update, notice = completed(
            event, MoveOutCertificate.example(), ENVELOPE, directory(), filed_at=NOW,
            at=NOW + timedelta(days=1),
        )  # fmt: skip

        assert (SAPPORO, HOKKAIDO, "identity-update") == way(update)
        assert (SAPPORO, CHIYODA, "move-in-notice") == way(notice)
        assert isinstance(update.body, IdentityUpdate)
        assert (SPOUSE, "ALMEIDA JOAO") == (update.body.resident_code, update.body.alphabet_name)
        assert isinstance(notice.body, MoveInNotice)
        assert ENVELOPE == notice.body.certificate_id
        assert date(2026, 4, 2) == notice.body.noticed_on
        assert [NOW, NOW] == [update.time, notice.time]

    def test_stranger_to_the_certificate_cannot_be_completed(self) -> None:
        """Nobody is registered from a certificate that does not name them."""
        event = CardMoveInFiled.example().model_copy(
            update={"resident_codes": [synthetic_resident_code(9)]}
        )
        with pytest.raises(CertificateMismatchError):
            completed(
                event, MoveOutCertificate.example(), ENVELOPE, directory(), filed_at=NOW, at=NOW
            )

    def test_request_goes_to_the_former_municipality(self) -> None:
        """It says why, for whom, and nothing else about them."""
        draft = request_of(CardMoveInFiled.example(), RequestReason.ERASED, NOW)

        assert (SAPPORO, CHIYODA, "move-out-certificate-request") == way(draft)
        assert isinstance(draft.body, MoveOutCertificateRequest)
        assert (RequestReason.ERASED, [HEAD, SPOUSE]) == (
            draft.body.reason,
            draft.body.resident_codes,
        )

    def test_all_drafts_of_an_event_may_be_published(self) -> None:
        """Every example passes the publisher's checks."""
        for kind in EVENTS:
            check_event(kind.example(), PUBLISHER, at=NOW)

    @pytest.mark.parametrize("ahead", [timedelta(microseconds=1), SKEW_MAX])
    @pytest.mark.parametrize("kind", EVENTS)
    def test_counter_whose_clock_is_a_little_ahead_is_believed(
        self, kind: type[Event], ahead: timedelta
    ) -> None:
        """What keepers believe of a sender's clock, a sender believes of its counters'."""
        event = kind.example().model_copy(update={"occurred_at": NOW + ahead})
        check_event(event, PUBLISHER, at=NOW)

    @pytest.mark.parametrize("kind", EVENTS)
    def test_event_of_the_future_is_refused(self, kind: type[Event]) -> None:
        """It would win over every later update of the same resident."""
        later = NOW + SKEW_MAX + timedelta(microseconds=1)
        event = kind.example().model_copy(update={"occurred_at": later})
        with pytest.raises(ImpossibleDateError, match="occurred_at"):
            check_event(event, PUBLISHER, at=NOW)

    def test_filing_just_after_midnight_by_a_clock_ahead_is_believed(self) -> None:
        """The day may have begun at the counter; the notice is then dated no earlier."""
        before_midnight = datetime(2026, 3, 29, 14, 55, tzinfo=UTC)
        event = MoveFiled.example()

        check_event(event, PUBLISHER, at=before_midnight)
        notice = drafts_of(event, directory(), before_midnight)[-1].body

        assert isinstance(notice, MoveInNotice)
        assert (event.filed_on, event.filed_on) == (notice.filed_on, notice.noticed_on)

    def test_event_before_its_nodes_first_key_is_refused_by_its_name(self, tmp_path: Path) -> None:
        """No key can sign for it; other events of the node are filed."""
        pki.init(tmp_path, [directory().node(SAPPORO)], now=NOW)
        ring = KeyRing(tmp_path)
        publisher = Publisher(
            directory(),
            trust=TrustStore,
            signing_key=lambda node, time: ring.signing_key(node, NOW, time=time),
        )
        event = MoveFiled.example()
        early = event.model_copy(update={"occurred_at": NOW - timedelta(days=400)})

        check_signer(event, publisher, at=NOW)
        with pytest.raises(ImpossibleDateError, match="occurred_at") as refused:
            check_signer(early, publisher, at=NOW)
        assert str(early.event_id) == refused.value.facts["event_id"]

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            (MoveFiled.example(), "filed_on"),
            (CardMoveInFiled.example(), "moved_in_on"),
            (CardMoveOutFiled.example(), "filed_on"),
            (IdentityUpdateFiled.example(), "event_date"),
        ],
    )
    def test_filing_of_tomorrow_is_refused(self, event: Event, field: str) -> None:
        """What has not happened in Japan yet is not filed; the refusal names the event."""
        with pytest.raises(ImpossibleDateError, match=field) as refused:
            check_event(event, PUBLISHER, at=datetime(2026, 3, 15, tzinfo=UTC))
        assert str(event.event_id) == refused.value.facts["event_id"]

    def test_paper_move_out_is_planned_without_a_destination(self) -> None:
        """The former municipality waits for a notice about everybody who filed to leave."""
        for reason in ChangeReason:
            event = IdentityUpdateFiled(municipality=CHIYODA, update=IdentityUpdate.example(reason))
            planned = certain_effects(event, NOW).planned
            expected = [HEAD] if reason is ChangeReason.DOMESTIC_MOVE_OUT else []
            assert expected == [each.resident_code for each in planned]


class TestLimits:
    """Order 24-2: until when the card replaces the paper."""

    @pytest.mark.parametrize(
        ("planned_on", "last_day"),
        [
            (None, date(2026, 4, 11)),
            (date(2026, 3, 28), date(2026, 4, 11)),
            (date(2026, 3, 10), date(2026, 4, 9)),
        ],
    )
    def test_earlier_of_two_days_counts(self, planned_on: date | None, last_day: date) -> None:
        """30 days after the planned day or 14 after moving in (here 28 March)."""
        assert last_day == CardMoveInFiled.example().last_day(planned_on)

    def test_filing_too_late_in_any_case_is_refused_at_once(self) -> None:
        """No certificate is needed to know that 14 days are over."""
        event = CardMoveInFiled.example().model_copy(update={"filed_on": date(2026, 4, 12)})
        with pytest.raises(CardPrivilegeLostError):
            check_card_move_in(event, datetime(2026, 5, 1, tzinfo=UTC))


def found(*, unused: set[str], used: set[str] | None = None, number: int = 1) -> FoundCertificate:
    """Return a certificate as the database would know it for `CardMoveInFiled.example`."""
    return FoundCertificate(
        message_id=UUID(int=number),
        planned_on=date(2026, 3, 28),
        erase_after=date(2026, 4, 27),
        event_time=NOW,
        body="{}" if unused else None,
        unused=frozenset(unused),
        used=frozenset(used or ()),
    )


class TestChoosing:
    """Which certificate a filing uses."""

    def test_latest_that_names_everybody_is_used(self) -> None:
        """One that names only some is passed over."""
        some, whole = found(unused={HEAD}, number=2), found(unused={HEAD, SPOUSE})
        assert whole is choose(CardMoveInFiled.example(), [some, whole])

    def test_none_means_asking(self) -> None:
        """Nothing held, nothing used: the certificate must be asked for."""
        assert choose(CardMoveInFiled.example(), []) is None

    def test_used_certificate_is_not_used_again(self) -> None:
        """Somebody of the filing is registered already."""
        with pytest.raises(CertificateUsedError):
            choose(CardMoveInFiled.example(), [found(unused={HEAD}, used={SPOUSE})])

    def test_used_certificate_of_an_earlier_move_is_no_hindrance(self) -> None:
        """Who moved here before, left and comes again has another certificate to ask for."""
        event = CardMoveInFiled.example().model_copy(
            update={"moved_in_on": date(2027, 3, 28), "filed_on": date(2027, 3, 30)}
        )
        assert choose(event, [found(unused=set(), used={HEAD, SPOUSE})]) is None

    def test_incomplete_certificate_is_refused(self) -> None:
        """Who stands on no certificate cannot come along."""
        with pytest.raises(CertificateMismatchError):
            choose(CardMoveInFiled.example(), [found(unused={HEAD})])


def notice(*, group: UUID, minutes: int = 0, moved_in_on: date = date(2026, 3, 28)) -> Notice:
    """Return a notice about the head alone."""
    body = MoveInNotice.example()
    changes = {"group_id": group, "persons": body.persons[:1], "moved_in_on": moved_in_on}
    time = NOW + timedelta(minutes=minutes)
    return Notice(CHIYODA, uuid7(), time, body.model_copy(update=changes))


class TestPlacing:
    """Which move-out a notice belongs to."""

    def test_nearest_planned_move_out_is_confirmed(self) -> None:
        """Of two that wait, the one planned for about that day."""
        far = MoveOut(HEAD, CHIYODA, uuid7(), date(2024, 3, 28))
        near = MoveOut(HEAD, CHIYODA, uuid7(), date(2026, 4, 2))

        assert [(HEAD, CHIYODA, near.event_id)] == list(place([far, near], [notice(group=uuid7())]))

    def test_unplanned_move_out_gets_a_row_of_its_own(self) -> None:
        """A notice works although no move-out was ever filed."""
        group = uuid7()
        assert [(HEAD, CHIYODA, group)] == list(place([], [notice(group=group)]))

    def test_confirmed_move_out_is_amended_by_its_own_filing_only(self) -> None:
        """Another filing's notice is about another move."""
        group = uuid7()
        earlier = MoveOut(
            HEAD, CHIYODA, uuid7(), date(2026, 3, 28), group, (NOW - timedelta(days=1), uuid7())
        )
        other = notice(group=uuid7())

        assert [(HEAD, CHIYODA, earlier.event_id)] == list(place([earlier], [notice(group=group)]))
        assert [(HEAD, CHIYODA, other.body.group_id)] == list(place([earlier], [other]))

    def test_stale_notice_changes_nothing(self) -> None:
        """An older notice of the same filing, arriving late, is no news."""
        group = uuid7()
        later = MoveOut(
            HEAD, CHIYODA, uuid7(), date(2026, 3, 28), group, (NOW + timedelta(days=1), uuid7())
        )
        assert {} == place([later], [notice(group=group)])

    def test_latest_of_one_batch_is_taken(self) -> None:
        """Two notices of one filing in one batch confirm one row, by the later one."""
        group = uuid7()
        first, second = notice(group=group), notice(group=group, minutes=1)

        for batch in ([first, second], [second, first]):
            [row] = place([], batch).values()
            assert second.message_id == row.notice_id

    def test_two_moves_of_one_batch_take_two_rows(self) -> None:
        """Away, back and away again: each notice confirms a move-out of its own."""
        rows = [
            MoveOut(HEAD, CHIYODA, uuid7(), day) for day in (date(2026, 1, 5), date(2026, 3, 28))
        ]
        notices = [
            notice(group=uuid7(), moved_in_on=date(2026, 1, 6)),
            notice(group=uuid7(), minutes=1),
        ]

        placed = place(rows, notices)

        assert {
            rows[0].event_id: notices[0].message_id,
            rows[1].event_id: notices[1].message_id,
        } == {event_id: row.notice_id for (_, _, event_id), row in placed.items()}
