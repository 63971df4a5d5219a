"""The files of `schemas/`: rendered, written, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from jukinet_mq.contracts import asyncapi, schemas
from jukinet_mq.messages import CATALOGUE

if TYPE_CHECKING:
    from pathlib import Path

ASYNCAPI_FILE: Final = "asyncapi.json"
_GENERATED: Final = ("*.schema.json", ASYNCAPI_FILE)


def render() -> dict[str, str]:
    """Return the content of every generated file by its path below `schemas/`."""
    documents: dict[str, dict[str, Any]] = {
        schemas.ENVELOPE_FILE: schemas.envelope_schema(),
        schemas.JWS_HEADER_FILE: schemas.jws_header_schema(),
        schemas.JWE_FILE: schemas.jwe_schema(),
        **{schemas.body_file(kind): schemas.body_schema(kind) for kind in CATALOGUE},
        ASYNCAPI_FILE: asyncapi.document(),
    }
    return {path: _json(content) for path, content in documents.items()}


def write(root: Path) -> list[Path]:
    """Write every file below *root*, remove what is generated no longer; return what changed."""
    root.mkdir(parents=True, exist_ok=True)
    files = render()
    changed = []
    for path in _present(root) - files.keys():
        (root / path).unlink()
        changed.append(root / path)
    for path, content in files.items():
        if _read(root / path) != content:
            (root / path).write_text(content, encoding="utf-8", newline="\n")
            changed.append(root / path)
    return sorted(changed)


def check(root: Path) -> list[str]:
    """Return how the files below *root* differ from what the code gives now; none if fresh."""
    files = render()
    wrong = [f"{path}: generated no longer" for path in _present(root) - files.keys()]
    for path, content in files.items():
        found = _read(root / path)
        if found is None:
            wrong.append(f"{path}: missing")
        elif found != content:
            wrong.append(f"{path}: differs from line {_first_difference(found, content)} on")
    return sorted(wrong)


def _present(root: Path) -> set[str]:
    return {path.name for pattern in _GENERATED for path in root.glob(pattern)}


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _first_difference(found: str, expected: str) -> int:
    pairs = zip(found.split("\n"), expected.split("\n"), strict=False)
    same = (number for number, (ours, theirs) in enumerate(pairs, start=1) if ours != theirs)
    return next(same, min(found.count("\n"), expected.count("\n")) + 1)


def _json(content: dict[str, Any]) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
