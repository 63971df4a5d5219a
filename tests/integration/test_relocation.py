"""Moves from filing to effect, on real databases: what each municipality ends up knowing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.clock import today_in_japan
from jukinet_mq.consumers.handlers import municipality
from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import (
    CardPrivilegeLostError,
    CertificateMismatchError,
    CertificateUsedError,
    EventReusedError,
    ImpossibleDateError,
    RejectedError,
)
from jukinet_mq.identifiers import synthetic_individual_number, synthetic_resident_code
from jukinet_mq.messages import (
    ChangeReason,
    IdentityUpdate,
    MoveInNotice,
    MoveOutCertificate,
    MoveOutCertificateRequest,
    RegisterDate,
)
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.producers.events import (
    CardMoveInFiled,
    CardMoveOutFiled,
    Event,
    IdentityUpdateFiled,
    MoveFiled,
)
from jukinet_mq.producers.filings import Outcome, OutcomeState, file_events
from jukinet_mq.services import DatabaseEndpoint
from jukinet_mq.store import certificates
from jukinet_mq.trust.verification import Verifier
from tests.fixtures.country import CHIYODA, HAKODATE, HOKKAIDO, SAPPORO, TOKYO, Country, delivery

# Long past, so that the server's own day, which guards the erasure, is later than all of it.
START = datetime(2025, 6, 2, 3, 0, tzinfo=UTC)
PLANNED = date(2025, 6, 10)
HEAD, SPOUSE = synthetic_resident_code(1), synthetic_resident_code(3)
KINDS = "SELECT node, recipient, kind FROM outbox WHERE kind <> 'receipt' ORDER BY position"
HELD = "SELECT state, body IS NULL FROM certificate_held ORDER BY event_time, message_id"
FILED = "SELECT state, content IS NULL, reason FROM filing ORDER BY filed_at, event_id"


@pytest.fixture(autouse=True)
def _in_june_2025(request: pytest.FixtureRequest) -> None:
    if "country" in request.fixturenames:
        country: Country = request.getfixturevalue("country")
        country.handlers[Tier.MUNICIPALITY] = municipality.HANDLERS
        country.now = START


async def file(country: Country, *events: Event) -> list[Outcome]:
    """File events in one transaction."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        return await file_events(tx, country.publisher, events)


async def at(country: Country, query: str, *arguments: object) -> list[Any]:
    """Ask the municipalities' database itself."""
    return await country.fetch(Tier.MUNICIPALITY, query, *arguments)


async def erase(country: Country, today: date, *nodes: NodeCode) -> int:
    """Erase what is due on *today*."""
    async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
        return await certificates.erase_due(tx, nodes or None, today)


def move_out(**changes: Any) -> CardMoveOutFiled:
    """Return a move-out from Chiyoda, planned to Sapporo for the 10th."""
    example = CardMoveOutFiled.example().model_dump()
    return CardMoveOutFiled(
        **{**example, "event_id": uuid7(), "planned_on": PLANNED, "filed_on": date(2025, 6, 2)}
        | changes
    )


def move_in(**changes: Any) -> CardMoveInFiled:
    """Return the move-in to Sapporo that follows it."""
    example = CardMoveInFiled.example().model_dump()
    days = {"moved_in_on": PLANNED, "filed_on": PLANNED, "planned_on": PLANNED}
    return CardMoveInFiled(**{**example, "event_id": uuid7(), **days} | changes)


def move(**changes: Any) -> MoveFiled:
    """Return a move-in with paper from Chiyoda to Sapporo."""
    example = MoveFiled.example().model_dump()
    days = {"moved_in_on": date(2025, 6, 1), "filed_on": date(2025, 6, 2)}
    return MoveFiled(**{**example, "event_id": uuid7(), **days} | changes)


async def lose(country: Country, kind: str) -> None:
    """Let the broker's place swallow everything of *kind* that waits now; carry the rest."""
    await country.settle(lambda d: [] if d.routing_key.endswith(kind) else [d])


async def settle_watched(country: Country) -> list[Delivery]:
    """Carry everything everywhere, and return what was carried."""
    carried: list[Delivery] = []

    def watch(delivery: Delivery) -> list[Delivery]:
        carried.append(delivery)
        return [delivery]

    await country.settle(watch)
    return carried


def request_in(deliveries: Sequence[Delivery], country: Country) -> MoveOutCertificateRequest:
    """Open the one request for a certificate that Chiyoda got."""
    [wanted] = [
        d for d in deliveries if d.node == CHIYODA and d.routing_key.endswith("certificate-request")
    ]
    verifier = Verifier(directory(), country.trust, lambda node: (country.sealing[node],))
    body = verifier.verify(wanted, at=country.now).body
    assert isinstance(body, MoveOutCertificateRequest)
    return body


async def test_a_move_with_paper_reaches_all_who_must_know(country: Country) -> None:
    """Update upward, notice across, confirmation up: and the former place knows where they went."""
    [outcome] = await file(country, move())
    await country.settle()

    assert OutcomeState.PUBLISHED is outcome.state
    assert [
        (SAPPORO, HOKKAIDO, "identity-update"),
        (SAPPORO, CHIYODA, "move-in-notice"),
        (CHIYODA, TOKYO, "move-out-confirmation"),
    ] == await at(country, KINDS)
    assert [(CHIYODA, HEAD, None, date(2025, 6, 1), "011011")] == await at(
        country, "SELECT node, resident_code, planned_on, moved_out_on, area FROM move_out"
    )
    assert [(HEAD, "011002", True)] == await country.fetch(
        Tier.NATIONAL, "SELECT resident_code, municipality, present FROM register"
    )
    assert 3 == len(set(await at(country, "SELECT message_id FROM outbox WHERE kind <> 'receipt'")))


async def test_every_envelope_of_a_move_bears_its_event(country: Country) -> None:
    """The confirmation, made elsewhere and later, can still be found by the event's id."""
    [outcome] = await file(country, move())
    await country.settle()

    assert [(outcome.event_id,)] == await at(
        country, "SELECT DISTINCT event_id FROM outbox WHERE kind <> 'receipt'"
    )


async def test_a_card_move_uses_the_certificate_that_waits_for_it(country: Country) -> None:
    """The move-in needs no paper: it publishes from the certificate, which then holds nothing."""
    await file(country, move_out())
    await country.settle()
    assert [("held", False)] == await at(country, HELD)
    country.later(days=8)

    [outcome] = await file(country, move_in())
    await country.settle()

    assert (OutcomeState.PUBLISHED, 3) == (outcome.state, len(outcome.envelopes))
    assert [("used", True)] == await at(country, HELD)
    assert [("done", True, None)] == await at(country, FILED)
    assert [
        *[(CHIYODA, TOKYO, "identity-update")] * 2,
        (CHIYODA, SAPPORO, "move-out-certificate"),
        *[(SAPPORO, HOKKAIDO, "identity-update")] * 2,
        (SAPPORO, CHIYODA, "move-in-notice"),
        (CHIYODA, TOKYO, "move-out-confirmation"),
    ] == await at(country, KINDS)
    assert [(HEAD, "011002", True), (SPOUSE, "011002", True)] == await country.fetch(
        Tier.NATIONAL,
        "SELECT resident_code, municipality, present FROM register ORDER BY resident_code",
    )
    assert [(PLANNED, "011011", PLANNED, "011011")] * 2 == await at(
        country, "SELECT planned_on, planned_area, moved_out_on, area FROM move_out"
    )


async def test_nothing_of_an_erased_certificate_is_left_but_its_trace(country: Country) -> None:
    """After the last day, not on it, all goes but ids, dates, digest and other nodes' evidence."""
    await file(country, move_out())
    await country.settle()
    last_day = PLANNED + timedelta(days=30)

    assert 0 == await erase(country, last_day)
    assert 0 == await erase(country, last_day + timedelta(days=1), HAKODATE)
    assert 1 == await erase(country, last_day + timedelta(days=1), SAPPORO)
    assert 0 == await erase(country, last_day + timedelta(days=1))

    assert [("erased", True)] == await at(country, HELD)
    assert [] == await at(country, "SELECT resident_code FROM certificate_person")
    query = """
        SELECT node, signed IS NULL, erased_at IS NULL, octet_length(digest)
        FROM archive JOIN (SELECT message_id FROM certificate_held) AS c USING (message_id)
        ORDER BY node
    """
    assert [(SAPPORO, True, False, 32), (CHIYODA, False, True, 32)] == await at(country, query)
    for tier in (Tier.PREFECTURE, Tier.NATIONAL):
        assert [] == await country.fetch(tier, "SELECT node FROM archive WHERE signed IS NULL")


async def test_a_filing_whose_certificate_was_erased_completes_itself(country: Country) -> None:
    """Filed in time, entered after the erasure: the answer serves the filing that waits."""
    await file(country, move_out())
    await country.settle()
    country.now = datetime(2025, 7, 15, 3, 0, tzinfo=UTC)
    assert 1 == await erase(country, today_in_japan(country.now))

    in_time = date(2025, 6, 20)
    [outcome] = await file(country, move_in(filed_on=in_time))
    assert (OutcomeState.WAITING, 1) == (outcome.state, len(outcome.envelopes))
    carried = await settle_watched(country)

    assert "erased" == request_in(carried, country).reason
    assert [("erased", True), ("used", True)] == await at(country, HELD)
    assert [("done", True, None)] == await at(country, FILED)
    kinds = [kind for *_, kind in await at(country, KINDS)]
    assert [
        "move-out-certificate-request",
        "move-out-certificate",
        "identity-update",
        "identity-update",
        "move-in-notice",
        "move-out-confirmation",
    ] == kinds[3:]
    assert [(outcome.event_id, 6)] == await at(
        country,
        "SELECT event_id, count(*) FROM outbox WHERE event_id = $1 AND kind <> 'receipt' "
        "GROUP BY event_id",
        outcome.event_id,
    )


async def test_a_filing_whose_certificate_never_came_completes_itself(country: Country) -> None:
    """The first certificate is lost on its way; asking for it again is enough."""
    await file(country, move_out())
    await lose(country, ".move-out-certificate")
    country.later(days=8)

    [outcome] = await file(country, move_in())
    carried = await settle_watched(country)

    assert OutcomeState.WAITING is outcome.state
    assert "never_received" == request_in(carried, country).reason
    assert [("used", True)] == await at(country, HELD)
    assert [("done", True, None)] == await at(country, FILED)
    assert (await at(country, KINDS))[-1] == (CHIYODA, TOKYO, "move-out-confirmation")


async def test_a_late_certificate_completes_once_although_its_answer_follows(
    country: Country,
) -> None:
    """The certificate comes after all: it completes the filing, the answer changes nothing."""
    country.later(days=8)
    [outcome] = await file(country, move_in())
    await file(country, move_out())
    await country.settle()

    assert OutcomeState.WAITING is outcome.state
    assert [("used", True), ("replaced", True)] == await at(country, HELD)
    kinds = [kind for *_, kind in await at(country, KINDS)]
    assert 1 == kinds.count("move-in-notice")
    assert 4 == kinds.count("identity-update")


async def test_a_request_elsewhere_than_planned_is_answered(country: Country) -> None:
    """They moved to Hakodate instead: its filing gets the certificate, Sapporo's stays unused."""
    await file(country, move_out())
    await country.settle()
    country.later(days=8)

    elsewhere = move_in(
        municipality=HAKODATE, new_area_code=HAKODATE, new_address="函館市東雲町4番"
    )
    await file(country, elsewhere)
    await country.settle()

    assert [(SAPPORO, "held"), (HAKODATE, "used")] == await at(
        country, "SELECT node, state FROM certificate_held ORDER BY event_time"
    )
    assert [("011011", HAKODATE, "函館市東雲町4番")] * 2 == await at(
        country, "SELECT planned_area, area, address FROM move_out"
    )


async def test_a_request_for_what_was_never_issued_is_parked(country: Country) -> None:
    """Nobody filed a move-out there: the former municipality's operator must look."""
    country.later(days=8)
    await file(country, move_in())
    await country.settle()

    assert [(CHIYODA, "parked", "certificate_not_issued")] == await at(
        country,
        "SELECT node, state, reason FROM inbox WHERE kind = 'move-out-certificate-request' "
        "AND node = $1",
        CHIYODA,
    )
    assert [("waiting", False, None)] == await at(country, FILED)
    assert "move-out-certificate" not in [kind for *_, kind in await at(country, KINDS)]


async def test_a_certificate_too_late_for_its_filing_refuses_it(country: Country) -> None:
    """When the certificate shows that the card no longer served, a person is told why."""
    await file(country, move_out(planned_on=date(2025, 5, 1)))
    await lose(country, ".move-out-certificate")

    await file(
        country, move_in(planned_on=None, moved_in_on=date(2025, 6, 1), filed_on=date(2025, 6, 2))
    )
    await country.settle()

    assert [("refused", False, "card_privilege_lost")] == await at(country, FILED)
    assert "move-in-notice" not in [kind for *_, kind in await at(country, KINDS)]
    # Past its last day when it came, and of use to nobody: erased at once.
    assert [("erased", True)] == await at(country, HELD)


async def test_a_certificate_past_its_last_day_is_erased_on_arrival(country: Country) -> None:
    """A certificate that lay in a queue for too long is never held."""
    await file(country, move_out())
    country.now = datetime(2025, 7, 11, 3, 0, tzinfo=UTC)
    await country.settle()

    assert [("erased", True)] == await at(country, HELD)
    assert [(True,)] == await at(
        country,
        "SELECT signed IS NULL FROM archive JOIN certificate_held USING (message_id, node, sender)",
    )


async def test_a_later_certificate_takes_the_earlier_ones_place(country: Country) -> None:
    """The later of two is held, in whichever order they come; both are erased when due."""
    event = move_out()
    await file(country, event)
    [first] = [
        e for e in await country.collect(Tier.MUNICIPALITY) if "certificate" in e.routing_key
    ]
    body = MoveOutCertificate.example().model_copy(
        update={"group_id": event.event_id, "planned_on": PLANNED, "filed_on": date(2025, 6, 2)}
    )
    country.later(minutes=5)
    second = await country.say(CHIYODA, SAPPORO, body)
    await country.collect(Tier.MUNICIPALITY)
    await country.hand_over([delivery(second, SAPPORO, country.now)])
    await country.hand_over([delivery(first, SAPPORO, country.now)])

    assert [("replaced", True), ("held", False)] == await at(country, HELD)
    assert 2 == await erase(country, PLANNED + timedelta(days=31))
    assert [] == await at(
        country, "SELECT node FROM archive WHERE node = $1 AND signed IS NOT NULL AND sender = $2",
        SAPPORO, CHIYODA,
    )  # fmt: skip


async def test_a_household_may_arrive_in_two_filings(country: Country) -> None:
    """Each filing uses its person of one certificate; it is used up with the second."""
    await file(country, move_out())
    await country.settle()
    country.later(days=8)

    await file(country, move_in(resident_codes=[HEAD]))
    assert [("held", False)] == await at(country, HELD)
    await file(country, move_in(resident_codes=[SPOUSE]))

    assert [("used", True)] == await at(country, HELD)


async def test_a_second_filing_with_one_certificate_is_refused(country: Country) -> None:
    """Nobody is registered twice: not later, not in the same batch, and nothing is written."""
    await file(country, move_out())
    await country.settle()
    country.later(days=8)

    with pytest.raises(CertificateUsedError):
        await file(country, move_in(), move_in())
    assert [("held", False)] == await at(country, HELD)
    await file(country, move_in())
    with pytest.raises(CertificateUsedError):
        await file(country, move_in())

    assert [("done", True, None)] == await at(country, FILED)


async def test_persons_of_no_one_certificate_are_refused(country: Country) -> None:
    """Somebody who stands on no certificate cannot come along without paper."""
    await file(country, move_out())
    await country.settle()
    country.later(days=8)

    with pytest.raises(CertificateMismatchError):
        await file(country, move_in(resident_codes=[HEAD, synthetic_resident_code(9)]))


@pytest.mark.parametrize(
    ("moved_in_on", "filed_on", "lawful"),
    [
        (date(2025, 7, 8), date(2025, 7, 10), True),
        (date(2025, 7, 8), date(2025, 7, 11), False),
        (date(2025, 6, 20), date(2025, 7, 4), True),
        (date(2025, 6, 20), date(2025, 7, 5), False),
    ],
)
async def test_the_card_serves_until_the_earlier_of_two_days(
    country: Country, moved_in_on: date, filed_on: date, lawful: bool
) -> None:
    """30 days after the planned day or 14 after moving in, whichever is earlier (Order 24-2)."""
    await file(country, move_out())
    await country.settle()
    country.now = datetime(2025, 7, 30, 3, 0, tzinfo=UTC)
    event = move_in(moved_in_on=moved_in_on, filed_on=filed_on, planned_on=None)

    if lawful:
        assert OutcomeState.PUBLISHED is (await file(country, event))[0].state
    else:
        with pytest.raises(CardPrivilegeLostError):
            await file(country, event)
        assert [("held", False)] == await at(country, HELD)


async def test_an_event_is_filed_once(country: Country) -> None:
    """Who repeats himself publishes nothing twice; another event under the id is refused."""
    event = move()
    first = await file(country, event, event)
    again = await file(country, event)

    assert [OutcomeState.PUBLISHED, OutcomeState.ALREADY_FILED] == [o.state for o in first]
    assert [Outcome(event.event_id, OutcomeState.ALREADY_FILED)] == again
    assert 2 == len(await at(country, KINDS))
    with pytest.raises(EventReusedError) as refused:
        await file(
            country, move(event_id=event.event_id, new_address="札幌市北区北二十四条西六丁目")
        )
    assert str(event.event_id) == refused.value.facts["event_id"]
    assert 2 == len(await at(country, KINDS))


async def test_a_refused_event_takes_its_batch_with_it_and_is_named(country: Country) -> None:
    """All or nothing; the refusal names the event, so that the others can be filed without it."""
    good, bad = move(), move(persons=persons(2), filed_on=date(2025, 6, 3))

    with pytest.raises(ImpossibleDateError) as refused:
        await file(country, good, bad)

    assert (str(bad.event_id), "filed_on") == (
        refused.value.facts["event_id"],
        refused.value.facts["field"],
    )
    assert [] == await at(country, "SELECT event_id FROM filed_event")
    assert [] == await at(country, KINDS)


async def test_a_refusal_at_publishing_names_its_event_too(country: Country) -> None:
    """What only the bodies' rules can tell is traced back to the event."""
    unborn = persons(2, birth_date=RegisterDate.of(date(2025, 6, 5)))
    bad = IdentityUpdateFiled(
        municipality=CHIYODA,
        update=IdentityUpdate.example(ChangeReason.BIRTH).model_copy(
            update={"birth_date": unborn[0].birth_date}
        ),
    )

    with pytest.raises(RejectedError) as refused:
        await file(country, move(), bad)

    assert str(bad.event_id) == refused.value.facts["event_id"]


async def test_hundreds_of_events_take_few_statements(country: Country) -> None:
    """A batch of 300 mixed events takes no more round trips than one of 3."""

    async def statements(numbers: range) -> int:
        events: list[Event] = []
        for n in numbers:
            events += [move(persons=persons(3 * n + 100))]
            events += [CardMoveOutFiled(**move_out().model_dump() | _alone(3 * n + 101))]
            events += [
                move_in(
                    resident_codes=[synthetic_resident_code(3 * n + 102)], planned_on=None,
                    moved_in_on=date(2025, 6, 1), filed_on=date(2025, 6, 2),
                )
            ]  # fmt: skip
        asked: list[str] = []
        async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
            tx.connection.add_query_logger(lambda record: asked.append(record.query))
            outcomes = await file_events(tx, country.publisher, events)
        assert len(events) == len(outcomes)
        return len(asked)

    assert await statements(range(1)) >= await statements(range(1, 101))


def persons(number: int, **changes: Any) -> list[Any]:
    """Return one moving person, synthetic resident *number*."""
    [example] = MoveFiled.example().persons
    codes = {
        "resident_code": synthetic_resident_code(number),
        "individual_number": synthetic_individual_number(number),
    }
    return [example.model_copy(update={**codes, **changes})]


def _alone(number: int) -> dict[str, Any]:
    head = MoveOutCertificate.example().persons[0]
    return {"persons": [head.model_copy(update={"resident_code": synthetic_resident_code(number)})]}


def notice(**changes: Any) -> MoveInNotice:
    """Return Sapporo's notice to Chiyoda."""
    days = dict.fromkeys(("moved_in_on", "filed_on", "noticed_on"), date(2025, 6, 1))
    return MoveInNotice.example().model_copy(update=days | changes)


async def confirmed(country: Country) -> Sequence[Any]:
    """Return where the former municipality knows its residents to have gone."""
    return await at(
        country,
        "SELECT resident_code, planned_on, area, address FROM move_out WHERE notice_id IS NOT NULL "
        "ORDER BY resident_code, notice_time",
    )


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("together", [False, True])
async def test_the_latest_notice_of_a_filing_wins(
    country: Country, swapped: bool, together: bool
) -> None:
    """A re-sent notice amends, an older one changes nothing, in one batch or in two."""
    old = await country.say(SAPPORO, CHIYODA, notice())
    country.later(hours=1)
    new = await country.say(
        SAPPORO, CHIYODA, notice(new_address="北海道札幌市中央区北一条西三丁目")
    )
    await country.collect(Tier.MUNICIPALITY)
    deliveries = [
        delivery(e, CHIYODA, country.now) for e in ((new, old) if swapped else (old, new))
    ]

    for batch in [deliveries] if together else [[d] for d in deliveries]:
        await country.hand_over(batch)

    rows = await confirmed(country)
    assert ["北海道札幌市中央区北一条西三丁目"] * 2 == [address for *_, address in rows]
    told = [kind for *_, kind in await at(country, KINDS)].count("move-out-confirmation")
    assert told == (2 if not together and not swapped else 1)


async def test_a_notice_finds_the_planned_move_out_and_corrects_it(country: Country) -> None:
    """A paper move-out, known by its update alone, is confirmed with the true destination."""
    update = IdentityUpdate.example(ChangeReason.DOMESTIC_MOVE_OUT).model_copy(
        update={"event_date": RegisterDate.of(date(2025, 6, 3))}
    )
    event = IdentityUpdateFiled(municipality=CHIYODA, update=update)
    await file(country, event)
    await country.say(SAPPORO, CHIYODA, notice())
    await country.settle()

    assert [
        (HEAD, date(2025, 6, 3), "011011", notice().new_address),
        (SPOUSE, None, "011011", notice().new_address),
    ] == await confirmed(country)
    assert [(event.event_id,)] == await at(
        country, "SELECT event_id FROM move_out WHERE resident_code = $1", HEAD
    )


async def test_a_notice_of_tomorrow_is_kept_for_tomorrow(country: Country) -> None:
    """A sender whose day has begun earlier is not refused; its notice waits."""
    country.now = datetime(2025, 6, 2, 14, 59, tzinfo=UTC)
    tomorrow = date(2025, 6, 3)
    days = dict.fromkeys(("moved_in_on", "filed_on", "noticed_on"), tomorrow)
    country.later(minutes=2)
    await country.say(SAPPORO, CHIYODA, notice(**days))
    country.later(minutes=-2)
    await country.settle()

    query = "SELECT state, reason FROM inbox WHERE kind = 'move-in-notice' AND node = $1"
    assert [("pending", "date_impossible")] == await at(country, query, CHIYODA)
    assert [] == await at(country, "SELECT node FROM move_out")


class TestWorkersRights:
    """What PostgreSQL itself refuses a worker."""

    async def test_a_worker_cannot_undo_what_is_kept(self, database: DatabaseEndpoint) -> None:
        """Archive and traces are for adding only, and no day of erasure can be moved."""
        connection = await asyncpg.connect(database.worker_url)
        try:
            for statement in (
                "UPDATE archive SET signed = NULL, erased_at = now()",
                "DELETE FROM archive",
                "DELETE FROM certificate_held",
                "UPDATE certificate_held SET erase_after = '2000-01-01'",
                "UPDATE certificate_issued SET content = '{}'",
                "DELETE FROM filed_event",
                "DELETE FROM filing",
                "DELETE FROM move_out",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()

    async def test_the_erasure_leaves_a_used_certificate_alone(self, country: Country) -> None:
        """What a filing has used is evidence, whatever day a worker claims it is."""
        await file(country, move_out())
        await country.settle()
        country.later(days=8)
        await file(country, move_in())

        assert 0 == await erase(country, date(2099, 1, 1))
        assert [] == await at(country, "SELECT node FROM archive WHERE signed IS NULL")

    async def test_the_erasure_believes_the_servers_day(self, country: Country) -> None:
        """A certificate that is not due by the server's own clock stays, whatever a worker says."""
        await file(country, move_out(planned_on=date(2199, 1, 1)))
        await country.settle()

        assert 0 == await erase(country, date(2199, 12, 31))
        assert [("held", False)] == await at(country, HELD)

    async def test_the_erasure_takes_certificates_only(self, country: Country) -> None:
        """A row that names another kind's envelope erases nothing of it."""
        sent = await country.say(SAPPORO, CHIYODA, notice())
        await country.settle()
        async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
            await tx.connection.execute(
                "INSERT INTO certificate_held (message_id, node, sender, group_id, event_time, "
                "planned_on, erase_after, state, body) "
                "VALUES ($1, $2, $3, $1, now(), '2020-01-01', '2020-01-31', 'held', '{}')",
                sent.header.id, CHIYODA, SAPPORO,
            )  # fmt: skip

        assert 0 == await erase(country, date(2025, 6, 2))
        assert [] == await at(country, "SELECT node FROM archive WHERE signed IS NULL")
