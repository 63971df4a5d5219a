from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
SOURCES = [
    path
    for room in ("jukinet_mq", "tests")
    for path in sorted((TREE / room).rglob("*.py"))
    if path != Path(__file__)
]
# A quantifier followed by `+`, or an atomic group; a backslash before makes it literal.
WRONG_IN_3_11_2 = re.compile(r"(?<!\\)(?:[*+?}]\+|\(\?>)")
STATED = {
    "README.md": "Python {} to {}",
    "README.ja.md": "Python は {} から {} まで",
    "docs/guide/installing.md": "Python {} to {}",
    "scripts/bootstrap": "Python {} to {}",
}


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Return line and value of every string in *source* that is not a statement of its own."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def test_no_pattern_uses_what_python_3_11_2_matches_wrongly() -> None:
    """No string of the sources could be a pattern with a possessive quantifier or atomic group."""
    found = [
        f"{path.relative_to(TREE)}:{line}"
        for path in SOURCES
        for line, text in literals(path.read_text(encoding="utf-8"))
        if WRONG_IN_3_11_2.search(text)
    ]

    assert [] == found


@pytest.mark.parametrize(
    "source",
    [
        'P = re.compile(r"a*+")',
        'P = re.compile(r"(?:ab)++c")',
        'P = re.compile(r"a?+")',
        'P = re.compile(r"a{1,3}+")',
        'P = re.compile(f"[{A}]*+")',
        'P = re.compile(f"[{A}]{{1,3}}+")',
        'P = Field(pattern=r"(?>a|ab)c")',
    ],
)
def test_possessive_quantifier_or_atomic_group_is_found(source: str) -> None:
    """The search of the sources finds every form of both, in plain and in formatted strings."""
    assert any(WRONG_IN_3_11_2.search(text) for _, text in literals(source))


@pytest.mark.parametrize("source", ['P = r"a+b*?"', 'P = r"\\+\\++"', '"""Neither a*+."""'])
def test_other_quantifiers_are_allowed(source: str) -> None:
    """Greedy and lazy quantifiers, escaped signs and docstrings are no finding."""
    assert not any(WRONG_IN_3_11_2.search(text) for _, text in literals(source))


def test_supported_python_versions_are_the_same_wherever_they_are_stated() -> None:
    """The package's metadata, its guides and what installs it name one range."""
    project = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    minors = [
        label.rpartition(" ")[2]
        for label in project["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", label)
    ]

    assert oldest.rpartition(".")[0] == minors[0]
    for page, stated in STATED.items():
        assert stated.format(oldest, minors[-1]) in (TREE / page).read_text(encoding="utf-8")
