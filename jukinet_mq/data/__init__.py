"""Reference data, shipped as read; sources and licences stand in LICENSES.md beside it."""

from __future__ import annotations

import csv
from importlib.resources import files


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a packaged table in file order, every cell as it stands.

    Args:
        name: File name without its ending, for example `change_reasons`.
    """
    return list(csv.DictReader(text(f"{name}.csv").splitlines(), strict=True))


def rows(name: str) -> list[list[str]]:
    """Return the same without the head line, as lists: half the time of `table`."""
    return list(csv.reader(text(f"{name}.csv").splitlines()[1:], strict=True))


def text(name: str) -> str:
    """Return a packaged file, decoded as UTF-8."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
