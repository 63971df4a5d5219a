"""Keys, trust stores and deliveries to bend in tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from jukinet_mq import envelope
from jukinet_mq.envelope import Delivery, Header
from jukinet_mq.messages import IdentityUpdate, find_kind, readers_of
from jukinet_mq.messages.body import Body
from jukinet_mq.nodes import NATIONAL_NODE, Directory, NodeCode, directory
from jukinet_mq.routing import RoutingKey
from jukinet_mq.trust import EnrolledKey, SealingKey, SigningKey, TrustStore, Use, seal
from jukinet_mq.trust.verification import Verifier

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
CHIYODA = NodeCode("131016")
TOKYO = NodeCode("130001")
SAPPORO = NodeCode("011002")
HOKKAIDO = NodeCode("010006")
JLIS = NATIONAL_NODE
NODES = (CHIYODA, TOKYO, SAPPORO, HOKKAIDO, JLIS)


def enrolled(key: SigningKey | SealingKey, node: NodeCode = CHIYODA, **changes: Any) -> EnrolledKey:
    """Return *key* as enrolled for *node*, valid a day before and a year after NOW."""
    use = Use.SIGNING if isinstance(key, SigningKey) else Use.SEALING
    whole = EnrolledKey(
        node=node,
        use=use,
        kid=key.kid,
        public=key.public,
        valid_from=NOW - timedelta(days=1),
        valid_until=NOW + timedelta(days=365),
    )
    return replace(whole, **changes)


@dataclass
class World:
    """Five nodes with keys, and what is needed to speak for them."""

    directory: Directory
    signing: dict[NodeCode, SigningKey]
    sealing: dict[NodeCode, SealingKey]
    enrolled: dict[str, EnrolledKey] = field(default_factory=dict)

    def enrol(self, key: EnrolledKey) -> None:
        self.enrolled[key.kid] = key

    @property
    def trust_store(self) -> TrustStore:
        return TrustStore.from_keys(self.enrolled.values())

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.directory, self.trust_store, self.opening_keys)

    def opening_keys(self, node: NodeCode) -> tuple[SealingKey, ...]:
        return (self.sealing[node],)

    def readers(self, *nodes: NodeCode) -> list[EnrolledKey]:
        return [self.enrolled[self.sealing[node].kid] for node in nodes]

    def payload(
        self, header: Header, body: Body, *, readers: tuple[NodeCode, ...] | None = None
    ) -> bytes:
        """Return the CloudEvent, sealed to whom the law says or to *readers*."""
        kind = find_kind(body.kind, body.version)
        assert kind is not None
        if not kind.sealed:
            return envelope.encode(header, body.dump_json(), sealed=False)
        recipient = self.directory.node(header.recipient)
        lawful = readers_of(kind, recipient, self.directory)
        jwe = seal(body.dump_json(), self.readers(*(lawful if readers is None else readers)))
        return envelope.encode(header, jwe, sealed=True)

    def signed(self, header: Header, body: Body, **options: Any) -> bytes:
        return self.signing[header.sender].sign(self.payload(header, body, **options))


def header_of(body: Body, sender: NodeCode, recipient: NodeCode, **changes: Any) -> Header:
    """Return a header that fits *body*, dated NOW."""
    whole = Header(
        id=UUID("019d45b1-5a00-7000-8000-0000000000aa"),
        kind=body.kind,
        version=body.version,
        sender=sender,
        recipient=recipient,
        sequence=1,
        time=NOW,
        event_id=UUID("019d45b1-5a00-7000-8000-0000000000bb"),
    )
    return replace(whole, **changes)


def delivery_of(signed: bytes, header: Header, exchange: str, **changes: Any) -> Delivery:
    """Return what the broker would hand to the recipient, with every property right."""
    whole = Delivery(
        node=header.recipient,
        signed=signed,
        exchange=exchange,
        routing_key=str(RoutingKey(header.recipient, header.sender, header.kind)),
        user_id=header.sender,
        message_id=str(header.id),
        type=envelope.type_name(header.kind, header.version),
        content_type=envelope.CONTENT_TYPE,
        received_at=NOW,
    )
    return replace(whole, **changes)


@pytest.fixture(scope="session")
def keys() -> tuple[dict[NodeCode, SigningKey], dict[NodeCode, SealingKey]]:
    """One signing and one sealing key per node, made once."""
    return (
        {node: SigningKey.generate() for node in NODES},
        {node: SealingKey.generate() for node in NODES},
    )


@pytest.fixture
def world(keys: tuple[dict[NodeCode, SigningKey], dict[NodeCode, SealingKey]]) -> World:
    """Five nodes, each enrolled with a signing and a sealing key."""
    signing, sealing = keys
    made = World(directory(), dict(signing), dict(sealing))
    for node in NODES:
        made.enrol(enrolled(signing[node], node))
        made.enrol(enrolled(sealing[node], node))
    return made


@pytest.fixture
def update() -> IdentityUpdate:
    """A valid identity update whose route is Chiyoda to Tokyo."""
    return IdentityUpdate.example()


@pytest.fixture
def header(update: IdentityUpdate) -> Header:
    """The header of `update`."""
    return header_of(update, CHIYODA, TOKYO)


@pytest.fixture
def delivery(world: World, update: IdentityUpdate, header: Header) -> Delivery:
    """An identity update from Chiyoda to Tokyo as Tokyo's worker gets it: nothing is wrong."""
    return delivery_of(world.signed(header, update), header, "juki.identity")
