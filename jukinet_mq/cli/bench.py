"""`jukinet bench`: how fast, and where the time goes."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Measure how fast envelopes pass all three tiers, and where the time goes."""
