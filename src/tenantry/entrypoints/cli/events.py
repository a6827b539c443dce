"""`events`: the consumers of the event log, looked at and steered; what else is done with the log stands beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import AS_JSON, beside_core
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.entrypoints.cli.fold import add_fold
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events import steering
from tenantry.foundation.events.looking import LookingWork, standings
from tenantry.foundation.events.standing import Standing
from tenantry.foundation.events.steering import Steered
from tenantry.foundation.work import SystemWork, Work

NAME = Annotated[str, typer.Argument(help="Such as `notes.count_notes`; `events consumers` lists them.")]
Steering = Callable[[Work, Registry], Awaitable[Steered]]


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`events consumers`, `rebuild`, `skip`, `pause` and `resume`."""
    events = typer.Typer(help="The event log, and the consumers that read it.", no_args_is_help=True)
    app.add_typer(events, name="events", cls=beside_core(assembly, "events"))
    add_fold(events, assembly)
    _add_looking(events, assembly)
    _add_steering(events, assembly)


def _add_looking(events: typer.Typer, assembly: Assembly) -> None:
    @events.command("consumers")
    def consumers(*, as_json: AS_JSON = False) -> None:
        """Show how far each consumer of the log is, and what it fails on."""
        found = ask(assembly, "events consumers", _standings)
        show_json(found) if as_json else _show(found)


def _add_steering(events: typer.Typer, assembly: Assembly) -> None:
    @events.command("rebuild")
    def rebuild(
        consumer: NAME,
        *,
        cancel: Annotated[bool, typer.Option("--cancel", help="Give up the rebuild that is going on.")] = False,
        as_json: AS_JSON = False,
    ) -> None:
        """Make a consumer's rows anew from the beginning of the log, beside those that are read; then swap."""

        async def steer(work: Work, registry: Registry) -> Steered:
            if cancel:
                return await steering.cancel_rebuild(work, consumer)
            return await steering.rebuild(work, registry.consumers, consumer)

        _steer(assembly, "events rebuild", steer, as_json=as_json)

    @events.command("skip")
    def skip(consumer: NAME, *, as_json: AS_JSON = False) -> None:
        """Have a consumer pass over exactly the event that it is stuck on."""
        _steer(assembly, "events skip", lambda work, _: steering.skip(work, consumer), as_json=as_json)

    @events.command("pause")
    def pause(consumer: NAME, *, as_json: AS_JSON = False) -> None:
        """Hold a consumer where it stands."""
        _steer(assembly, "events pause", lambda work, _: steering.pause(work, consumer), as_json=as_json)

    @events.command("resume")
    def resume(consumer: NAME, *, as_json: AS_JSON = False) -> None:
        """Let a consumer go on from where it was held."""
        _steer(assembly, "events resume", lambda work, _: steering.resume(work, consumer), as_json=as_json)


async def _standings(call: Call, registry: Registry) -> list[Standing]:
    async with LookingWork(call.runtime, reason="an operator looks at consumers") as work:
        return await standings(work, registry.consumers)


def _steer(assembly: Assembly, name: str, steering: Steering, *, as_json: bool) -> None:
    async def perform(call: Call, registry: Registry) -> Steered:
        async with SystemWork(call, reason="an operator steers a consumer") as work:
            return await steering(work, registry)

    answer = ask(assembly, name, perform)
    show_json(answer) if as_json else typer.echo(_sentence(answer))


def _sentence(answer: Steered) -> str:
    event = f" {EVENT_ID.text(answer.event)}" if answer.event else ""
    return f"{answer.consumer} is {answer.became}{event}"


def _show(found: list[Standing]) -> None:
    for one in found:
        typer.echo(f"{one.name} {one.generation}: {one.state}, {one.behind} events and {one.lag:.1f} s behind")
        if one.error:
            event = f" on {EVENT_ID.text(one.failed_event)}" if one.failed_event else ""
            typer.echo(f"  failed {one.failures} times{event}: {one.error}")
        if one.skipped:
            typer.echo(f"  passed over: {', '.join(map(EVENT_ID.text, one.skipped))}")
