"""`plugins`: what is installed, what of it is enabled, and what became of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.calling import show_json
from tenantry.foundation.domain import Registry
from tenantry.foundation.plugins.finding import installed
from tenantry.foundation.plugins.plugin import Plugin


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`plugins`."""

    @app.command()
    def plugins(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        """Print every plugin that is installed or enabled, its distribution and version, and whether it works."""
        rows = known_plugins(assembly.registry())
        show_json([msgspec.structs.asdict(plugin) for plugin in rows]) if as_json else _show(rows)


def known_plugins(registry: Registry) -> list[Plugin]:
    """The enabled ones in their order, then those that are installed only."""
    enabled = {plugin.name for plugin in registry.plugins}
    return [*registry.plugins, *(plugin for plugin in installed() if plugin.name not in enabled)]


def _show(rows: list[Plugin]) -> None:
    if not rows:
        typer.echo("no plugin is installed")
    for plugin in rows:
        home = f"{plugin.distribution} {plugin.version}" if plugin.distribution else "-"
        typer.echo(f"{plugin.name}  {home}  {plugin.state}" + (f"  {plugin.why}" if plugin.why else ""))
