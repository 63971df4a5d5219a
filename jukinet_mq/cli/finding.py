"""What one check of `doctor` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says: one line, and the fix where it failed.

    Attributes:
        known: False where the check could not find out; `ok` is then False too.
    """

    layer: str
    ok: bool
    said: str
    fix: str = ""
    known: bool = True
