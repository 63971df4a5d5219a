"""Business events with every sort of content: filed, carried and kept, or refused."""

from __future__ import annotations

import codecs
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from jukinet_mq.consumers.retrying import retry_due
from jukinet_mq.errors import ImpossibleDateError, RejectedError, error_classes
from jukinet_mq.nodes import NodeCode, Tier, directory
from jukinet_mq.producers.events import EVENTS, IdentityUpdateFiled, read_event
from jukinet_mq.producers.filings import check_event, file_events
from jukinet_mq.producers.publisher import Publisher
from jukinet_mq.trust import SigningKey, TrustStore
from tests.fixtures.country import Country
from tests.fixtures.installation import Installation
from tests.fuzz.budget import examples
from tests.fuzz.error_texts import assert_impersonal
from tests.fuzz.json_trees import altered, bent

NOW: Final = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
EXAMPLES: Final[list[dict[str, Any]]] = [
    kind.example().model_dump(mode="json", exclude_none=True, exclude={"event_id"})
    | {"occurred_at": "2026-03-31T15:00:00+09:00"}
    for kind in EVENTS
]
PUBLISHER: Final = Publisher(
    directory(), trust=TrustStore, signing_key=lambda *_: SigningKey.generate()
)
REASONS: Final = {cls.reason for cls in error_classes() if issubclass(cls, RejectedError)}
whole_events = st.sampled_from(EXAMPLES)
altered_events = whole_events.flatmap(altered).map(orjson.dumps)
odd_events = st.one_of(
    altered_events, altered_events, whole_events.flatmap(bent), st.binary(max_size=40)
)
# A line that is blank but for a byte order mark is no line of `inject`.
odd_lines = odd_events.map(lambda text: text.replace(b"\r", b" ").replace(b"\n", b" ")).filter(
    lambda line: line.removeprefix(codecs.BOM_UTF8).strip()
)


UNFINISHED: Final = """
SELECT 'quarantined' AS state, node, reason FROM quarantine
UNION ALL
SELECT state, node, reason FROM inbox WHERE state <> 'done'
ORDER BY 1, 2, 3
"""
FOR_A_PERSON: Final = {"certificate_not_issued"}
"""Why what was rightly filed may be parked: two municipalities contradict each other."""


async def unfinished(country: Country) -> list[Any]:
    """Return what any keeper holds back, with its reason."""
    rows = [row for tier in Tier for row in await country.fetch(tier, UNFINISHED)]
    return [row for row in rows if row[2] not in FOR_A_PERSON]


def as_filed(country: Country) -> Publisher:
    """Return the publisher of a country whose keys, as files, sign only for times of their own."""

    def signing_key(node: NodeCode, time: datetime) -> SigningKey:
        enrolled = country.trust.signer(country.signing[node].kid)
        if enrolled is None or not enrolled.is_valid_at(time):
            raise ImpossibleDateError(f"no key of node {node} may sign for that instant")
        return country.signing[node]

    return Publisher(directory(), trust=lambda: country.trust, signing_key=signing_key)


@examples(250)
@given(text=odd_events)
def test_an_event_is_checked_or_refused_with_a_documented_reason(text: bytes) -> None:
    """No content makes reading and checking fail in a way that nobody has foreseen."""
    try:
        check_event(read_event(text), PUBLISHER, at=NOW)
    except RejectedError as error:
        assert_impersonal(error)


@examples(25)
@given(texts=st.lists(altered_events, min_size=1, max_size=4))
async def test_what_is_filed_is_kept_and_handled_by_its_keepers(
    country: Country, texts: Sequence[bytes]
) -> None:
    """An event is refused at the counter, or nobody later finds anything wrong with it."""
    before = await unfinished(country)
    for text in texts:
        with suppress(RejectedError):
            event = read_event(text)
            async with country.databases[Tier.MUNICIPALITY].transaction() as tx:
                await file_events(tx, as_filed(country), [event])

    await country.settle()
    for tier in Tier:
        await retry_due(country.desk(tier))

    assert before == await unfinished(country)


@examples(3, shrinks=False)
@given(odd=st.lists(odd_lines, min_size=5, max_size=15), seed=st.integers(0, 2**32))
async def test_each_line_of_a_file_is_filed_or_listed_and_good_ones_are_filed(
    installation: Installation, odd: Sequence[bytes], seed: int
) -> None:
    """Every good line is filed, every other is filed or listed with a documented reason."""
    good = [IdentityUpdateFiled.example().model_copy(update={"event_id": uuid7()}) for _ in odd]
    lines = [event.model_dump_json().encode() for event in good]
    first, *others = [*lines, *odd]
    random.Random(seed).shuffle(others)
    listed = installation.home / f"{good[0].event_id}.errors.ndjson"

    done = installation.jukinet(
        "inject", "-", "--json", "--errors", str(listed), given=b"\n".join([first, *others])
    )

    assert done.returncode in {0, 65}, done.stderr
    report = json.loads(done.stdout)
    refused = _lines_of(listed)
    dealt_with = report["filed"] + report["already_filed"] + len(refused)
    assert len(lines) + len(odd) == report["lines"] == dealt_with
    assert {one["reason"] for one in refused} <= REASONS
    filed = "SELECT count(*) FROM filed_event WHERE event_id = ANY ($1)"
    assert [(len(good),)] == await installation.fetch(
        Tier.MUNICIPALITY, filed, [event.event_id for event in good]
    )


def _lines_of(path: Path) -> list[dict[str, Any]]:
    """Return what an error list says; nothing where there is none."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
