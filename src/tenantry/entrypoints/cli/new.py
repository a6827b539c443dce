"""`new`: a plugin to start from, written as a project that works and tests itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.entrypoints.cli.assembly import Assembly

Name = Annotated[str, typer.Argument(help="What the plugin, its package and its schema are called, such as library.")]
Thing = Annotated[str | None, typer.Option(help="One of what it keeps, such as book. Otherwise the name says it.")]
Folder = Annotated[Path | None, typer.Option(help="Where to: not there yet, or empty. Otherwise ./NAME.")]


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`new`."""

    @app.command()
    def new(name: Name, *, thing: Thing = None, folder: Folder = None) -> None:
        """Write a plugin project that works: a table behind its wall, verbs, routes, permissions, events and tests."""
        # late: only this command writes projects
        from tenantry.entrypoints.cli.project.free import taken  # noqa: PLC0415
        from tenantry.entrypoints.cli.project.words import Words, singular  # noqa: PLC0415
        from tenantry.entrypoints.cli.project.writing import NotWritten, write  # noqa: PLC0415

        words = Words(name, thing or singular(name))
        place = folder or Path(name)
        try:
            if faults := list(words.faults()) or list(taken(words, assembly.registry())):
                raise NotWritten("; ".join(faults))
            written = write(words, place)
        except NotWritten as refusal:
            typer.echo(f"tenantry: {refusal}", err=True)
            raise typer.Exit(1) from refusal
        for path in written:
            typer.echo(path)
        typer.echo(f"{place / 'README.md'} says what to type next")
