"""The published contracts: JSON Schemas and the AsyncAPI document, rendered from the code.

The files of `schemas/` are never edited; `render` gives their only right content, the same
bytes on every machine.
"""

from __future__ import annotations

from jukinet_mq.contracts.files import check, render, write

__all__ = ["check", "render", "write"]
