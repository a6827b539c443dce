"""`events fold`: what an organization was at an instant, printed from its events alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import AS_JSON
from tenantry.entrypoints.cli.calling import ask, show_json
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.folding import Tables, Unfoldable, fold
from tenantry.foundation.events.versions import Unreadable
from tenantry.foundation.instants import read_instant
from tenantry.foundation.work import SystemWork

Shown = dict[str, list[dict[str, Any]]]
WHY = "an operator asks what an organization was, which may be closed by now"


def add_fold(events: typer.Typer, assembly: Assembly) -> None:
    """`events fold`."""

    @events.command("fold")
    def rebuild(
        *,
        org: Annotated[str, typer.Option(help="The organization, as org_...")],
        at: Annotated[str, typer.Option(help="The instant, such as 2026-11-23T09:00:00Z; UTC where it names no zone.")],
        as_json: AS_JSON = False,
    ) -> None:
        """Print an organization as it was: its settings, slugs, members, invites and what plugins keep of it."""
        folded = _Folded(assembly.registry(), org, at)
        tables = ask(assembly, "events fold", folded.ask)
        if not any(tables.values()):
            typer.echo(f"tenantry: nothing had happened to {org} at {folded.at.isoformat()}", err=True)
            raise typer.Exit(1)
        show_json({"org": org, "at": folded.at, "tables": tables}) if as_json else folded.print(tables)


class _Folded:
    """What is asked for, read from the options."""

    def __init__(self, registry: Registry, org: str, at: str) -> None:
        self.folds = registry.folds
        self.org_id, self.at = ORG_ID.read(org), _instant(at)
        if self.org_id is None:
            raise typer.BadParameter("is not the id of an organization", param_hint="--org")

    async def ask(self, call: Call, _: Registry) -> Shown:
        assert self.org_id is not None
        try:
            async with SystemWork(call, reason=WHY, reading=True) as work:
                tables = await fold(work, self.folds, org_id=self.org_id, at=self.at)
        except (Unfoldable, Unreadable) as error:
            typer.echo(f"tenantry: {error}", err=True)
            raise typer.Exit(1) from error
        return self._shown(tables)

    def _shown(self, tables: Tables) -> Shown:
        return {name: [self.folds[name].shown(row) for row in rows] for name, rows in tables.items()}

    def print(self, tables: Shown) -> None:
        """A line for each row; what is null is not said, and what was erased is."""
        for name, rows in tables.items():
            typer.echo(f"{name}: {len(rows)}")
            for row in rows:
                typer.echo("  " + "  ".join(_parts(row, self.folds[name].erasable)))


def _instant(text: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as error:
        raise typer.BadParameter("is no time", param_hint="--at") from error


def _parts(row: dict[str, Any], erasable: Collection[str]) -> Iterator[str]:
    for column, content in row.items():
        if content is not None:
            yield f"{column}={msgspec.json.encode(content).decode()}"
        elif column in erasable:
            yield f"{column}=(erased)"
