"""Help texts: written as wide as the code, shown as wide as the terminal."""

from __future__ import annotations

import inspect

import typer


def reflow(app: typer.Typer) -> None:
    """Let the terminal wrap the help texts of *app* and of everything below it; call it once."""
    app.info.help = _reflowed(app.info.help)
    app.info.epilog = _reflowed(app.info.epilog)
    for command in app.registered_commands:
        command.help = _reflowed(command.help or inspect.getdoc(command.callback))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            reflow(group.typer_instance)


def _reflowed(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    return "\n\n".join(map(_paragraph, inspect.cleandoc(text).split("\n\n")))


def _paragraph(text: str) -> str:
    """Join a paragraph's lines; one to be typed keeps them, in a colour.

    The markup stands before the indent, since typer would take that away.
    """
    if not text.startswith(("    ", "$ ")):
        return " ".join(text.split())
    lines = inspect.cleandoc(text).replace("[", "\\[").split("\n")
    return "\n".join(f"[cyan]    {line}[/]" for line in lines)
