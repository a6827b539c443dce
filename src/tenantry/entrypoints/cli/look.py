"""The commands that only look: routes, the OpenAPI document, one verb explained, the doctor."""

from __future__ import annotations

import asyncio
import json
from itertools import chain
from typing import Annotated, Any

import msgspec
import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.action import Verb, every_verb
from tenantry.foundation.checkup import CHECKUPS, READINESS, WELL, Finding
from tenantry.foundation.domain import Registry
from tenantry.foundation.readiness import Readiness, State
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.tracing import questions_of
from tenantry.settings import Reading, variable

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`routes`, `openapi`, `explain` and `doctor`."""

    @app.command()
    def routes(*, as_json: Json = False) -> None:
        """Print every served operation and page with its permission and whether it is public."""
        registry = assembly.registry()
        rows = [
            {"method": route.method, "path": route.path, "operation": route.name, "permission": route.requires.name,
             "roles": list(route.requires.roles), "public": route.public, "does": route.sentence}
            for route in chain(registry.routes, registry.page_routes)
        ]  # fmt: skip
        _print(rows, as_json=as_json, columns=("method", "path", "permission", "does"))

    @app.command()
    def openapi(
        *, postman: Annotated[bool, typer.Option(help="Print a Postman collection made of it instead.")] = False
    ) -> None:
        """Print the OpenAPI document."""
        # late: only this command and the web processes need the document's writer
        from tenantry.entrypoints.http.openapi import describe  # noqa: PLC0415
        from tenantry.entrypoints.http.postman import collection  # noqa: PLC0415

        document = describe(assembly.registry(), assembly.reading().settings)
        typer.echo(json.dumps(collection(document) if postman else document, indent=2))

    @app.command()
    def explain(verb: Annotated[str, typer.Argument(help="Such as accounts.join.")], *, as_json: Json = False) -> None:
        """Print what a verb does, who may use it, what it records, who listens, who is asked and what is around it."""
        registry = assembly.registry()
        found = next((known for _, known in every_verb() if known.name == verb), None)
        if found is None:
            typer.echo(f"tenantry: there is no verb {verb}", err=True)
            raise typer.Exit(1)
        heard = {event.kind: [job.kind for job in registry.listeners().get(event, ())] for event in found.records}
        row = {"verb": found.name, "does": found.sentence, "requires": found.requires.name,
               "kind": "exchange" if found.exchange else "action", "records": heard,
               "around": _around(found, registry), "asks": _asked(found, registry)}  # fmt: skip
        _print([row], as_json=True, columns=()) if as_json else _tell(row)

    @app.command()
    def doctor(*, as_json: Json = False) -> None:
        """Check settings, database, schema, keys, clock, mail and Stripe, and say what is wrong and what to do."""
        rows = [*_settings(assembly.reading())]
        runtime, registry = assembly.equip()
        state, findings = asyncio.run(_examined(runtime, registry))
        plugins = _plugins(state, runtime)
        checks = [{"check": one.check, "state": one.state, "advice": one.advice} for one in findings]
        if as_json:
            told = {"settings": rows, "checks": {one.check: one.state for one in findings}, "plugins": plugins}
            typer.echo(
                json.dumps(told | {"advice": {one.check: one.advice for one in findings if one.advice}}, indent=2)
            )
        else:
            _print(rows, as_json=False, columns=("setting", "source", "value"))
            _print(checks, as_json=False, columns=("check", "state", "advice"))
            _print(plugins, as_json=False, columns=("plugin", "state", "why"))
        if not state.well or any(one.state not in WELL for one in findings):
            raise typer.Exit(3 if state.checks["database"] == "unreachable" else 1)


def _around(verb: Verb, registry: Registry) -> list[dict[str, Any]]:
    return [
        {"wrap": wrap.name, "optional": wrap.optional, "does": wrap.sentence}
        for wrap in registry.wraps.get(verb.key, ())
    ]


def _asked(verb: Verb, registry: Registry) -> dict[str, list[str]]:
    """The questions that a verb can ask, and the domains that answer each."""
    return {
        question.name: [domain.name for domain in registry.domains if question in domain.answers]
        for question in questions_of(verb.function)
    }


def _tell(row: dict[str, Any]) -> None:
    """One thing a line; a list is as many lines as it has members."""
    for name, content in row.items():
        if isinstance(content, dict):
            for key, others in content.items():
                typer.echo(f"{name}: {key} -> {', '.join(others) or 'nobody'}")
        elif isinstance(content, list):
            for member in content:
                typer.echo(f"{name}: {member['wrap']}{' (optional)' * member['optional']}")
        else:
            typer.echo(f"{name}: {content}")


async def _examined(runtime: Runtime, registry: Registry) -> tuple[State, list[Finding]]:
    await runtime.start()
    try:
        state = await Readiness(runtime).state()
        ready = [Finding(name, word, READINESS.get((name, word), "")) for name, word in state.checks.items()]
        return state, ready + [await checkup(runtime) for checkup in (*CHECKUPS, *registry.checkups)]
    finally:
        await runtime.stop()


def _plugins(state: State, runtime: Runtime) -> list[dict[str, str]]:
    reasons = {plugin.name: plugin.why for plugin in runtime.plugins}
    return [{"plugin": name, "state": word, "why": reasons.get(name, "")} for name, word in state.plugins.items()]


def _settings(reading: Reading) -> list[dict[str, str]]:
    rows = []
    for section in (reading.settings, *reading.sections.values()):
        for field in section.__struct_fields__:
            name, content = variable(field), getattr(section, field)
            source = reading.sources.get(name) or reading.sources.get(name + "_FILE") or "default"
            shown = "[secret]" if isinstance(content, Secret) else msgspec.json.encode(content).decode()
            rows.append({"setting": name, "source": source, "value": shown})
    rows += [{"setting": name, "source": reading.sources[name], "value": "unknown setting"} for name in reading.unknown]
    return rows


def _print(rows: list[dict[str, Any]], *, as_json: bool, columns: tuple[str, ...]) -> None:
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    widths = {column: max((len(str(row[column])) for row in rows), default=0) for column in columns}
    for row in rows:
        typer.echo("  ".join(str(row[column]).ljust(widths[column]) for column in columns).rstrip())
