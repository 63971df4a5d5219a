"""Envelopes that an operator of the sender's tier sends again."""

from __future__ import annotations

import json
from uuid import UUID

from jukinet_mq.nodes import Tier
from tests.fixtures.filing import answered, injected, update
from tests.fixtures.installation import CHIYODA, Installation

RELAYS = "SELECT relays, relayed_at IS NULL FROM outbox WHERE event_id = $1"
EFFECTS = "SELECT count(*), count(DISTINCT message_id) FROM register_history"


async def test_resent_envelope_comes_again_and_changes_nothing(installation: Installation) -> None:
    """Dry first; then the same bytes go out once more, and are kept once all the same."""
    with installation.workers():
        event = injected(installation, update(1))
        await answered(installation, event, 2)
        before = await installation.fetch(Tier.PREFECTURE, EFFECTS)
        dry = installation.jukinet("resend", event)
        untouched = await installation.fetch(Tier.MUNICIPALITY, RELAYS, UUID(event))
        done = installation.jukinet("resend", event, "--apply", "--json")

        async def relayed_twice() -> bool:
            found = await installation.fetch(Tier.MUNICIPALITY, RELAYS, UUID(event))
            return found == [(2, False)]

        await installation.until(relayed_twice)
        await installation.settled()

    assert (0, 0) == (dry.returncode, done.returncode), done.stderr
    assert "Nothing was changed" in dry.stdout
    assert [(1, False)] == untouched
    [envelope] = json.loads(done.stdout)["envelopes"]["municipality"]
    assert (event, CHIYODA) == (envelope["event_id"], envelope["node"])
    assert before == await installation.fetch(Tier.PREFECTURE, EFFECTS)
    assert (await installation.proof()).holds


def test_what_was_never_relayed_is_told(installation: Installation) -> None:
    """Exit code 65; and a command that names nothing is refused."""
    nothing = installation.jukinet("resend", "01a20007-ede1-7207-82b1-385d0bf61ecb", "--apply")
    everything = installation.jukinet("resend", "--apply")

    assert 65 == nothing.returncode
    assert 2 == everything.returncode
