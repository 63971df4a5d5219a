from __future__ import annotations

import getpass
import pwd
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli import names
from jukinet_mq.cli.deciding import Order
from jukinet_mq.messages import ChangeReason
from tests.fixtures.refusing import refusal

LISTS: dict[str, tuple[Callable[[str], str], Callable[[], set[str]]]] = {
    "reasons of handling": (names.read_reason_of_handling, names.reasons_of_handling),
    "reasons of quarantine": (names.read_reason_of_quarantine, names.reasons_of_quarantine),
    "kinds": (names.read_kind, names.kinds),
}
NAMES = [(read, name) for read, known in LISTS.values() for name in sorted(known())]


@given(st.sampled_from(NAMES), st.sampled_from(["-", "_"]), st.booleans())
def test_name_spelled_otherwise_is_refused_with_the_right_one(
    case: tuple[Callable[[str], str], str], separator: str, loud: bool
) -> None:
    """`-` for `_`, the reverse, and capitals lead to the name."""
    read, name = case
    typed = name.replace("-", separator).replace("_", separator)
    typed = typed.upper() if loud else typed
    assert name == read(name)
    if typed == name:
        return
    assert f"did you mean {name}?" in refusal(read, typed)


@given(st.sampled_from(NAMES), st.data())
def test_name_with_a_character_missing_is_refused_with_the_right_one(
    case: tuple[Callable[[str], str], str], data: st.DataObject
) -> None:
    """A typing error leads to the name, or is another name."""
    read, name = case
    at = data.draw(st.integers(0, len(name) - 1))
    typed = name[:at] + name[at + 1 :]

    assert name in refusal(read, typed) or read(typed) == typed


@pytest.mark.parametrize("what", LISTS)
@given(text=st.text() | st.just("\udcff"))
def test_any_other_text_is_a_usage_error(what: str, text: str) -> None:
    """What is no name selects nothing; it is refused."""
    read, known = LISTS[what]
    assert refusal(read, text) or text in known()


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (names.read_reason_of_quarantine, "handler_failed"),
        (names.read_reason_of_quarantine, "database_unavailable"),
        (names.read_reason_of_handling, "database_unavailable"),
    ],
)
def test_reason_that_cannot_be_there_is_refused(read: Callable[[str], str], reason: str) -> None:
    """A reason of something else would select nothing."""
    with pytest.raises(typer.BadParameter, match=f"for the reason {reason}"):
        read(reason)


@pytest.mark.parametrize(
    ("login", "said"), [("11002", "011002 札幌市"), ("centre_prefectures", "centre-prefectures")]
)
def test_mistyped_login_is_refused_with_the_right_one(login: str, said: str) -> None:
    """What looks like a login of ours must be one."""
    with pytest.raises(typer.BadParameter, match=said):
        names.read_login(login)


def test_login_of_a_stranger_is_read() -> None:
    """Whoever may log in to the broker may have brought a delivery."""
    assert "legacy.bridge" == names.read_login("legacy.bridge")


@given(st.sampled_from(sorted(ChangeReason)))
def test_member_of_an_enumeration_is_read_and_a_misspelled_one_refused(reason: StrEnum) -> None:
    """Enumerations are closed lists too."""
    read = names.member_of(ChangeReason)
    assert reason is read(reason.value)
    assert reason.value in refusal(read, reason.value + "x")


@pytest.mark.parametrize("text", ["\udcff", "a\x1b[31m", "a\x00", "x" * 2_001])
def test_text_that_cannot_be_kept_is_refused(text: str) -> None:
    """Bytes of another encoding, control characters and very long texts reach no database."""
    with pytest.raises(typer.BadParameter):
        names.read_text(text)


ORDER: dict[str, Any] = {"how": "replayed", "why": "w", "apply": True, "as_json": False}


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_user_name_of_the_session_is_the_operator(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who decides need not say so."""
    for other in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(variable, "hanako")

    assert "hanako" == Order(operator=None, **ORDER).decision().operator


@pytest.mark.parametrize("name", ["", "\udce3\udc81", "a\tb", " ", "x" * 101])
def test_session_without_a_usable_user_name_is_asked_for_the_operator(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No passwd entry, or a name that cannot be kept: say --operator."""

    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, name)

    with pytest.raises(typer.BadParameter, match="say --operator NAME"):
        Order(operator=None, **ORDER).decision()
    assert "hanako" == Order(operator="hanako", **ORDER).decision().operator


def test_system_that_names_no_user_is_handled_in_every_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From Python 3.13 on it is an OSError."""

    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)

    with pytest.raises(typer.BadParameter, match="say --operator NAME"):
        names.this_operator()
