from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from jukinet_mq.cli.bulk import LINE_BYTES_MAX, Line, Refusals, Source
from jukinet_mq.errors import MalformedBodyError


def lines(content: bytes) -> list[Line]:
    """Return the lines of *content* as bulk filing sees them."""
    return list(Source(io.BytesIO(content), "test", len(content)).lines())


def test_lines_are_numbered_as_an_editor_does() -> None:
    """Blank lines count, and the last one needs no end."""
    assert [(1, b"a\n"), (2, b"\n"), (3, b"b")] == [(x.number, x.text) for x in lines(b"a\n\nb")]


def test_line_that_is_too_long_is_skipped_and_counted_once() -> None:
    """However long a line is, little of it is in memory, and the next one has the next number."""
    long = b"x" * (3 * LINE_BYTES_MAX)

    found = lines(b"a\n" + long + b"\nb\n")

    assert [(1, b"a\n"), (2, None), (3, b"b\n")] == [(x.number, x.text) for x in found]
    assert len(long) + 5 == found[-1].position


@pytest.mark.parametrize("excess", [0, 1])
def test_limit_of_a_line_is_exact(excess: int) -> None:
    """A line of the limit is read, one byte more is not."""
    [line] = lines(b"x" * (LINE_BYTES_MAX + excess))

    assert (line.text is None) is bool(excess)


def test_error_file_is_made_with_the_first_refusal_only(tmp_path: Path) -> None:
    """No refusal, no file; one of an earlier run does not stay to mislead."""
    path = tmp_path / "e.ndjson"
    path.write_text("old")

    with Refusals(path):
        pass
    assert not path.exists()

    with Refusals(path) as refusals:
        refusals.add(7, MalformedBodyError("a: wrong"))
    assert {"line": 7, "reason": "body_malformed", "text": "a: wrong"} == json.loads(
        path.read_text()
    )
