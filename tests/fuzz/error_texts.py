"""What every error text must be."""

from __future__ import annotations

from typing import Final

PERSONAL: Final = (
    "髙橋", "高橋", "花子", "ハナコ", "ALMEIDA", "霞が関", "北一条", "渡邉", "ワタナベ", "世帯主",
    "9999000", "99999000", "TEST0000", "1994-04-12", "1992-11-03",
)  # fmt: skip
"""Parts of what the examples of all kinds and events say of people."""


def assert_impersonal(error: Exception) -> None:
    """Assert that the text of *error* can be written, and repeats nothing about anybody."""
    text = str(error)
    text.encode()
    assert not [part for part in PERSONAL if part in text], text
