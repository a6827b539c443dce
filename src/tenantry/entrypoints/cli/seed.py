"""`seed`: the demo, for trying things out; a large one too, for seeing what many organizations do to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import nullcontext
from itertools import islice
from typing import Annotated, Any

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.crowd import Crowd
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.story import Story
from tenantry.foundation.work import SystemWork

AT_ONCE = 100
"""Organizations of a large demo in one transaction."""
MOST_ORGS, MOST_NUMBER, NUMBER = 100_000, 999_999_999, 1
SCALE = typer.Option("--scale", help="A large demo: so many organizations with people.", min=1, max=MOST_ORGS)
SEED = typer.Option(
    "--seed", help="The number it is made of; the same gives the same. Default: 1.", min=0, max=MOST_NUMBER
)


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`seed`."""

    @app.command()
    def seed(
        scale: Annotated[int | None, SCALE] = None,
        number: Annotated[int | None, SEED] = None,
    ) -> None:
        """Make the demo; seeding again changes nothing. Development only, because its passwords are known."""
        if number is not None and scale is None:
            raise typer.BadParameter("the small demo is always the same", param_hint="--seed")
        runtime, registry = assembly.equip()
        if not runtime.settings.development:
            raise Forbidden("The demo is for development: its passwords are known to everybody.")
        asyncio.run(_seed(runtime, registry, _crowd(runtime, scale, number)))


def _crowd(runtime: Runtime, size: int | None, number: int | None) -> Crowd | None:
    if size is None:
        return None
    today = runtime.database.clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return Crowd(NUMBER if number is None else number, size, today)


async def _seed(runtime: Runtime, registry: Registry, crowd: Crowd | None) -> None:
    call = Call(runtime, Actor("cli", name="seed"), str(new_id()))
    try:
        for domain in registry.domains:
            for line in await domain.seed(call) if domain.seed else ():
                typer.echo(line)
        if crowd is not None:
            await _scale(call, registry, crowd)
        else:
            await _tell(call, registry)
    finally:
        await runtime.stop()


async def _tell(call: Call, registry: Registry) -> None:
    """Let happen what has happened in the small demo."""
    for domain in registry.domains:
        for line in await domain.story(call, Story(call.runtime)) if domain.story else ():
            typer.echo(line)


async def _scale(call: Call, registry: Registry, crowd: Crowd) -> None:
    """Make a large demo, some organizations in each commit: what was made before an end stays, and is gone on from."""
    added, there, companies = Counter[str](), 0, crowd.companies()
    with _progress(crowd.size) as bar:
        while some := list(islice(companies, AT_ONCE)):
            async with SystemWork(call, reason="a demo belongs to nobody who could make it") as work:
                for domain in registry.domains:
                    added.update(await domain.scale(work, some) if domain.scale else {})
            there += len(some)
            if bar is None:
                typer.echo(f"{there} of {crowd.size} organizations")
            else:
                bar.update(len(some))
    typer.echo("added " + ", ".join(f"{count} {what}" for what, count in added.items()))
    typer.echo("the same password signs in " + ", ".join(crowd.signed_in_by_the_demo()))


def _progress(size: int) -> Any:
    """A bar where somebody watches it; nothing that moves gets into a file."""
    # typer declares no type for it
    return typer.progressbar(length=size, label="organizations") if _is_watched() else nullcontext()


def _is_watched() -> bool:
    return typer.get_text_stream("stdout").isatty()
