from __future__ import annotations

from pathlib import Path

import orjson

from tests.interop.conftest import RunNode

DOCUMENT = Path(__file__).parents[2] / "schemas" / "asyncapi.json"


def test_the_document_meets_the_specification(node: RunNode) -> None:
    """AsyncAPI's own JSON Schema accepts the document, and every reference leads somewhere."""
    run = node("check-asyncapi.mjs", DOCUMENT)

    assert (0, "") == (run.returncode, run.stderr)
    found = orjson.loads(run.stdout)
    assert [] == found["problems"]
    assert "3.0.0" == found["asyncapi"]
    assert found["references"] > 40


def test_a_broken_document_is_refused(node: RunNode, tmp_path: Path) -> None:
    """The validator does find faults: a wrong action, and a reference that leads nowhere."""
    document = orjson.loads(DOCUMENT.read_bytes())
    operation = document["operations"]["publish-receipt.v1"]
    operation["action"] = "shout"
    operation["channel"]["$ref"] = "#/channels/nowhere"
    (tmp_path / "asyncapi.json").write_bytes(orjson.dumps(document))
    for schema in DOCUMENT.parent.glob("*.schema.json"):
        (tmp_path / schema.name).write_bytes(schema.read_bytes())

    run = node("check-asyncapi.mjs", tmp_path / "asyncapi.json")

    assert (1, "") == (run.returncode, run.stderr)
    problems = orjson.loads(run.stdout)["problems"]
    assert any("publish-receipt.v1/action" in problem for problem in problems)
    assert "#/channels/nowhere leads nowhere" in problems
