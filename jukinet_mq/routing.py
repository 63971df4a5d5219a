"""Planes and routing keys. Only this module builds or parses a routing key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from jukinet_mq.errors import SenderMismatchError


class Plane(StrEnum):
    """What may never be mixed: who may see it differs by law (Act 30-6, Act 9, receipts)."""

    IDENTITY = "identity"
    RELOCATION = "relocation"
    RECEIPT = "receipt"

    @property
    def exchange(self) -> str:
        """Name of the plane's topic exchange."""
        return f"juki.{self.value}"


_KEY = re.compile(
    r"(?P<to_prefecture>\d\d)\.(?P<recipient>\d{6}|jlis)"
    r"\.(?P<from_prefecture>\d\d)\.(?P<sender>\d{6}|jlis)\.(?P<kind>[a-z]+(?:-[a-z]+)*)",
    re.ASCII,
)
NATIONAL_PREFECTURE = "00"
SEQUENCE_MAX: Final = 999_999_999_999_999
"""The largest number of a pair on a plane; exact in every JSON reader and in the database."""


@dataclass(frozen=True, slots=True)
class RoutingKey:
    """`<recipient prefecture>.<recipient>.<sender prefecture>.<sender>.<kind>`."""

    recipient: str
    sender: str
    kind: str

    def __str__(self) -> str:
        """Return the key as RabbitMQ sees it."""
        return (
            f"{prefecture_word(self.recipient)}.{self.recipient}"
            f".{prefecture_word(self.sender)}.{self.sender}.{self.kind}"
        )

    @classmethod
    def parse(cls, text: str) -> RoutingKey:
        """Read a key back.

        Raises:
            SenderMismatchError: Not of the form, or a prefecture word that is not its node's.
        """
        match = _KEY.fullmatch(text)
        if match is None:
            raise SenderMismatchError(
                f"routing key of {len(text)} characters is not "
                "<prefecture>.<recipient>.<prefecture>.<sender>.<kind>"
            )
        key = cls(recipient=match["recipient"], sender=match["sender"], kind=match["kind"])
        if str(key) != text:
            raise SenderMismatchError(
                f"routing key names prefecture {match['to_prefecture']} for {key.recipient} "
                f"and {match['from_prefecture']} for {key.sender}; expected {key}"
            )
        return key


def prefecture_word(code: str) -> str:
    """Return the two digits that stand before *code* in a routing key; the nation's are 00."""
    return code[:2] if code[0].isdigit() else NATIONAL_PREFECTURE
