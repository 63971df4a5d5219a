from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jukinet_mq.cli.ending import USAGE, exit_code_of
from jukinet_mq.cli.root import app
from jukinet_mq.errors import StaleFileError

COMMANDS = [
    ["schema", "generate"],
    ["schema", "check"],
    ["topology", "render"],
    ["topology", "render", "--check"],
    ["reference", "generate"],
    ["reference", "check"],
]
CHECKS = [words for words in COMMANDS if "check" in words[-1]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("folder", ["a" * 300, "file/below", "file"])
def test_folder_that_is_none_is_refused(
    words: list[str], folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a name that is too long, a file or a place below a file, nothing is done."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()

    code = exit_code_of(lambda: app([*words, folder]))

    assert code in ({USAGE, StaleFileError.exit_code} if words in CHECKS else {USAGE})
    assert [Path("file")] == list(Path().iterdir())


@pytest.mark.parametrize("words", CHECKS, ids=" ".join)
def test_generated_file_that_is_no_text_is_stale(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Bytes that are not UTF-8 are as much a difference as any other."""
    monkeypatch.chdir(tmp_path)
    CliRunner().invoke(app, [words[0], "render" if words[0] == "topology" else "generate", "."])
    for path in [path for path in tmp_path.rglob("*") if path.is_file()]:
        path.write_bytes(b"\xff\xfe")

    assert StaleFileError.exit_code == exit_code_of(lambda: app([*words, "."]))
