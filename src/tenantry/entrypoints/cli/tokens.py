"""`tokens`: the keys that sign access tokens, moved along or replaced at once; domains add what ends sessions."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import AS_JSON, beside_core
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.foundation.call import Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.succession import Moves, move_along, replace_at_once
from tenantry.foundation.work import SystemWork

WHAT_IT_COSTS = (
    "A fresh key signs from now on and every other one is retired: all access tokens that are out are refused, and"
    " clients have to refresh them."
)
REASONS = {
    "active": "everybody has to have seen it first",
    "retired": "what it signed has to expire first",
}


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`tokens rotate-keys`."""
    tokens = typer.Typer(help="The keys that sign access tokens, and the sessions behind them.", no_args_is_help=True)
    app.add_typer(tokens, name="tokens", cls=beside_core(assembly, "tokens"))

    @tokens.command("rotate-keys")
    def rotate_keys(
        *,
        now: Annotated[bool, typer.Option("--now", help="A key was stolen: trust none of those there are.")] = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether --now is meant.")] = False,
        as_json: AS_JSON = False,
    ) -> None:
        """Begin a rotation of the signing keys, or take the next step that is due; a schedule takes those left."""
        if now and not yes:
            _make_sure()
        moves = ask(assembly, "tokens rotate-keys", _replace if now else _rotate)
        show_json(moves) if as_json else _show(moves)


def _make_sure() -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{WHAT_IT_COSTS} Say --yes if that is meant.", param_hint="--now")
    typer.confirm(f"{WHAT_IT_COSTS} Go on?", abort=True)


async def _rotate(call: Call, _: Registry) -> Moves:
    # where no process was ever started there is no key yet
    await call.runtime.keys.load()
    async with SystemWork(call, reason="an operator rotates the signing keys") as work:
        moves = await move_along(work, begin=True)
    moves.tell()
    return moves


async def _replace(call: Call, _: Registry) -> Moves:
    async with SystemWork(call, reason="an operator replaces stolen signing keys") as work:
        moves = await replace_at_once(work)
    moves.tell()
    return moves


def _show(moves: Moves) -> None:
    for change in moves.done:
        typer.echo(f"{change.kid} is {change.state}")
    for wait in moves.waiting:
        typer.echo(f"{wait.kid} will be {wait.state} after {wait.at:%Y-%m-%d %H:%M:%S} UTC: {REASONS[wait.state]}")
