"""What a sender does when a keeper lacks numbers: relay the very envelopes again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from jukinet_mq import telemetry
from jukinet_mq.consumers.results import Done, Park, Result, Workplace
from jukinet_mq.messages import ResendRequest, find_kind, keepers_of
from jukinet_mq.nodes import NodeCode, directory
from jukinet_mq.store import outbox
from jukinet_mq.store.database import Transaction
from jukinet_mq.store.inbox import Arrival
from jukinet_mq.store.outbox import Numbered, Pair


async def resend(
    tx: Transaction,
    arrivals: Sequence[Arrival],
    *,
    work: Workplace,  # noqa: ARG001
) -> Sequence[Result]:
    """Put the missing envelopes back in line: same id, same bytes.

    They reach every keeper again, to whom a repetition is harmless. A request for numbers that
    this node never published, or that are not the asker's to keep, is parked and said aloud;
    what else it names is resent.
    """
    results: list[Result] = []
    for arrival in arrivals:
        request = cast("ResendRequest", arrival.envelope.body)
        pair = Pair(arrival.node, NodeCode(request.addressee), request.about)
        found = await outbox.numbered(tx, pair, request.numbers)
        kept = [one for one in found if _is_kept(one, pair, by=arrival.envelope.header.sender)]
        await outbox.relay_again(tx, [one.message_id for one in kept])
        results.append(_result(arrival, request, kept))
    return results


def _is_kept(one: Numbered, pair: Pair, *, by: NodeCode) -> bool:
    kind = find_kind(one.kind, one.version)
    if kind is None:
        return False
    nodes = directory()
    return by in keepers_of(kind, nodes.node(pair.node), nodes.node(pair.recipient), nodes)


def _result(arrival: Arrival, request: ResendRequest, kept: Iterable[Numbered]) -> Result:
    unknown = set(request.numbers) - {one.sequence for one in kept}
    if not unknown:
        return Done()
    telemetry.emit(
        telemetry.NUMBERS_UNKNOWN,
        node=arrival.node,
        message_id=str(arrival.envelope.header.id),
        keeper=arrival.envelope.header.sender,
        recipient=request.addressee,
        plane=request.about.value,
        unknown=len(unknown),
    )
    return Park("sequence_unknown")
