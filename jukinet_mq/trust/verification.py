"""What a keeper may believe: every rule of trust, in order, in one object without I/O.

The checks are numbered; each says which attack it stops. Before check 4 nothing in the
envelope is known to be anyone's word, after it the sender is known. An error raised later
carries `facts["header"]` and `facts["digest"]`: the sender may be told. An error raised in
checks 2 to 4 carries `facts["claimed"]`, a header that nobody has vouched for: it may be
answered only where the broker has proved the same sender's login.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jukinet_mq import envelope
from jukinet_mq.clock import SKEW_MAX
from jukinet_mq.envelope import Delivery, Header, VerifiedEnvelope
from jukinet_mq.errors import (
    ClockSkewError,
    JukinetError,
    RevokedKeyError,
    UnknownKeyError,
    UnopenableSealError,
    UntrustedSignerError,
    WrongPlaceError,
    WrongReadersError,
)
from jukinet_mq.messages import (
    Body,
    Kind,
    keepers_of,
    may_travel,
    parse_body,
    readers_of,
)
from jukinet_mq.nodes import Directory, Node, NodeCode
from jukinet_mq.trust import sealing
from jukinet_mq.trust.claims import Claim, check_carriage, check_decoded, known_kind, take_apart
from jukinet_mq.trust.keys import EnrolledKey
from jukinet_mq.trust.sealing import SealingKey
from jukinet_mq.trust.store import TrustStore

OpeningKeys = Callable[[NodeCode], Sequence[SealingKey]]


@dataclass(frozen=True, slots=True)
class _Statement:
    """A claim that its sender has signed, between two nodes of the directory."""

    claim: Claim
    header: Header
    kind: Kind
    signer: EnrolledKey
    sender: Node
    recipient: Node


class Verifier:
    """Turns deliveries into `VerifiedEnvelope`, or says why not. Nothing else makes one."""

    __slots__ = ("_directory", "_opening_keys", "_skew_max", "_trust_store")

    def __init__(
        self,
        directory: Directory,
        trust_store: TrustStore,
        opening_keys: OpeningKeys,
        *,
        skew_max: timedelta = SKEW_MAX,
    ) -> None:
        """Bind the rules to what they are applied with.

        Args:
            directory: Who takes part.
            trust_store: Whose keys are believed; `trust` takes a fresh one.
            opening_keys: A node's private sealing keys, newest first; none for a node that
                this process does not host.
            skew_max: How far an envelope's time may lie ahead of the clock.
        """
        self._directory = directory
        self._trust_store = trust_store
        self._opening_keys = opening_keys
        self._skew_max = skew_max

    def trust(self, trust_store: TrustStore) -> None:
        """Believe *trust_store* from the next verification on."""
        self._trust_store = trust_store

    def verify(self, delivery: Delivery, *, at: datetime) -> VerifiedEnvelope:
        """Return what *delivery* says, after every check.

        Args:
            delivery: What the broker handed over.
            at: The one clock instant of this verification, aware UTC.

        Raises:
            UntrustedError: A check failed; the class says which.
            RejectedError: Authentic, but its body is not as its kind is published.
        """
        # 0. Properties that can be read. Stops what would have no proved login to hold an
        # envelope against.
        check_decoded(delivery)
        digest = envelope.digest_of(delivery.signed)
        statement = self._authenticate(delivery.signed, at=at)
        try:
            # 5. Sender, signer, login and routing key name one node, and the properties agree.
            # Stops a captured envelope from being sent again by another login or elsewhere.
            check_carriage(delivery, statement.header, statement.kind)
            self._check_place(delivery.node, statement)
            self._check_clock(statement, at=at)
            return self._believe(statement, node=delivery.node, digest=digest)
        except JukinetError as error:
            error.facts.update(header=statement.header, digest=digest)
            raise

    def verify_original(
        self, signed: bytes, *, forwarded_by: Node, node: NodeCode, at: datetime
    ) -> VerifiedEnvelope:
        """Return what an original inside a verified forward says, after every check but 5.

        Who carried it to the forwarding prefecture is that prefecture's word; in the place of
        check 5 the original must have been addressed to that prefecture.

        Args:
            signed: The original's exact bytes.
            forwarded_by: The prefecture whose forward held it.
            node: The node that reads it; must be a lawful reader of it.
            at: The one clock instant of this verification, aware UTC.

        Raises:
            UntrustedError: A check failed; the class says which.
            RejectedError: Authentic, but its body is not as its kind is published.
        """
        digest = envelope.digest_of(signed)
        statement = self._authenticate(signed, at=at)
        try:
            self._check_forward(statement, forwarded_by=forwarded_by, node=node)
            self._check_clock(statement, at=at)
            return self._believe(statement, node=node, digest=digest)
        except JukinetError as error:
            error.facts.update(header=statement.header, digest=digest)
            raise

    def reopen(self, signed: bytes, *, node: NodeCode) -> VerifiedEnvelope:
        """Return an envelope of a reader's own archive again, without asking who signed it.

        It was verified before it was archived, and nobody can write there but by that way; its
        key may have ended or been revoked since. Never for bytes from anywhere else.

        Raises:
            UntrustedError: Not an envelope of ours, or a body that no longer opens.
        """
        claim = take_apart(signed)
        kind = known_kind(claim)
        data = claim.data
        if kind.sealed:
            data = self._open(sealing.read(claim.event.data), node=node)
        return VerifiedEnvelope(
            header=claim.header,
            plane=kind.plane,
            signed=signed,
            digest=envelope.digest_of(signed),
            key_id=claim.compact.kid,
            body=parse_body(kind, data),
        )

    def _authenticate(self, signed: bytes, *, at: datetime) -> _Statement:
        """Checks 1 to 4: who said it, and that it is exactly what was said."""
        # 1. Size and strict form. Stops exhaustion by size, `alg` none or another than ours,
        # critical headers, and bytes that two readers would read as two things.
        claim = take_apart(signed)
        header = claim.header
        try:
            # 2. Known kind and version. Stops content that would be kept but not understood.
            kind = known_kind(claim)
            # 3. Enrolled key of the sender, valid when it signed, not revoked. Stops
            # strangers, one node speaking for another, and stolen keys.
            signer = self._check_signer(claim, at=at)
            # 4. Signature over the received bytes. Stops every change in transit.
            claim.compact.check(signer.public)
            sender, recipient = self._parties(header)
        except JukinetError as error:
            error.facts.update(claimed=header)
            raise
        return _Statement(claim, header, kind, signer, sender, recipient)

    def _check_signer(self, claim: Claim, *, at: datetime) -> EnrolledKey:
        kid, header = claim.compact.kid, claim.header
        signer = self._trust_store.signer(kid)
        if signer is None:
            raise UnknownKeyError(
                f"envelope {header.id} is signed with key {kid}, which is not enrolled. If node "
                f"{header.sender} made a new key, run `jukinet trust enrol {header.sender} CERT` "
                "and `jukinet quarantine replay --reason key_unknown`; if not, open an incident."
            )
        if signer.node != header.sender:
            raise UntrustedSignerError(
                f"envelope {header.id} says it is from {header.sender}, but key {kid} is "
                f"enrolled for {signer.node}. Open an incident."
            )
        # A stolen key claims any time; so revocation also counts at the clock's instant.
        if signer.is_revoked_at(max(at, header.time)):
            raise RevokedKeyError(
                f"envelope {header.id} is signed with key {kid} of node {signer.node}, revoked "
                f"at {signer.revoked_at:%Y-%m-%dT%H:%M:%SZ}. The node must sign it anew."
            )
        if not signer.is_valid_at(header.time):
            raise UntrustedSignerError(
                f"envelope {header.id} of {header.time:%Y-%m-%dT%H:%M:%SZ} is signed with key "
                f"{kid}, but node {signer.node} is enrolled with it from "
                f"{signer.valid_from:%Y-%m-%d} until {signer.valid_until:%Y-%m-%d}. If it rolled "
                f"its key, run `jukinet trust enrol {signer.node} CERT` and then "
                "`jukinet quarantine replay --reason signer_untrusted`."
            )
        return signer

    def _parties(self, header: Header) -> tuple[Node, Node]:
        sender, recipient = (
            self._directory.find(header.sender),
            self._directory.find(header.recipient),
        )
        if sender is None or recipient is None:
            unknown = header.sender if sender is None else header.recipient
            raise WrongPlaceError(f"envelope {header.id} names {unknown}, which is no node")
        return sender, recipient

    def _check_place(self, node: NodeCode, said: _Statement) -> None:
        # 6. This kind may travel this way, and this node may keep it. Stops an authentic
        # node from doing what is another tier's, and content where the law wants none.
        self._check_travel(said)
        if node not in keepers_of(said.kind, said.sender, said.recipient, self._directory):
            raise WrongPlaceError(
                f"{said.kind.name} from {said.sender.code} to {said.recipient.code} is not for "
                f"node {node} to keep. Run `jukinet topology check`."
            )

    def _check_travel(self, said: _Statement) -> None:
        if not may_travel(said.kind, said.sender, said.recipient, self._directory):
            raise WrongPlaceError(
                f"{said.kind.name} may not travel from {said.sender.code} to {said.recipient.code}"
            )

    def _check_forward(self, said: _Statement, *, forwarded_by: Node, node: NodeCode) -> None:
        # 5 and 6 of an original. Stop a prefecture from forwarding what was never said to
        # it, and content that only the prefecture may read from going further.
        if said.recipient != forwarded_by:
            raise WrongPlaceError(
                f"envelope {said.header.id} was addressed to {said.recipient.code}, but "
                f"forwarded by {forwarded_by.code}"
            )
        self._check_travel(said)
        if node not in readers_of(said.kind, said.recipient, self._directory):
            raise WrongPlaceError(f"{said.kind.name} may not be forwarded to node {node}")

    def _check_clock(self, said: _Statement, *, at: datetime) -> None:
        # 7. Not from the future. Stops an update dated ahead, which would win over every
        # later one of the same resident.
        ahead = said.header.time - at
        if ahead > self._skew_max:
            raise ClockSkewError(
                f"envelope {said.header.id} is dated {ahead.total_seconds():.0f} s ahead of this "
                f"clock; at most {self._skew_max.total_seconds():.0f} s are allowed. Check both "
                "nodes' clocks, then run `jukinet quarantine replay --reason time_in_future`."
            )

    def _believe(self, said: _Statement, *, node: NodeCode, digest: bytes) -> VerifiedEnvelope:
        return VerifiedEnvelope(
            header=said.header,
            plane=said.kind.plane,
            signed=said.claim.signed,
            digest=digest,
            key_id=said.signer.kid,
            body=self._body(said, node=node),
        )

    def _body(self, said: _Statement, *, node: NodeCode) -> Body | None:
        # 8. The body, where this node reads it. Stops content that breaks its kind's
        # schema or names another route than its envelope, and readers without a right.
        data = said.claim.data
        if said.kind.sealed:
            readers = readers_of(said.kind, said.recipient, self._directory)
            sealed = sealing.read(said.claim.event.data)
            self._check_readers(sealed, readers, said.header)
            if node not in readers:
                return None
            data = self._open(sealed, node=node)
        body = parse_body(said.kind, data)
        body.check_route(sender=said.sender, recipient=said.recipient)
        return body

    def _check_readers(
        self, sealed: sealing.SealedBody, lawful: Sequence[NodeCode], header: Header
    ) -> None:
        found = [self._trust_store.reader(kid) for kid in sealed.kids]
        nodes = sorted(key.node if key is not None else "an unknown key" for key in found)
        if nodes != sorted(lawful):
            raise WrongReadersError(
                f"envelope {header.id} is sealed to {', '.join(nodes)}; the law has it sealed to "
                f"exactly {', '.join(sorted(lawful))}. If a sealing key is new, enrol it and "
                "run `jukinet quarantine replay --reason seal_wrong_readers`; if a reader has no "
                "right, open an incident."
            )

    def _open(self, sealed: sealing.SealedBody, *, node: NodeCode) -> bytes:
        kids = sealed.kids
        for key in self._opening_keys(node):
            if key.kid in kids:
                return key.open(sealed)
        raise UnopenableSealError(
            f"the body is sealed to a key of node {node} whose private part is not here. "
            "Restore the node's key file, then run `jukinet quarantine replay --reason "
            "seal_unopenable`, or `jukinet parked replay` if it was parked."
        )
