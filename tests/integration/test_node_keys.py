"""One node's keys fail, in the databases: what it must sign waits, and nothing of others does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from jukinet_mq.consumers.asking import ask_for_missing
from jukinet_mq.consumers.hosting import Hosting
from jukinet_mq.consumers.pacing import Pace
from jukinet_mq.consumers.pipeline import Desk, keep
from jukinet_mq.consumers.receipts import issue
from jukinet_mq.consumers.replaying import release
from jukinet_mq.consumers.results import Retry, Workplace
from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.envelope import Delivery
from jukinet_mq.errors import NodeKeyError, SigningKeyNotValidError
from jukinet_mq.identifiers import synthetic_resident_code
from jukinet_mq.messages import IdentityUpdate
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.store.parked import Decision
from jukinet_mq.store.quarantine import QuarantineFilter, Verdict
from jukinet_mq.trust import SealingKey, SigningKey, TrustStore
from jukinet_mq.trust.verification import Verifier
from tests.fixtures.country import (
    CHIYODA,
    HAKODATE,
    HOKKAIDO,
    TOKYO,
    Country,
    delivery,
)

DUE = "SELECT node, count(*) FROM receipt_given WHERE carried_by IS NULL GROUP BY 1 ORDER BY 1"
STATES = "SELECT node, state, attempts FROM inbox WHERE kind = 'identity-update' ORDER BY 1"


@dataclass
class Prefectures:
    """The prefectures' tier of a country, of whose nodes some have keys that fail."""

    country: Country
    failing: set[NodeCode] = field(default_factory=set)

    def check(self, node: NodeCode) -> None:
        if node in self.failing:
            raise SigningKeyNotValidError(f"node {node} cannot sign", node=node)

    def signing_key(self, node: NodeCode, _: datetime) -> SigningKey:
        self.check(node)
        return self.country.signing[node]

    def sealing_keys(self, node: NodeCode) -> Sequence[SealingKey]:
        self.check(node)
        return (self.country.sealing[node],)

    @property
    def publisher(self) -> Publisher:
        return Publisher(
            directory(), trust=lambda: self.country.trust, signing_key=self.signing_key
        )

    @property
    def desk(self) -> Desk:
        verifier = Verifier(directory(), self.country.trust, self.sealing_keys)
        whole = self.country.desk(Tier.PREFECTURE)
        return replace(whole, verifier=verifier, work=Workplace(self.publisher))

    def hosting(self) -> Hosting:
        return Hosting(self.check, [n.code for n in directory().nodes(Tier.PREFECTURE)])


@pytest.fixture
def prefectures(country: Country) -> Prefectures:
    """The prefectures of a small country, all of whose keys are good."""
    return Prefectures(country)


def update(number: int, area: NodeCode = CHIYODA) -> IdentityUpdate:
    """Return a valid update about synthetic resident *number* of *area*."""
    return IdentityUpdate.example().model_copy(
        update={"resident_code": synthetic_resident_code(number), "area_code": area}
    )


async def said(country: Country) -> list[Delivery]:
    """Return an update for each of the two prefectures, as it arrives there."""
    sent = [
        (await country.say(CHIYODA, TOKYO, update(1)), TOKYO),
        (await country.say(HAKODATE, HOKKAIDO, update(2, HAKODATE)), HOKKAIDO),
    ]
    return [delivery(envelope, node, country.now) for envelope, node in sent]


async def test_receipts_of_a_node_that_cannot_sign_stay_due(
    country: Country, prefectures: Prefectures
) -> None:
    """Those of the other go out in the same round; its own when its key is good again."""
    await country.hand_over(await said(country))
    database, hosting = country.databases[Tier.PREFECTURE], prefectures.hosting()
    prefectures.failing = {TOKYO}

    issued = await hosting.work(None, lambda nodes: issue(database, prefectures.publisher, nodes))

    assert (1, [TOKYO]) == (issued.envelopes, list(hosting.waiting))
    assert [(TOKYO, 1)] == await country.fetch(Tier.PREFECTURE, DUE)
    prefectures.failing = set()
    await hosting.look([])
    await hosting.work(None, lambda nodes: issue(database, prefectures.publisher, nodes))
    assert [] == await country.fetch(Tier.PREFECTURE, DUE)


async def test_retry_of_a_node_whose_keys_fail_counts_nothing(
    country: Country, prefectures: Prefectures
) -> None:
    """Its envelope stays due as it was, neither tried nor parked; the other's is handled."""

    async def later(*_: object, **__: object) -> list[Retry]:
        return [Retry("not_yet")]

    good = country.handlers[Tier.PREFECTURE]
    country.handlers[Tier.PREFECTURE] = {"identity-update": later}
    await country.hand_over(await said(country))
    country.handlers[Tier.PREFECTURE] = good
    country.later(minutes=1)
    prefectures.failing = {TOKYO}

    hosting = prefectures.hosting()
    tried = await hosting.work(None, lambda nodes: retry_due(prefectures.desk, nodes))

    assert 1 == tried
    expected = [(HOKKAIDO, "done", 2), (TOKYO, "pending", 1)]
    assert expected == await country.fetch(Tier.PREFECTURE, STATES)
    prefectures.failing = set()
    await hosting.look([])
    assert 1 == await hosting.work(None, lambda nodes: retry_due(prefectures.desk, nodes))
    expected = [(HOKKAIDO, "done", 2), (TOKYO, "done", 2)]
    assert expected == await country.fetch(Tier.PREFECTURE, STATES)


async def test_numbers_missing_at_a_node_that_cannot_sign_are_asked_for_later(
    country: Country, prefectures: Prefectures
) -> None:
    """The other node's question goes out; the waiting one's is asked when it can."""
    for sender, keeper, area in ((CHIYODA, TOKYO, CHIYODA), (HAKODATE, HOKKAIDO, HAKODATE)):
        await country.say(sender, keeper, update(1, area))
        second = await country.say(sender, keeper, update(2, area))
        await country.hand_over([delivery(second, keeper, country.now)])
    country.later(minutes=1)
    prefectures.failing = {TOKYO}
    database, hosting = country.databases[Tier.PREFECTURE], prefectures.hosting()
    asked = "SELECT DISTINCT node FROM outbox WHERE kind = 'resend-request' ORDER BY 1"

    await hosting.work(None, lambda nodes: ask_for_missing(database, prefectures.publisher, nodes))

    assert [(HOKKAIDO,)] == await country.fetch(Tier.PREFECTURE, asked)
    prefectures.failing = set()
    await hosting.look([])
    await hosting.work(None, lambda nodes: ask_for_missing(database, prefectures.publisher, nodes))
    assert [(HOKKAIDO,), (TOKYO,)] == await country.fetch(Tier.PREFECTURE, asked)


async def test_batch_with_a_node_whose_keys_fail_writes_nothing(
    country: Country, prefectures: Prefectures
) -> None:
    """The error names the node, whose queue the worker then leaves out; nothing is half kept."""
    prefectures.failing = {TOKYO}
    sent = await said(country)

    with pytest.raises(NodeKeyError) as caught:
        await keep(sent, prefectures.desk)

    assert TOKYO == caught.value.node
    for table in ("inbox", "archive", "quarantine", "receipt_given", "outbox"):
        assert [(0,)] == await country.fetch(Tier.PREFECTURE, f"SELECT count(*) FROM {table}")


async def test_release_leaves_what_is_a_nodes_whose_keys_fail(
    country: Country, prefectures: Prefectures
) -> None:
    """An operator's replay keeps what is the others', and says why the rest stays held."""
    known = country.trust
    sent = await said(country)
    country.trust = TrustStore.from_keys(k for k in known.keys if k.node not in {CHIYODA, HAKODATE})
    await country.hand_over(sent)
    country.trust = known
    prefectures.failing = {TOKYO}
    told: list[Verdict] = []

    await release(
        prefectures.desk,
        QuarantineFilter(),
        Decision("replayed", "hanako", "keys enrolled"),
        pace=Pace(),
        tell=told.extend,
    )

    assert [("refused", "signing_key_not_valid"), ("accepted", None)] == [
        (one.outcome, one.reason) for one in told
    ]
    kept = "SELECT node FROM inbox WHERE kind = 'identity-update'"
    assert [(HOKKAIDO,)] == await country.fetch(Tier.PREFECTURE, kept)
