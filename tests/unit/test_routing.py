from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jukinet_mq.errors import SenderMismatchError
from jukinet_mq.nodes import Node, directory
from jukinet_mq.routing import Plane, RoutingKey, prefecture_word

NODES = directory().nodes()
nodes = st.sampled_from(NODES)
kinds = st.from_regex(r"[a-z]{1,12}(-[a-z]{1,12}){0,4}", fullmatch=True)


@given(recipient=nodes, sender=nodes, kind=kinds)
def test_key_is_read_back_as_it_was_built(recipient: Node, sender: Node, kind: str) -> None:
    """Between any two nodes and for any kind, a routing key says who to whom and what."""
    key = RoutingKey(recipient=recipient.code, sender=sender.code, kind=kind)

    assert RoutingKey.parse(str(key)) == key
    assert str(key).split(".") == [
        recipient.prefecture,
        recipient.code,
        sender.prefecture,
        sender.code,
        kind,
    ]


@given(st.text(max_size=60) | st.from_regex(r"\d\d\.(\d{6}|jlis)\.\d\d\.(\d{6}|jlis)\.[a-z-]+"))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    """What is read as a key stands for exactly that text; all else is a sender's mismatch."""
    try:
        key = RoutingKey.parse(text)
    except SenderMismatchError:
        return
    assert str(key) == text


@given(recipient=nodes, sender=nodes, word=st.integers(0, 99).map("{:02d}".format))
def test_prefecture_word_that_is_not_its_nodes_is_refused(
    recipient: Node, sender: Node, word: str
) -> None:
    """Nobody passes a prefecture's binding by writing another prefecture before the node."""
    key = RoutingKey(recipient=recipient.code, sender=sender.code, kind="move-in-notice")
    words = str(key).split(".")

    for position, node in ((0, recipient), (2, sender)):
        changed = ".".join([*words[:position], word, *words[position + 1 :]])
        if word == node.prefecture:
            assert RoutingKey.parse(changed) == key
        else:
            with pytest.raises(SenderMismatchError, match=word):
                RoutingKey.parse(changed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01.011002.13.131016",
        "01.011002.13.131016.move-in-notice.more",
        "01.011002.13.131016.Move-In-Notice",
        "01.011002.13.131016.move--in",
        "01.01100.13.131016.move-in-notice",
        "01.011002.13.131016.move-in-notice\n",
        "#.011002.13.131016.move-in-notice",
        "00.JLIS.13.131016.identity-forward",
    ],
)
def test_text_of_another_form_is_no_key(text: str) -> None:
    """Missing or further words, wildcards, capitals and line ends make no routing key."""
    with pytest.raises(SenderMismatchError):
        RoutingKey.parse(text)


def test_prefecture_word_is_the_directorys_prefecture() -> None:
    """For all 1,789 nodes the word before the code is the prefecture that the directory says."""
    assert [] == [node.code for node in NODES if prefecture_word(node.code) != node.prefecture]


def test_longest_key_fits_into_amqp() -> None:
    """A routing key of AMQP 0-9-1 has at most 255 bytes."""
    key = RoutingKey(recipient="131016", sender="011002", kind="move-out-certificate-request")

    assert len(str(key).encode()) < 255


def test_each_plane_has_its_own_exchange() -> None:
    """The three planes never share an exchange."""
    assert [plane.exchange for plane in Plane] == [
        "juki.identity",
        "juki.relocation",
        "juki.receipt",
    ]
