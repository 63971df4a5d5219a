"""What the proof by counting finds: one of each fault, planted in otherwise right books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from jukinet_mq.errors import UnknownKindError
from jukinet_mq.load.keepers import duties
from jukinet_mq.load.proof import Finding, prove
from jukinet_mq.load.tally import tally
from jukinet_mq.nodes import NATIONAL_NODE, NodeCode, Tier, directory
from jukinet_mq.store.proof import Answer, Books, Copy, Effect, Handled, Published

CHIYODA, SAPPORO = NodeCode("131016"), NodeCode("011002")
TOKYO, HOKKAIDO, JLIS = NodeCode("130001"), NodeCode("010006"), NATIONAL_NODE
AT = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass
class World:
    """Books of three tiers in which everything published is kept, handled and answered."""

    books: dict[Tier, Books] = field(default_factory=lambda: {tier: Books() for tier in Tier})
    queues: dict[str, int] = field(default_factory=dict)

    def publish(self, kind: str, sender: NodeCode, recipient: NodeCode) -> UUID:
        """Publish an envelope and let everybody do what they owe."""
        message_id, digest = uuid7(), b"d" * 32
        tier = directory().node(sender).tier
        position = len(self.books[tier].published) + 1
        one = Published(message_id, sender, recipient, kind, 1, position, AT, AT + SECOND, digest)
        self.add(tier, published=one, copies=Copy(message_id, sender, sender, digest))
        for duty in duties(kind, 1, sender, recipient):
            kept = AT + 2 * SECOND
            self.add(
                duty.tier,
                copies=Copy(message_id, duty.keeper, sender, digest),
                handled=Handled(message_id, duty.keeper, "done", kept, kept),
            )
            if duty.records:
                self.add(duty.tier, effects=Effect(message_id, duty.keeper))
            if duty.level is not None:
                answer = Answer(message_id, sender, duty.keeper, duty.level, True, kept)
                self.add(tier, answers=answer)
        return message_id

    def add(self, tier: Tier, **rows: object) -> None:
        """Add one row to each of the lists named."""
        old = self.books[tier]
        added: dict[str, Any] = {n: [*getattr(old, n), row] for n, row in rows.items()}
        self.books[tier] = replace(old, **added)

    def change(self, tier: Tier, name: str, change: Callable[[list[Any]], list[Any]]) -> None:
        """Change one list of a tier's books."""
        changed: dict[str, Any] = {name: change(list(getattr(self.books[tier], name)))}
        self.books[tier] = replace(self.books[tier], **changed)


@pytest.fixture
def world() -> World:
    """An update, the forward that carried it, a notice between prefectures, and a receipt."""
    made = World()
    made.publish("identity-update", CHIYODA, TOKYO)
    made.publish("identity-forward", TOKYO, JLIS)
    made.publish("move-in-notice", SAPPORO, CHIYODA)
    made.publish("receipt", TOKYO, CHIYODA)
    return made


def only(findings: dict[str, list[Finding]]) -> dict[str, list[Finding]]:
    """Return the lists that hold something."""
    return {name: found for name, found in findings.items() if found}


def test_right_books_prove_everything(world: World) -> None:
    """Where all is kept once, recorded, answered and nothing is left, the proof holds."""
    proof = prove(world.books, {"jlis": 0})

    assert proof.holds
    # Own copies 4; kept: update 2, forward 1, notice 4, receipt 1.
    assert (4, 12, 2, 7) == (proof.envelopes, proof.copies, proof.effects, proof.receipts)


def test_copy_that_is_missing_is_lost(world: World) -> None:
    """An envelope that a keeper's archive does not have is named with its keeper."""
    one = world.books[Tier.NATIONAL].copies[0]
    world.change(Tier.NATIONAL, "copies", lambda rows: rows[1:])

    proof = prove(world.books, {})

    lost = Finding(one.message_id, "identity-update", JLIS, "not in its archive")
    assert {"lost": [lost]} == only(proof.findings)
    assert not proof.holds


def test_own_copy_that_is_missing_is_lost(world: World) -> None:
    """A sender whose own archive lacks what it has published has lost it too."""
    world.change(
        Tier.PREFECTURE,
        "copies",
        lambda rows: [r for r in rows if not (r.node == r.sender == TOKYO)],
    )

    assert [TOKYO, TOKYO] == [finding.node for finding in prove(world.books, {}).lost]


def test_copy_kept_twice_is_doubled(world: World) -> None:
    """Two rows of one envelope at one keeper are one finding."""
    world.change(Tier.PREFECTURE, "copies", lambda rows: [*rows, rows[0]])

    proof = prove(world.books, {})

    assert ["2 times in its archive"] == [finding.what for finding in proof.doubled]
    assert ["doubled"] == list(only(proof.findings))


def test_copy_with_other_bytes_is_altered(world: World) -> None:
    """A copy whose digest is not the published one is no copy."""
    world.change(
        Tier.NATIONAL, "copies", lambda rows: [rows[0]._replace(digest=b"x" * 32), *rows[1:]]
    )

    proof = prove(world.books, {})

    assert ["altered"] == list(only(proof.findings))


def test_copy_that_nobody_published_is_unexpected(world: World) -> None:
    """What is in an archive without standing in an outbox is named."""
    world.add(Tier.NATIONAL, copies=Copy(uuid7(), JLIS, CHIYODA, b"d" * 32))

    proof = prove(world.books, {})

    assert [(JLIS, "kept, as from 131016")] == [(f.node, f.what) for f in proof.unexpected]


def test_copy_at_a_node_that_is_no_keeper_is_unexpected(world: World) -> None:
    """An update of Tokyo's in Hokkaido's archive is where the law does not want it."""
    update = world.books[Tier.MUNICIPALITY].published[0]
    world.add(
        Tier.PREFECTURE, copies=Copy(update.message_id, HOKKAIDO, CHIYODA, update.digest or b"")
    )

    proof = prove(world.books, {})

    assert [HOKKAIDO] == [finding.node for finding in proof.unexpected]


def test_copy_in_another_tiers_database_is_unexpected(world: World) -> None:
    """Tiers share no database: a prefecture's row in the nation's is a fault."""
    update = world.books[Tier.MUNICIPALITY].published[0]
    world.add(Tier.NATIONAL, copies=Copy(update.message_id, TOKYO, CHIYODA, update.digest or b""))

    assert [TOKYO] == [finding.node for finding in prove(world.books, {}).unexpected]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda rows: rows[1:], "expected processed, got nothing"),
        (lambda rows: [rows[0]._replace(level="kept"), *rows[1:]], "expected processed, got kept"),
        (
            lambda rows: [rows[0]._replace(level="rejected"), *rows[1:]],
            "expected processed, got rejected",
        ),
        (
            lambda rows: [rows[0]._replace(matches=False), *rows[1:]],
            "expected processed, got processed, about other bytes",
        ),
    ],
)
def test_missing_or_wrong_receipt_is_unreceipted(
    world: World,
    change: Callable[[list[Answer]], list[Answer]],
    what: str,
) -> None:
    """Only the receipt that a keeper owes in the end, about the right bytes, counts."""
    world.change(Tier.MUNICIPALITY, "answers", change)

    proof = prove(world.books, {})

    assert [what] == [finding.what for finding in proof.unreceipted]
    assert ["unreceipted"] == list(only(proof.findings))


def test_kept_before_processed_is_enough(world: World) -> None:
    """A keeper that had to try again has answered twice, and that is right."""
    first = world.books[Tier.MUNICIPALITY].answers[0]
    world.add(Tier.MUNICIPALITY, answers=first._replace(level="kept"))

    assert prove(world.books, {}).holds


def test_receipt_from_somebody_who_keeps_nothing_is_unexpected(world: World) -> None:
    """A receipt of a node that is no keeper of the envelope is named."""
    first = world.books[Tier.MUNICIPALITY].answers[0]
    world.add(Tier.MUNICIPALITY, answers=first._replace(keeper=HOKKAIDO))

    assert [HOKKAIDO] == [finding.node for finding in prove(world.books, {}).unexpected]


def test_effect_recorded_twice_is_doubled(world: World) -> None:
    """One update is one row of a register's history."""
    world.change(Tier.PREFECTURE, "effects", lambda rows: rows * 2)

    assert ["recorded 2 times"] == [finding.what for finding in prove(world.books, {}).doubled]


def test_update_that_no_register_recorded_is_without_effect(world: World) -> None:
    """Kept is not enough where a register must record."""
    world.change(Tier.NATIONAL, "effects", lambda _: [])

    assert [JLIS] == [finding.node for finding in prove(world.books, {}).without_effect]


def test_effect_of_nothing_published_is_unexpected(world: World) -> None:
    """A register records nothing that nobody has said."""
    world.add(Tier.NATIONAL, effects=Effect(uuid7(), JLIS))

    assert [JLIS] == [finding.node for finding in prove(world.books, {}).unexpected]


def test_what_queues_and_databases_still_hold_is_named(world: World) -> None:
    """A message in `juki.dead`, an open gap or something parked breaks the proof."""
    world.books[Tier.NATIONAL] = replace(
        world.books[Tier.NATIONAL], left=(("gaps_open", 1), ("parked", 0))
    )

    proof = prove(world.books, {"juki.dead": 2, "cs.131016": 0})

    assert {"juki.dead": 2} == proof.left_in_queues
    assert {"national.gaps_open": 1} == proof.left
    assert not proof.holds


def test_earlier_run_owes_copies_but_no_receipts(world: World) -> None:
    """Before the mark a person may have parked or discarded; a copy may be missing never."""
    world.change(Tier.MUNICIPALITY, "answers", lambda _: [])
    world.change(Tier.NATIONAL, "copies", lambda rows: rows[1:])
    since = {tier: len(world.books[tier].published) for tier in Tier}

    proof = prove(world.books, {}, since=since)

    assert ["lost"] == list(only(proof.findings))


def test_kind_of_a_newer_program_is_refused(world: World) -> None:
    """What cannot be judged is not passed over."""
    world.change(
        Tier.MUNICIPALITY, "published", lambda rows: [rows[0]._replace(version=999), *rows[1:]]
    )

    with pytest.raises(UnknownKindError, match="identity-update"):
        prove(world.books, {})


def test_tally_counts_copies_and_clocks_deliveries(world: World) -> None:
    """Per kind: how many must be and are kept, processed and receipted, and how long it took."""
    found = {kind.kind: kind for kind in tally(world.books, dict.fromkeys(Tier, 0))}

    update, notice = found["identity-update"], found["move-in-notice"]
    assert (1, 2, 2, 2, 2) == (
        update.published, update.kept, update.to_keep, update.processed, update.receipted,
    )  # fmt: skip
    # The former municipality alone opens a notice; both prefectures and J-LIS keep it.
    assert (4, 1, 4) == (notice.kept, notice.to_process, notice.receipted)
    assert [2.0] == update.delays == update.national_delays
    assert (0, 1) == (found["receipt"].to_receipt, found["receipt"].processed)


def test_tally_leaves_out_earlier_runs(world: World) -> None:
    """What was published before the mark is not this run's."""
    since = {tier: len(world.books[tier].published) for tier in Tier}

    assert [] == tally(world.books, since)
