"""The proof by counting: every envelope is where it must be, exactly once, and answered.

A function of what the three databases and the broker say. Nothing is taken from the program's
own counters, and nothing is repaired.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from jukinet_mq.load.keepers import Duty, duties
from jukinet_mq.messages import ReceiptLevel
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.store.proof import Books, Published

REJECTED: Final = ReceiptLevel.REJECTED.value
_Place = tuple[UUID, NodeCode, NodeCode]


class Finding(NamedTuple):
    """One thing that is not as it must be."""

    message_id: UUID
    kind: str
    node: NodeCode
    what: str


@dataclass(slots=True)
class Proof:
    """What counting has found.

    Attributes:
        envelopes: Published envelopes looked at, of all runs.
        copies: Archive rows that must be, and are, there once.
        effects: Register entries that must be, and are, there once.
        receipts: Receipts of this run that must have come, and did.
        lost: Not in an archive that must have it.
        doubled: More than once in an archive or a register's history.
        altered: In an archive with other bytes than were published.
        unexpected: In an archive, a history or a receipt, where it must not be.
        unreceipted: Of this run, without the receipt that its keeper owes.
        without_effect: Of this run, not recorded by a register that must.
        left_in_queues: Messages that the broker still holds, by queue.
        left: What else is not nothing: outboxes, retries, gaps, parked, quarantine.
        of_strangers: Deliveries in quarantine, and refusals of them, that concern nothing that was
            published here: whatever somebody else has sent, these books are whole.
    """

    envelopes: int = 0
    copies: int = 0
    effects: int = 0
    receipts: int = 0
    lost: list[Finding] = field(default_factory=list)
    doubled: list[Finding] = field(default_factory=list)
    altered: list[Finding] = field(default_factory=list)
    unexpected: list[Finding] = field(default_factory=list)
    unreceipted: list[Finding] = field(default_factory=list)
    without_effect: list[Finding] = field(default_factory=list)
    left_in_queues: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    of_strangers: int = 0

    @property
    def findings(self) -> dict[str, list[Finding]]:
        """Every list of findings by its name."""
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "altered": self.altered,
            "unexpected": self.unexpected,
            "unreceipted": self.unreceipted,
            "without effect": self.without_effect,
        }

    @property
    def holds(self) -> bool:
        """Whether nothing is missing, doubled, altered, unexpected or left over."""
        return not (any(self.findings.values()) or self.left_in_queues or self.left)


def prove(
    books: Mapping[Tier, Books],
    queues: Mapping[str, int],
    *,
    since: Mapping[Tier, int] | None = None,
) -> Proof:
    """Hold the books of the three tiers against each other.

    Args:
        books: What each tier's database says.
        queues: Messages by queue, from the broker.
        since: Outbox position per tier after which receipts and effects are demanded; what
            was published before may have been parked or discarded by a person. None: all.

    Raises:
        UnknownKindError: An outbox holds a kind that this program does not know.
    """
    proof = Proof(
        left_in_queues={name: count for name, count in queues.items() if count},
        left={
            f"{tier.value}.{name}": count
            for tier, book in books.items()
            for name, count in book.left
            if count
        },
    )
    published = [
        (one, duties(one.kind, one.version, one.sender, one.recipient), tier)
        for tier, book in books.items()
        for one in book.published
    ]
    run = [
        (one, owed)
        for one, owed, tier in published
        if since is None or one.position > since.get(tier, 0)
    ]
    proof.envelopes = len(published)
    whole = [(one, owed) for one, owed, _ in published]
    _prove_archives(proof, books, whole)
    _prove_effects(proof, books, whole, {one.message_id for one, _ in run})
    _prove_receipts(proof, books, whole, run)
    _prove_quarantine(proof, books, whole)
    return proof


_Owed = list[tuple[Published, tuple[Duty, ...]]]


def _prove_archives(proof: Proof, books: Mapping[Tier, Books], published: _Owed) -> None:
    found: Counter[_Place] = Counter()
    digests: dict[_Place, bytes] = {}
    kinds = {one.message_id: one.kind for one, _ in published}
    tiers = {node.code: node.tier for node in directory().nodes()}
    for tier, book in books.items():
        for copy in book.copies:
            place = (copy.message_id, copy.node, copy.sender)
            if tiers.get(copy.node) is tier:
                found[place] += 1
                digests[place] = copy.digest
            else:
                what = f"in the archive of the {tier.value} tier, where {copy.node} is no node"
                kind = kinds.get(copy.message_id, "?")
                proof.unexpected.append(Finding(copy.message_id, kind, copy.node, what))
    for one, owed in published:
        for node in (one.sender, *(duty.keeper for duty in owed)):
            place = (one.message_id, node, one.sender)
            _prove_copy(proof, one, node, found.pop(place, 0), digests.get(place))
    proof.unexpected += [
        Finding(message_id, kinds.get(message_id, "?"), node, f"kept, as from {sender}")
        for message_id, node, sender in found
    ]


def _prove_copy(
    proof: Proof, one: Published, node: NodeCode, times: int, digest: bytes | None
) -> None:
    if times == 0:
        proof.lost.append(Finding(one.message_id, one.kind, node, "not in its archive"))
    elif times > 1:
        proof.doubled.append(
            Finding(one.message_id, one.kind, node, f"{times} times in its archive")
        )
    elif digest != one.digest:
        proof.altered.append(Finding(one.message_id, one.kind, node, "kept with other bytes"))
    else:
        proof.copies += 1


def _prove_effects(
    proof: Proof, books: Mapping[Tier, Books], published: _Owed, run: set[UUID]
) -> None:
    found = Counter(
        (effect.message_id, effect.node) for book in books.values() for effect in book.effects
    )
    for one, owed in published:
        for node in (duty.keeper for duty in owed if duty.records):
            times = found.pop((one.message_id, node), 0)
            finding = Finding(one.message_id, one.kind, node, f"recorded {times} times")
            if times > 1:
                proof.doubled.append(finding)
            elif times == 1:
                proof.effects += 1
            elif one.message_id in run:
                proof.without_effect.append(finding)
    proof.unexpected += [
        Finding(message_id, "?", node, "recorded, but nobody has published it")
        for message_id, node in found
    ]


def _prove_receipts(
    proof: Proof, books: Mapping[Tier, Books], published: _Owed, run: _Owed
) -> None:
    got: defaultdict[_Place, dict[str, bool]] = defaultdict(dict)
    for book in books.values():
        for answer in book.answers:
            place = (answer.message_id, answer.sender, answer.keeper)
            got[place][answer.level] = answer.matches
    for one, duty in _answerable(run):
        levels = got.get((one.message_id, one.sender, duty.keeper), {})
        if levels.get(duty.level or "") is True:
            proof.receipts += 1
            continue
        what = f"expected {duty.level}, got {', '.join(sorted(levels)) or 'nothing'}"
        if not all(levels.values()):
            what += ", about other bytes"
        proof.unreceipted.append(Finding(one.message_id, one.kind, duty.keeper, what))
    owed = {(one.message_id, one.sender, duty.keeper) for one, duty in _answerable(published)}
    ids = {one.message_id for one, _ in published}
    for message_id, sender, keeper in got.keys() - owed:
        if message_id not in ids and got[message_id, sender, keeper].keys() == {REJECTED}:
            proof.of_strangers += 1
            continue
        what = f"has answered {sender} without being a keeper"
        proof.unexpected.append(Finding(message_id, "?", keeper, what))


def _prove_quarantine(proof: Proof, books: Mapping[Tier, Books], published: _Owed) -> None:
    """Count what lies there by whether it is, or claims to be, an envelope of these books."""
    ids = {str(one.message_id) for one, _ in published}
    digests = {one.digest for one, _ in published}
    for tier, book in books.items():
        ours = sum(one.message_id in ids or one.digest in digests for one in book.untrusted)
        if ours:
            proof.left[f"{tier.value}.quarantined"] = ours
        proof.of_strangers += len(book.untrusted) - ours


def _answerable(published: _Owed) -> Iterator[tuple[Published, Duty]]:
    for one, owed in published:
        for duty in owed:
            if duty.level is not None:
                yield one, duty
