"""Names on the command line that a list is closed about: reasons, kinds, logins; and free texts.

A name that is not in its list is refused with the nearest one; it never selects nothing.
"""

from __future__ import annotations

import difflib
import getpass
import os
import re
import sys
from collections.abc import Callable, Collection
from enum import Enum
from typing import Final, TypeVar

import typer

from jukinet_mq.errors import NotNowError, RejectedError, UntrustedError, error_classes

EnumT = TypeVar("EnumT", bound=Enum)
HINTS_MAX: Final = 3
OPERATOR_LENGTH_MAX: Final = 100
TEXT_LENGTH_MAX: Final = 2_000
_LOGIN: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def reasons_of_handling() -> set[str]:
    """Return why an envelope may be tried again or parked: everything but outages."""
    from jukinet_mq.cli.reasons import OTHERS

    known = {error.reason for error in error_classes() if not issubclass(error, NotNowError)}
    return known | OTHERS.keys()


def reasons_of_quarantine() -> set[str]:
    """Return why a delivery may be held."""
    held = (UntrustedError, RejectedError)
    return {error.reason for error in error_classes() if issubclass(error, held)}


def kinds() -> set[str]:
    """Return the names of the kinds."""
    from jukinet_mq.messages.catalogue import CATALOGUE

    return {kind.name for kind in CATALOGUE}


def logins() -> set[str]:
    """Return who logs in to the broker by this program's doing: nodes, centres and operators."""
    from jukinet_mq.nodes import directory
    from jukinet_mq.topology.build import DEFAULT_CENTRES
    from jukinet_mq.topology.permissions import OPERATORS

    ours = {centre.name for centre in DEFAULT_CENTRES} | {OPERATORS.name}
    return ours | {node.code for node in directory().nodes()}


def read_reason_of_handling(text: str) -> str:
    """Return a reason for which envelopes are tried again or parked."""
    return _reason(text, reasons_of_handling(), "nothing is tried again or parked")


def read_reason_of_quarantine(text: str) -> str:
    """Return a reason for which deliveries are held."""
    return _reason(text, reasons_of_quarantine(), "nothing is held in quarantine")


def read_kind(text: str) -> str:
    """Return the name of a kind."""
    known = kinds()
    if text in known:
        return text
    raise _refused(text, "a kind", known, f"; the kinds are {', '.join(sorted(known))}")


def read_login(text: str) -> str:
    """Return a login of the broker; what looks like a node's must be one."""
    from jukinet_mq.cli import codes

    known = logins()
    if text in known:
        return text
    if hints := codes.likely_codes(text):
        raise typer.BadParameter(f"{text!r} is no login; {'; or '.join(hints[:HINTS_MAX])}")
    if text.isdigit() or not _LOGIN.fullmatch(text) or _near(text, known):
        raise _refused(text, "a login of the broker", known, "")
    return text


def read_operator(text: str) -> str:
    """Return the name of who decides."""
    name = read_text(text)
    if not name.strip() or not name.isprintable() or len(name) > OPERATOR_LENGTH_MAX:
        raise typer.BadParameter(
            f"expected a name of 1 to {OPERATOR_LENGTH_MAX} printable characters"
        )
    return name.strip()


def read_text(text: str) -> str:
    """Return a text that can be kept: of this terminal's encoding, without control characters."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise typer.BadParameter(
            f"not encoded in {sys.getfilesystemencoding()}, as the environment says; set LC_ALL to "
            "what the terminal writes"
        )
    if any(character < " " and character not in "\n\t" for character in text):
        raise typer.BadParameter("it holds control characters; leave them out")
    if len(text) > TEXT_LENGTH_MAX:
        raise typer.BadParameter(f"it has {len(text):,} characters; at most {TEXT_LENGTH_MAX:,}")
    return text


def member_of(members: type[EnumT]) -> Callable[[str | EnumT], EnumT]:
    """Return what reads one of *members*."""

    def read(text: str | EnumT) -> EnumT:
        if isinstance(text, members):  # a default
            return text
        known = {str(member.value): member for member in members}
        if text in known:
            return known[str(text)]
        raise _refused(str(text), "one of these", known, f": {', '.join(known)}")

    return read


def this_operator() -> str:
    """Return who runs this session.

    Raises:
        typer.BadParameter: The system does not know, or its answer is no name.
    """
    try:
        return read_operator(getpass.getuser())
    except (KeyError, OSError, ImportError):
        why = f"the system has no user name for this session (user id {os.getuid()})"
    except typer.BadParameter as error:
        why = f"the user name of this session cannot be kept: {error.message}"
    raise typer.BadParameter(f"{why}; say --operator NAME: it is kept with what was decided")


def completing(known: Callable[[], Collection[str]]) -> Callable[[str], list[str]]:
    """Return what offers a shell the names that begin as typed."""

    def complete(incomplete: str) -> list[str]:
        return sorted(name for name in known() if name.startswith(incomplete))

    return complete


def _reason(text: str, known: Collection[str], otherwise: str) -> str:
    if text in known:
        return text
    if text in {error.reason for error in error_classes()} | reasons_of_handling():
        raise typer.BadParameter(f"{otherwise} for the reason {text}")
    raise _refused(text, "a reason", known, "; docs/reference/reasons.md lists all")


def _refused(text: str, what: str, known: Collection[str], otherwise: str) -> typer.BadParameter:
    near = _near(text, known)
    hint = f"; did you mean {' or '.join(near)}?" if near else otherwise
    return typer.BadParameter(f"{text!r} is not {what}{hint}")


def _near(text: str, known: Collection[str]) -> list[str]:
    """Return the names most like *text*; one that is spelled otherwise only, alone."""
    plain = {_plain(name): name for name in known}
    if _plain(text) in plain:
        return [plain[_plain(text)]]
    return [plain[p] for p in difflib.get_close_matches(_plain(text), plain, HINTS_MAX, 0.7)]


def _plain(name: str) -> str:
    """Return a name without what is written one way here and another way there."""
    return re.sub(r"\.v\d+$", "", name.strip().lower()).replace("_", "-").replace(" ", "-")
