from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.cli import terminal

OBEYED = st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"], exclude_characters="\n")


@given(st.text(OBEYED | st.characters()))
def test_no_character_of_a_claim_is_obeyed_by_the_terminal(claim: str) -> None:
    """Escape sequences, invisible and bidirectional characters are shown as their numbers."""
    seen = terminal.visible(claim)

    assert not {unicodedata.category(c) for c in seen if c != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    seen.encode()


@given(st.text(OBEYED | st.sampled_from("[]/\\ab") | st.characters()))
def test_any_claim_can_be_printed(claim: str) -> None:
    """No claim is read as markup, in a line or in a cell."""
    with terminal.console().capture() as shown:
        terminal.say(terminal.escape(claim))
        terminal.print_facts([("claim", claim)])
        terminal.print_table(["claim"], [[claim]])

    assert "\x1b" not in shown.get()


@pytest.mark.parametrize(
    "text", ["髙橋\u3000花子", "葛\U000e0100", "か\u3099", "𠮷", "a\nb", "[red]x[/]", ""]
)
def test_what_a_terminal_shows_is_left_as_it_is(text: str) -> None:
    """Names with variation selectors, wide spaces and line ends are shown as they are."""
    assert text == terminal.visible(text)
