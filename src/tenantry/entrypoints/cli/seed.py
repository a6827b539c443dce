"""`seed`: the demo, for trying things out."""

from __future__ import annotations

import asyncio

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.runtime import Runtime


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`seed`."""

    @app.command()
    def seed() -> None:
        """Make the demo; seeding again changes nothing. Development only, because its passwords are known."""
        runtime, registry = assembly.equip()
        if not runtime.settings.development:
            raise Forbidden("The demo is for development: its passwords are known to everybody.")
        for line in asyncio.run(_seed(runtime, registry)):
            typer.echo(line)


async def _seed(runtime: Runtime, registry: Registry) -> list[str]:
    call = Call(runtime, Actor("cli", name="seed"), str(new_id()))
    try:
        return [line for domain in registry.domains if domain.seed for line in await domain.seed(call)]
    finally:
        await runtime.stop()
