"""What an operator's decisions share: who, why, how fast, and what is said when it ends early."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from jukinet_mq.cli import names, running, terminal
from jukinet_mq.nodes import Tier

if TYPE_CHECKING:
    from jukinet_mq.consumers.pacing import Pace
    from jukinet_mq.store.parked import Decision

_T = TypeVar("_T")
Tell = Callable[[Sequence[_T]], None]

Batch = Annotated[
    int, typer.Option("--batch", min=1, max=5_000, help="How many one transaction moves at most.")
]


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator wants done: for what reason, by whom, how fast, and whether really."""

    how: Literal["replayed", "discarded"]
    why: str
    operator: str | None
    apply: bool
    as_json: bool
    rate: float | None = None
    batch: int | None = None

    def check(self, *, named: bool, everything: bool) -> None:
        """Refuse an order about nothing in particular, and one without a reason."""
        if not (named or everything):
            raise typer.BadParameter("name them by their ID, filter them, or say --all")
        if self.apply and not self.why.strip():
            raise typer.BadParameter("say --why: it is kept with what was decided")

    def decision(self) -> Decision:
        """Return it as the store keeps it."""
        from jukinet_mq.store.parked import Decision

        return Decision(self.how, self.operator or names.this_operator(), self.why)

    def pace(self) -> Pace:
        """Return how fast it goes."""
        from jukinet_mq.consumers.pacing import BATCH_MAX, Pace

        return Pace(self.rate, self.batch or BATCH_MAX)


def in_tiers(
    tiers: Sequence[Tier],
    work: Callable[[Tier, Tell[_T]], Coroutine[object, object, None]],
    *,
    said: str,
) -> dict[Tier, list[_T]]:
    """Run *work* for one tier after the other; return what each has told.

    When it ends early, the user learns how much is done: it stays done.
    """
    done: dict[Tier, list[_T]] = {tier: [] for tier in tiers}
    errors = terminal.console(stderr=True)
    try:
        with errors.status("looking ...") as status:
            for tier in tiers:

                def tell(batch: Sequence[_T], tier: Tier = tier) -> None:
                    done[tier].extend(batch)
                    status.update(f"{tier}: {len(done[tier]):,} {said} ...")

                running.run(work(tier, tell))
    except BaseException:
        if count := sum(map(len, done.values())):
            errors.print(
                f"{count:,} {said} before this ended early, perhaps one batch more; the same "
                "command goes on with the rest"
            )
        raise
    return done
