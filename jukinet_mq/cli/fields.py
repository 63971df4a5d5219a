"""An event's fields as options: made from its model, so that none can be forgotten."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import typer
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import TypeAliasType

from jukinet_mq import strict_json
from jukinet_mq.cli import codes, names
from jukinet_mq.cli.event_files import event_file
from jukinet_mq.errors import InvariantError, UnreadableInputError
from jukinet_mq.messages import RegisterDate

FLATTENED: Final = frozenset({"update", "persons"})
"""Their fields stand without a prefix: who injects one update or one person names its fields."""

_CODES: Final = {"municipality": codes.read_municipality} | dict.fromkeys(
    ("area_code", "former_area_code", "new_area_code", "planned_area_code"), codes.read_area_of_body
)
"""What reads the codes of local governments, and says which one was likely meant."""

FOLLOWING: Final = frozenset({"municipality", "event_class"})
"""Filled in from an area or a reason when left out."""
DATE_FORMS: Final = (
    "YYYY-MM-DD, YYYY-MM, YYYY, unknown; the register's words after a slash: /年月日不詳"
)
_DATE: Final = re.compile(r"(?P<value>[0-9]{4}(-[0-9]{2}){0,2}|unknown)?(/(?P<text>.+))?")
_KINDS: Final = {4: "year", 7: "month", 10: "exact"}
# Python's reader takes other forms too, and more of them with each version: 24:00 from 3.14 on.
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class FieldOption:
    """One field of an event as one option.

    Attributes:
        path: Where its value stands in the event's JSON; `*` is the one person of `persons`.
        type: What the command line reads: a text, a truth value, one of an enumeration, or many.
        convert: Turns what was read into the JSON value.
        needed: Whether the event is refused without it.
        parser: Reads it in place of the command line, and says what was likely meant.
    """

    path: tuple[str, ...]
    name: str
    type: Any
    help: str
    metavar: str | None
    needed: bool
    convert: Callable[[Any], Any]
    parser: Callable[[str], Any] | None = None

    @property
    def parameter(self) -> str:
        """Its name as a parameter of a function."""
        return self.name.replace("-", "_")

    def flag(self) -> str:
        """Return how it is declared."""
        return f"--{self.name}/--no-{self.name}" if self.type is bool else f"--{self.name}"


def options_of(model: type[BaseModel]) -> list[FieldOption]:
    """Return an option for every field of *model*, those of its parts included."""
    found = list(_walk(model, path=(), prefix="", needed=True))
    names = [option.name for option in found]
    if len(names) != len(set(names)):
        raise InvariantError(f"two fields of {model.__name__} have one option's name")
    return found


def parameters(options: Sequence[FieldOption], *, panel: str) -> list[inspect.Parameter]:
    """Return *options* as parameters that typer understands; all may be left out."""
    return [
        inspect.Parameter(
            option.parameter,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                option.type | None,
                typer.Option(
                    option.flag(),
                    help=option.help,
                    metavar=option.metavar,
                    parser=option.parser,
                    rich_help_panel=panel,
                    show_default=False,
                ),
            ],
        )
        for option in options
    ]


def content_of(options: Sequence[FieldOption], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON that the *given* options make; those left out are left out."""
    content: dict[str, Any] = {}
    for option in options:
        value = given.get(option.parameter)
        if value is None:
            continue
        try:
            converted = option.convert(value)
        except ValueError as error:
            raise typer.BadParameter(f"--{option.name}: {error}") from None
        _place(content, option.path, converted)
    return content


def _place(content: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    part: Any = content
    for step, following in pairwise(path):
        part = part[0] if step == "*" else part.setdefault(step, [{}] if following == "*" else {})
    part[path[-1]] = value


def _walk(
    model: type[BaseModel], *, path: tuple[str, ...], prefix: str, needed: bool
) -> Iterator[FieldOption]:
    for name, field in model.model_fields.items():
        bare = _bare(field.annotation)
        if get_origin(bare) is Literal:
            continue
        here = (*path, name)
        needed_here = needed and field.is_required()
        item = _item(bare)
        if name in FLATTENED and _is_part(item or bare):
            inner = (*here, "*") if item is not None else here
            if item is not None:
                yield _household(here, field)
            yield from _walk(item or bare, path=inner, prefix=prefix, needed=needed_here)
        elif _is_part(bare):
            below = f"{prefix}{name}-"
            yield from _walk(bare, path=here, prefix=below, needed=needed_here)
        else:
            yield _leaf(here, f"{prefix}{name}", field, bare, needed=needed_here)


def _is_part(annotation: object) -> bool:
    """Say whether it is a record whose fields get options, rather than one value."""
    return (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation is not RegisterDate
    )


def _household(path: tuple[str, ...], field: FieldInfo) -> FieldOption:
    return FieldOption(
        path=path,
        name="persons",
        type=str,
        help=f"{_described(field)} A JSON list, or @FILE; instead of the options of one person.",
        metavar="JSON|@FILE",
        needed=False,
        convert=read_json,
    )


def _leaf(
    path: tuple[str, ...], name: str, field: FieldInfo, bare: Any, *, needed: bool
) -> FieldOption:
    kind, metavar, convert = _reading(bare)
    item = _item(bare)
    if item is not None and not _is_part(item):
        name = name.removesuffix("s")
    follows = path[-1] in FOLLOWING
    needed = needed and not follows
    more = " [red]Needed.[/]" if needed else " Follows from the rest." if follows else ""
    return FieldOption(
        path=path,
        name=name.replace("_", "-"),
        type=kind,
        help=_described(field) + more,
        metavar="CODE" if path[-1] in _CODES else metavar,
        needed=needed,
        convert=convert,
        parser=_parser(kind, path[-1]),
    )


def _parser(kind: Any, field: str) -> Callable[[str], Any] | None:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return names.member_of(kind)
    return _CODES.get(field)


def _reading(bare: Any) -> tuple[Any, str | None, Callable[[Any], Any]]:
    """Return what the command line reads for a type, how it is called, and its conversion."""
    if (item := _item(bare)) is not None:
        return (str, "JSON|@FILE", read_json) if _is_part(item) else (list[str], "TEXT", list)
    if bare is bool:
        return bool, None, bool
    if isinstance(bare, type) and issubclass(bare, Enum):
        return bare, None, lambda chosen: chosen.value
    metavar, convert = _TEXTS.get(bare, ("TEXT", str))
    return str, metavar, convert


def read_json(text: str) -> Any:
    """Read JSON, or the JSON of a file (`@FILE`).

    Raises:
        typer.BadParameter: The file cannot be opened.
        ValueError: It is not JSON, or JSON that two readers could read as two things.
    """
    if not text.startswith("@"):
        return strict_json.read(text.encode())
    try:
        with event_file(text[1:]) as file:
            return strict_json.read(file.read_whole(strict_json.SIZE_MAX))
    except UnreadableInputError as error:
        raise ValueError(str(error)) from None


def read_register_date(text: str) -> dict[str, str]:
    """Read a date as registers hold them; see DATE_FORMS.

    Raises:
        ValueError: Of no such form.
    """
    found = _DATE.fullmatch(text)
    if found is None or not text:
        raise ValueError(f"expected {DATE_FORMS}")
    value, words = found["value"], found["text"]
    said = {} if words is None else {"text": words}
    if value is None:
        return {"kind": "text", **said}
    if value == "unknown":
        return {"kind": "unknown", **said}
    return {"kind": _KINDS[len(value)], "value": value, **said}


def read_instant(text: str) -> str:
    """Read an instant with any offset, and return it in UTC.

    Raises:
        ValueError: No instant, or one without an offset.
    """
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError("expected an instant such as 2026-03-28T10:15:00+09:00")
    if found["offset"] is None:
        raise ValueError("say the offset too, for example 2026-03-28T10:15:00+09:00")
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("in UTC it lies before the year 1 or after the year 9999") from None


_TEXTS: Final[dict[Any, tuple[str, Callable[[str], Any]]]] = {
    RegisterDate: ("DATE", read_register_date),
    AwareDatetime: ("INSTANT", read_instant),
    date: ("YYYY-MM-DD", str),
    UUID: ("UUID", str),
}


def _bare(annotation: Any) -> Any:
    """Return the type inside aliases, annotations and `| None`."""
    while True:
        if isinstance(annotation, TypeAliasType):
            annotation = annotation.__value__
        elif get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, UnionType):
            [annotation] = [a for a in get_args(annotation) if a is not NoneType]
        else:
            return annotation


def _item(bare: Any) -> Any:
    """Return what a list holds, or None of what is no list."""
    return _bare(get_args(bare)[0]) if get_origin(bare) is list else None


def _described(field: FieldInfo) -> str:
    from rich.markup import escape

    text = " ".join((field.description or "").split())
    return escape(text) + (f" {DATE_FORMS}." if _bare(field.annotation) is RegisterDate else "")
