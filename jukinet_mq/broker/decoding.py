"""Keeps the properties of one message from breaking the connection that it arrives on.

RabbitMQ checks little of what a publisher writes into the AMQP properties. pamqp decodes them
while it reads the connection's frames: a short string that is not UTF-8, a timestamp in
microseconds or a header table of an unknown type raises there, aiormq gives the connection up,
and RabbitMQ counts a failed delivery for every message that was outstanding on it, whoever's it
is (seen with pamqp 4.0.1, aiormq 7.2.4; aiormq #186, pika #1698, celery #2873).

So `install` makes pamqp keep what it cannot decode as bytes: the message arrives, without its
properties, and `undecodable` says why.
"""

from __future__ import annotations

import struct
from typing import Final

from pamqp import decode
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from jukinet_mq.envelope import Undecodable

PROPERTIES_SIZE_MAX: Final = 8 * 1024
"""Bytes. Ours have 200; pamqp's time grows with the square of a table's size."""
_FIXED_FIELDS: Final = struct.Struct(">HHQ")  # class id, weight, size of the body
_MARK: Final = "jukinet_undecodable"
_unmarshal: Final = ContentHeader.unmarshal


def install() -> None:
    """Let pamqp read every message of this process, also those that it cannot decode."""
    ContentHeader.unmarshal = _read_header  # type: ignore[method-assign, assignment]
    decode.METHODS["shortstr"] = _read_short_string


def undecodable(header: ContentHeader) -> Undecodable | None:
    """Return what could not be decoded of a message's properties, or None."""
    found: Undecodable | None = getattr(header, _MARK, None)
    return found


def _read_header(header: ContentHeader, data: bytes) -> None:
    raw = data[_FIXED_FIELDS.size :]
    try:
        if len(raw) > PROPERTIES_SIZE_MAX:
            raise ValueError("too large")  # noqa: TRY301 - ends where all that is wrong ends
        _unmarshal(header, data)
        _check_text(header.properties)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this message's alone
        header.class_id, header.weight, header.body_size = _FIXED_FIELDS.unpack_from(data)
        header.properties = Basic.Properties()
        what = f"{len(raw)} bytes, {type(error).__name__}"
        setattr(header, _MARK, Undecodable(what, raw[:PROPERTIES_SIZE_MAX]))


def _read_short_string(value: bytes) -> tuple[int, str]:
    """Decode a short string; bytes that are not UTF-8 become lone surrogates."""
    end = value[0] + 1
    if len(value) < end:
        raise ValueError("a short string ends early")
    return end, value[1:end].decode("utf-8", "surrogateescape")


def _check_text(properties: Basic.Properties) -> None:
    """Raise UnicodeEncodeError for a short string that was not UTF-8."""
    for name in properties.__slots__:
        value = getattr(properties, name)
        if isinstance(value, str):
            value.encode()
