"""`dev`: everything on this machine, from an empty folder to `ready`, for trying and developing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.seed import SCALE


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`dev`."""

    @app.command()
    def dev(
        port: Annotated[int, typer.Option(help="Port of the API.", min=1, max=65535)] = 8000,
        data: Annotated[Path, typer.Option(help="Folder that keeps everything.")] = Path(".tenantry"),
        workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=64)] = 1,
        *,
        no_seed: Annotated[bool, typer.Option("--no-seed", help="Start without the demo.")] = False,
        scale: Annotated[int | None, SCALE] = None,
    ) -> None:
        """Start PostgreSQL, API, worker, mailbox and a local Stripe on loopback; Ctrl-C stops all of it."""
        if no_seed and scale is not None:
            raise typer.BadParameter("a large demo is a demo", param_hint="--no-seed")
        # late: only this command supervises processes
        from tenantry.entrypoints.dev.household import Household, NotStarted  # noqa: PLC0415

        try:
            code = Household(data, port=port, workers=workers, seed=not no_seed, scale=scale).run()
        except NotStarted as refusal:
            typer.echo(f"tenantry: {refusal}", err=True)
            code = 1
        raise typer.Exit(code)
