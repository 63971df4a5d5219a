"""What a public reason means, in the words of the error that has it."""

from __future__ import annotations

from jukinet_mq.errors import error_classes

OTHERS = {
    "certificate_not_issued": "A certificate is asked for that was never issued here.",
    "holdings_answer_wrong": "A keeper has answered another question than it was asked.",
    "sequence_unknown": "A keeper lacks numbers that were never published here, or never to it.",
    "handler_failed": "The handler raised an error that is none of ours; the worker's log has it.",
}
"""Reasons of handling that no error class has."""


def meaning_of(reason: str) -> str:
    """Return one sentence on what *reason* means; empty for one of another version."""
    for error in error_classes():
        if error.reason == reason:
            return " ".join((error.__doc__ or "").split())
    return OTHERS.get(reason, "")
