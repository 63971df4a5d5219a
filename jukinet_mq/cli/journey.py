"""An envelope's way, step by step, from what each tier's database knows of it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from jukinet_mq.cli.terminal import moment
from jukinet_mq.errors import DiscardedByOperatorError
from jukinet_mq.messages import IdentityUpdate, Kind, find_kind, keepers_of
from jukinet_mq.nodes import NATIONAL_NODE, Directory, NodeCode, Tier
from jukinet_mq.routing import Plane

if TYPE_CHECKING:
    from jukinet_mq.store.timeline import (
        Answered,
        Arrived,
        Filed,
        Forwarded,
        HeldBack,
        Known,
        Published,
        Said,
    )


class StepState(StrEnum):
    """How a step stands."""

    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an envelope's way.

    Attributes:
        what: `published`, `relayed`, `kept`, `forwarded`, `processed`, `rejected` ...
        node: Where.
        at: When it was done; None while it is not, or when nobody here knows.
        detail: Why not, since when, or what to do.
    """

    what: str
    state: StepState
    node: str
    at: datetime | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Journey:
    """One envelope and its steps.

    Attributes:
        unanswered: Keepers that have given no final receipt yet.
        refused: Whether a keeper has rejected it.
    """

    said: Said
    steps: Sequence[Step]
    unanswered: Sequence[str]
    refused: bool


@dataclass(slots=True)
class _Facts:
    """What all databases together know of one envelope."""

    said: Said
    published: Published | None = None
    arrived: dict[str, Arrived] = field(default_factory=dict)
    answers: dict[str, list[Answered]] = field(default_factory=dict)
    forwarded: dict[str, Forwarded] = field(default_factory=dict)
    held: dict[str, HeldBack] = field(default_factory=dict)


_OTHER_BYTES: Final = "its receipt speaks of other bytes than were published"
Handled = Callable[[Kind, Tier], bool]
"""Whether a tier has a handler for a kind, so that `processed` is to be expected of it."""


def filings(known: Iterable[Known]) -> list[Filed]:
    """Return the events as they were filed."""
    return [filed for one in known for filed in one.filed]


def journeys(known: Mapping[Tier, Known], directory: Directory, handled: Handled) -> list[Journey]:
    """Return every envelope's way, in the order of publishing."""
    facts = _gather(known.values())
    ordered = sorted(
        facts.values(),
        key=lambda f: (f.published.published_at if f.published else f.said.event_time,
                       f.said.message_id),
    )  # fmt: skip
    return [_journey(one, directory, handled, frozenset(known)) for one in ordered]


def _gather(known: Iterable[Known]) -> dict[UUID, _Facts]:
    facts: dict[UUID, _Facts] = {}
    sources = list(known)
    for one in sources:
        for published in one.published:
            said = published.said
            facts.setdefault(said.message_id, _Facts(said)).published = published
        for arrived in one.arrived:
            said = arrived.said
            facts.setdefault(said.message_id, _Facts(said)).arrived[arrived.node] = arrived
    for one in sources:
        for answer in one.answered:
            if answer.message_id in facts:
                facts[answer.message_id].answers.setdefault(answer.keeper, []).append(answer)
        for forwarded in one.forwarded:
            facts[forwarded.message_id].forwarded[forwarded.node] = forwarded
        for held in one.held:
            if (claimed := _uuid(held.message_id)) in facts and claimed is not None:
                facts[claimed].held[held.node] = held
    return facts


def _journey(
    facts: _Facts, directory: Directory, handled: Handled, asked: frozenset[Tier]
) -> Journey:
    said = facts.said
    kind = find_kind(said.kind, said.version)
    sender, recipient = directory.find(said.sender), directory.find(said.recipient)
    steps = _first_steps(facts)
    unanswered: list[str] = []
    refused = False
    keepers: Sequence[NodeCode] = ()
    if kind is not None and sender is not None and recipient is not None:
        keepers = keepers_of(kind, sender, recipient, directory)
    for keeper in keepers:
        tier = directory.node(keeper).tier
        expects = kind is not None and _is_reader(kind, keeper, said) and handled(kind, tier)
        if said.kind == IdentityUpdate.kind and keeper == NATIONAL_NODE:
            steps += _forwarding(facts, asked)
        found = _at_keeper(facts, keeper, expects_processed=expects)
        steps += found
        owed = said.plane != Plane.RECEIPT.value  # nothing on that plane is answered
        if owed and not _is_final(facts.answers.get(keeper, ()), expects):
            unanswered.append(keeper)
        refused = refused or any(step.what == "rejected" for step in found)
    return Journey(said, steps, unanswered, refused)


def _is_reader(kind: Kind, keeper: str, said: Said) -> bool:
    """Say whether a keeper can open what it keeps: evidence is kept, never processed."""
    if not kind.sealed:
        return True
    return keeper == said.recipient or (
        keeper == NATIONAL_NODE and any(reader.value == "national" for reader in kind.readers)
    )


def _first_steps(facts: _Facts) -> list[Step]:
    published, sender = facts.published, facts.said.sender
    if published is None:
        return []
    steps = [Step("published", StepState.DONE, sender, published.published_at)]
    if published.relayed_at is None:
        waiting = "in the outbox; goes out when a worker of its tier and the broker run"
        return [*steps, Step("relayed", StepState.WAITING, sender, detail=waiting)]
    again = f"{published.relays} times" if published.relays > 1 else None
    return [*steps, Step("relayed", StepState.DONE, sender, published.relayed_at, detail=again)]


def _forwarding(facts: _Facts, asked: frozenset[Tier]) -> list[Step]:
    """What the prefecture has done to let J-LIS have it; nothing where its database is unknown."""
    prefecture = facts.said.recipient
    forwarded = facts.forwarded.get(prefecture)
    if forwarded is not None and forwarded.relayed_at is not None:
        return [Step("forwarded", StepState.DONE, prefecture, forwarded.relayed_at)]
    if forwarded is not None:
        waiting = "the forward is in the prefecture's outbox"
        return [Step("forwarded", StepState.WAITING, prefecture, detail=waiting)]
    if NATIONAL_NODE in facts.arrived or NATIONAL_NODE in facts.answers:
        return [Step("forwarded", StepState.DONE, prefecture, detail="when is not known here")]
    if Tier.PREFECTURE in asked or prefecture not in facts.answers:
        return [Step("forwarded", StepState.WAITING, prefecture)]
    return []


def _at_keeper(facts: _Facts, keeper: str, *, expects_processed: bool) -> list[Step]:
    answers = facts.answers.get(keeper, [])
    arrived = facts.arrived.get(keeper)
    rejected = next((a for a in answers if a.level == "rejected"), None)
    steps = _kept(answers, arrived, keeper)
    if rejected is not None:
        said = _hint(rejected.reason)
        steps.append(Step("rejected", StepState.FAILED, keeper, rejected.received_at,
                          rejected.reason, said))  # fmt: skip
    elif held := facts.held.get(keeper):
        where = f"in quarantine since {moment(held.held_at)}"
        steps.append(
            Step("quarantined", StepState.FAILED, keeper, held.held_at, held.reason, where)
        )
    elif not steps:
        steps.append(_silent(facts, keeper))
    elif expects_processed:
        steps.append(_processed(answers, arrived, keeper))
    if any(not answer.matches for answer in answers):
        steps.append(Step("mismatched", StepState.FAILED, keeper, detail=_OTHER_BYTES))
    return steps


def _kept(answers: Sequence[Answered], arrived: Arrived | None, keeper: str) -> list[Step]:
    at = [answer.kept_at for answer in answers if answer.kept_at is not None]
    if arrived is not None:
        at.append(arrived.kept_at)
    if not at:
        return []
    under_way = None if answers else "its receipt is under way"
    return [Step("kept", StepState.DONE, keeper, min(at), detail=under_way)]


def _processed(answers: Sequence[Answered], arrived: Arrived | None, keeper: str) -> Step:
    for answer in answers:
        if answer.level == "processed":
            return Step("processed", StepState.DONE, keeper, answer.processed_at)
    match arrived:
        case None:
            return Step("processed", StepState.WAITING, keeper)
        case _ if arrived.state == "done":
            under_way = "its receipt is under way"
            return Step("processed", StepState.DONE, keeper, arrived.handled_at, detail=under_way)
        case _ if arrived.state == "pending":
            when = "" if arrived.due_at is None else f" at {moment(arrived.due_at)}"
            tried = f"{arrived.attempts} tries so far; the next{when}"
            return Step("processed", StepState.WAITING, keeper, reason=arrived.reason, detail=tried)
        case _ if arrived.reason == DiscardedByOperatorError.reason:
            return Step("discarded", StepState.FAILED, keeper, reason=arrived.reason)
        case _:
            hint = f"`jukinet parked show {arrived.said.message_id}`"
            return Step("parked", StepState.FAILED, keeper, reason=arrived.reason, detail=hint)


def _silent(facts: _Facts, keeper: str) -> Step:
    """A keeper of which nothing is known yet."""
    relayed = None if facts.published is None else facts.published.relayed_at
    if relayed is None:
        return Step("kept", StepState.WAITING, keeper)
    since = f"not yet answered; with the broker since {moment(relayed)}"
    return Step("kept", StepState.WAITING, keeper, detail=since)


def _is_final(answers: Sequence[Answered], expects_processed: bool) -> bool:
    levels = {answer.level for answer in answers}
    wanted = "processed" if expects_processed else "kept"
    return bool(levels & {wanted, "processed", "rejected"})


def _hint(reason: str | None) -> str:
    from jukinet_mq.cli.reasons import meaning_of

    return meaning_of(reason or "")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
