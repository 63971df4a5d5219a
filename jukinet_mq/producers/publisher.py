"""Body to outbox: checked, numbered, sealed, signed and archived in the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from uuid_utils.compat import uuid7

from jukinet_mq.clock import latest_today_in_japan
from jukinet_mq.envelope import SIZE_MAX, Header, SignedEnvelope, encode
from jukinet_mq.errors import OversizedEnvelopeError, WrongPlaceError
from jukinet_mq.messages import Body, Kind, kind_of, may_travel, readers_of
from jukinet_mq.nodes import Directory, NodeCode
from jukinet_mq.routing import SEQUENCE_MAX, RoutingKey
from jukinet_mq.store import outbox
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.outbox import Given, Pair
from jukinet_mq.trust.sealing import seal
from jukinet_mq.trust.signing import SigningKey
from jukinet_mq.trust.store import TrustStore


@dataclass(frozen=True, slots=True)
class Draft:
    """A body and its way, before it has a number.

    Attributes:
        time: Instant of the business event, aware UTC: what orders a resident's updates.
        event_id: The business event; several drafts of one event share it.
        id: The envelope's id, fixed here: every retry and resend carries the same.
        dated_here: The event named no instant, so `time` is that of publishing; it then never
            lies before what the pair has dated so before, even if the clock was set back.
    """

    sender: NodeCode
    recipient: NodeCode
    body: Body
    time: datetime
    event_id: UUID = field(default_factory=uuid7)
    id: UUID = field(default_factory=uuid7)
    dated_here: bool = False

    @property
    def kind(self) -> Kind:
        """The body's line in the catalogue."""
        return kind_of(self.body)

    @property
    def pair(self) -> Pair:
        """Whose counter numbers it."""
        return Pair(self.sender, self.recipient, self.kind.plane)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft that was checked, with its body as it will be signed; it lacks only its number."""

    draft: Draft
    data: bytes | dict[str, object]


class Publishing(Protocol):
    """What publishes drafts: at once, or together with others of the same transaction."""

    async def publish(self, tx: Transaction, drafts: Sequence[Draft]) -> object:
        """Publish *drafts* when *tx* commits; raises as `Publisher.publish`."""


class Publisher:
    """Turns drafts into signed envelopes in the outbox.

    Args:
        directory: Who takes part.
        trust: Returns the present snapshot of enrolled keys, for sealing.
        signing_key: Returns the private key with which a node signs now what is dated so. Nothing
            is signed by another way, so what it refuses is never signed.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        trust: Callable[[], TrustStore],
        signing_key: Callable[[NodeCode, datetime], SigningKey],
    ) -> None:
        self._directory = directory
        self._trust = trust
        self._signing_key = signing_key

    def check(self, draft: Draft, *, today: date) -> None:
        """Refuse what must not be published; touches nothing.

        Raises:
            RejectedError: Unknown node, a way the kind may not take, a body that contradicts
                its header, an impossible date.
        """
        sender = self._directory.node(draft.sender)
        recipient = self._directory.node(draft.recipient)
        draft.body.check_route(sender=sender, recipient=recipient)
        if not may_travel(draft.kind, sender, recipient, self._directory):
            raise WrongPlaceError(
                f"{draft.kind.name} may not go from {sender.code} to {recipient.code}"
            )
        draft.body.check_dates(today=today)

    def check_signer(self, sender: NodeCode, time: datetime) -> None:
        """Refuse what *sender* could not sign now, dated *time*.

        Raises:
            ImpossibleDateError: None of its keys may sign for that instant.
            NodeKeyError: Its keys cannot be used, or none of them is valid now.
        """
        self._signing_key(sender, time)

    async def publish(self, tx: Transaction, drafts: Sequence[Draft]) -> list[SignedEnvelope]:
        """Put *drafts* into the outbox, all or nothing; they are out when *tx* commits.

        The drafts are numbered in the order given. The broker is not needed.

        Raises:
            RejectedError: As `check` and `check_signer`, or larger than 256 KiB.
            NodeKeyError: As `check_signer`.
            UnknownKeyError: A reader has no valid sealing key enrolled.
        """
        return await self.put(tx, self.prepare(drafts, at=tx.at))

    def prepare(self, drafts: Sequence[Draft], *, at: datetime) -> list[Prepared]:
        """Check and seal *drafts*, so that nothing about them can fail any more; touches nothing.

        Raises:
            JukinetError: As `publish`.
        """
        today = latest_today_in_japan(at)
        for draft in drafts:
            self.check(draft, today=today)
        return [self._prepare(draft, at=at) for draft in drafts]

    async def put(
        self, tx: Transaction, prepared: Sequence[Prepared], *, undated: Collection[Pair] = ()
    ) -> list[SignedEnvelope]:
        """Number and sign what was prepared, and put it into the outbox.

        Locks the counters of the pairs: once in a transaction, after all effects (ADR 28).

        Args:
            tx: They are out when it commits.
            prepared: Numbered in this order.
            undated: Pairs that date what they say next by the clock again.
        """
        if not prepared and not undated:
            return []
        drafts = [one.draft for one in prepared]
        given = await outbox.give_sequences(
            tx,
            Counter(d.pair for d in drafts),
            dated={d.pair for d in drafts if d.dated_here},
            undated=undated,
        )
        numbers: Mapping[Pair, Iterator[int]] = {p: iter(g.numbers) for p, g in given.items()}
        envelopes = [
            self._sign(
                replace(one, draft=_dated(one.draft, given[one.draft.pair])),
                sequence=next(numbers[one.draft.pair]),
            )
            for one in prepared
        ]
        await outbox.add(tx, envelopes)
        return envelopes

    def _prepare(self, draft: Draft, *, at: datetime) -> Prepared:
        """Seal a draft; sign it with the longest number, to see that it can be signed and fits."""
        kind, content = draft.kind, draft.body.dump_json()
        data = self._seal(kind, draft.recipient, content, at=at) if kind.sealed else content
        key = self._signing_key(draft.sender, draft.time)
        size = key.signed_size(encode(_header(draft, SEQUENCE_MAX), data, sealed=kind.sealed))
        if size > SIZE_MAX:
            raise OversizedEnvelopeError(
                f"the {kind.name} of {draft.sender} has {size} bytes signed; the limit "
                f"is {SIZE_MAX}; publish it in parts"
            )
        return Prepared(draft, data)

    def _sign(self, prepared: Prepared, *, sequence: int) -> SignedEnvelope:
        draft, kind = prepared.draft, prepared.draft.kind
        header = _header(draft, sequence)
        payload = encode(header, prepared.data, sealed=kind.sealed)
        signed = self._signing_key(draft.sender, draft.time).sign(payload)
        key = RoutingKey(recipient=draft.recipient, sender=draft.sender, kind=kind.name)
        return SignedEnvelope(header, kind.plane, str(key), signed)

    def _seal(
        self, kind: Kind, recipient: NodeCode, content: bytes, *, at: datetime
    ) -> dict[str, object]:
        trust = self._trust()
        readers = readers_of(kind, self._directory.node(recipient), self._directory)
        return seal(content, [trust.sealing_key(reader, at) for reader in readers])


def _header(draft: Draft, sequence: int) -> Header:
    kind = draft.kind
    return Header(
        id=draft.id,
        kind=kind.name,
        version=kind.version,
        sender=draft.sender,
        recipient=draft.recipient,
        sequence=sequence,
        time=draft.time,
        event_id=draft.event_id,
    )


def _dated(draft: Draft, given: Given) -> Draft:
    if not draft.dated_here or given.latest is None or given.latest <= draft.time:
        return draft
    return replace(draft, time=given.latest)
