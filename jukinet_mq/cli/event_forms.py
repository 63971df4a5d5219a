"""Tells which form a file of events has, when it is not one JSON object per line in UTF-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from jukinet_mq.errors import UnreadableInputError

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
GZIP: Final = b"\x1f\x8b"

_HEADS: Final = {
    b"\xff\xfe": "is in UTF-16 or UTF-32; write it in UTF-8",
    b"\xfe\xff": "is in UTF-16; write it in UTF-8",
    b"\x00": "is in UTF-16 or UTF-32, or no text; write it in UTF-8",
    b"{\x00": "is in UTF-16 or UTF-32; write it in UTF-8",
    b"[\x00": "is in UTF-16 or UTF-32; write it in UTF-8",
    b"PK\x03\x04": "is a ZIP archive; unpack it, or compress it with gzip",
    b"BZh": "is compressed with bzip2; unpack it, or compress it with gzip",
    b"\xfd7zX": "is compressed with xz; unpack it, or compress it with gzip",
    b"(\xb5/\xfd": "is compressed with zstd; unpack it, or compress it with gzip",
    GZIP: "is compressed with gzip twice; unpack it once",
}
# A text in EUC-JP is often one in CP932 too, and hardly ever the other way round.
_ENCODINGS: Final = {"euc_jp": "EUC-JP", "cp932": "CP932 (Shift_JIS)"}
_ISO_2022: Final = b"\x1b$"
_EXPECTED: Final = "expected one JSON object on each line, in UTF-8"


class Line(NamedTuple):
    """One line of a file that is not blank.

    Attributes:
        number: As an editor counts, from 1.
        text: Without the white space around it; of a line that is too long only the beginning.
        whole: Whether it could be read.
    """

    number: int
    text: bytes
    whole: bool = True


def check_head(head: bytes, *, name: str) -> None:
    """Refuse a file by its first bytes, after gzip was undone.

    Raises:
        UnreadableInputError: It is no text in UTF-8.
    """
    for magic, what in _HEADS.items():
        if head.startswith(magic):
            raise UnreadableInputError(f"{name} {what}")


def check_form(lines: Sequence[Line], *, name: str) -> None:
    """Refuse a file by its first *lines*; what is wrong with a few of them only is not its form.

    Raises:
        UnreadableInputError: It is in another encoding, one array, one object over several lines,
            or no JSON at all.
    """
    first = lines[0].text
    if first.startswith(b"["):
        raise _wrong(name, "one JSON array", "`jq -c '.[]' FILE` writes one event per line")
    check_encoding([line.text for line in lines if line.whole], name=name)
    if first.startswith(b"{") and first.endswith((b"{", b"[", b",")):
        raise _wrong(
            name,
            "JSON over several lines",
            "`jq -c . FILE` writes one event per line; for one event, `jukinet inject EVENT FILE`",
        )
    if not any(line.text.startswith(b"{") for line in lines):
        raise _wrong(name, "no JSON objects", "no line begins with {")


def check_encoding(texts: Sequence[bytes], *, name: str) -> None:
    """Refuse texts of which half or more are not in UTF-8.

    Raises:
        UnreadableInputError: Names the encoding that they are likely in.
    """
    others = [text for text in texts if not _is_utf8(text)]
    if others and 2 * len(others) >= len(texts):
        found = _likely_encoding(b"\n".join(others))
        raise _wrong(name, f"in {found}", "write it in UTF-8, for example with iconv")


def _wrong(name: str, found: str, remedy: str) -> UnreadableInputError:
    return UnreadableInputError(f"{name} is {found}; {_EXPECTED}: {remedy}")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return _ISO_2022 not in text


def _likely_encoding(text: bytes) -> str:
    if _ISO_2022 in text:
        return "ISO-2022-JP"
    for codec, name in _ENCODINGS.items():
        try:
            text.decode(codec)
        except UnicodeDecodeError:
            continue
        return f"another encoding than UTF-8, by the look of it {name}"
    return "another encoding than UTF-8"
