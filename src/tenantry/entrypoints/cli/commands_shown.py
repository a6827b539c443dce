"""Every command as the reference shows it: what is typed, what it does, what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click
import typer
from typer.main import get_command


def commands_of(app: typer.Typer) -> Iterator[Sequence[str]]:
    """A row for each command that is not hidden, those of domains too."""
    yield from _rows(get_command(app), "tenantry", None)


def _rows(command: Any, typed: str, above: click.Context | None) -> Iterator[Sequence[str]]:
    context = click.Context(command, info_name=typed, parent=above)
    if not hasattr(command, "list_commands"):
        yield f"`{typed}`", _sentence(command), "<br>".join(map(_option, _taken(command)))
        return
    for name in sorted(command.list_commands(context)):
        below = command.get_command(context, name)
        if not below.hidden:
            yield from _rows(below, f"{typed} {name}", context)


def _taken(command: Any) -> list[Any]:
    return [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]


def _option(one: Any) -> str:
    spelled = one.opts[0] if one.param_type_name == "option" else one.name.upper()
    meaning = getattr(one, "help", None) or ""
    return f"`{spelled}`{' (needed)' if one.required else ''} {meaning}".strip()


def _sentence(command: Any) -> str:
    return str(command.help or "").strip().partition("\n")[0]
