"""`secrets`: what lies sealed in the database."""

from __future__ import annotations

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import AS_JSON, beside_core
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.foundation.call import Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.resealing import Resealed
from tenantry.foundation.security.resealing import reseal as reseal_all


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`secrets reseal`."""
    secrets = typer.Typer(help="What lies sealed in the database.", no_args_is_help=True)
    app.add_typer(secrets, name="secrets", cls=beside_core(assembly, "secrets"))

    @secrets.command()
    def reseal(*, as_json: AS_JSON = False) -> None:
        """Seal everything under the first master key; can be stopped and run again at any time."""
        found = ask(assembly, "secrets reseal", _reseal)
        if as_json:
            show_json(found)
        else:
            _show(found)
        if found.broken:
            raise typer.Exit(1)


async def _reseal(call: Call, registry: Registry) -> Resealed:
    return await reseal_all(call, registry.sealed)


def _show(found: Resealed) -> None:
    typer.echo(f"sealed anew: {found.resealed}, sealed under the first master key already: {found.already}")
    for row in found.broken:
        typer.echo(f"tenantry: cannot be opened: {row}", err=True)
