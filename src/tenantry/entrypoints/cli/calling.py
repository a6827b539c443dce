"""How a command calls: in a runtime of its own, as the house, under the command's name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry

Answer = TypeVar("Answer")


def ask(assembly: Assembly, name: str, function: Callable[[Call, Registry], Awaitable[Answer]]) -> Answer:
    """What a function answers to a call of the house."""
    runtime, registry = assembly.equip()

    async def answer() -> Answer:
        try:
            return await function(Call(runtime, Actor("cli", name=name), str(new_id())), registry)
        finally:
            await runtime.stop()

    return asyncio.run(answer())


def show_json(answer: object) -> None:
    """Print an answer for a program."""
    typer.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
