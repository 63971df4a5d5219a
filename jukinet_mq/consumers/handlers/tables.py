"""Which tier handles which kinds, and what each does with them."""

from __future__ import annotations

from typing import Final

from jukinet_mq.consumers.handlers import municipality, national, prefecture
from jukinet_mq.consumers.results import Handlers
from jukinet_mq.nodes import Tier

HANDLERS: Final[dict[Tier, Handlers]] = {
    Tier.MUNICIPALITY: municipality.HANDLERS,
    Tier.PREFECTURE: prefecture.HANDLERS,
    Tier.NATIONAL: national.HANDLERS,
}
REPEATS: Final[dict[Tier, Handlers]] = {Tier.PREFECTURE: prefecture.REPEATS}
"""What is done again when an envelope comes again whose handling is done."""
