"""`migrate`: bring the database to the schema of this code."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.data import migrations
from tenantry.foundation.security.secret import Secret
from tenantry.settings import BadSettings, Settings, read_settings


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`migrate`."""

    @app.command()
    def migrate(
        *,
        check: Annotated[
            bool, typer.Option("--check", help="Only say whether something is to be done (exit 1).")
        ] = False,
        plan: Annotated[bool, typer.Option("--plan", help="Print the SQL that would run.")] = False,
        restored: Annotated[
            bool, typer.Option("--restored", help="The database was restored or moved: begin the log's next epoch.")
        ] = False,
    ) -> None:
        """Create or upgrade roles and schema; safe on every deploy, one migrator at a time."""
        settings = read_settings(needed=("database_url",)).settings
        url, plugins = _owner_url(settings), _plugins(settings, assembly)
        if restored and (check or plan):
            raise typer.BadParameter("is not for looking only", param_hint="--restored")
        if check or plan:
            pending = asyncio.run(migrations.pending(url, plugins))
            _show(pending, plugins, plan=plan)
            raise typer.Exit(1 if check and pending else 0)
        login, clock = _app_login(settings, url), settings.development
        done = asyncio.run(migrations.migrate(url, app_login=login, test_clock=clock, plugins=plugins))
        typer.echo(f"migrated: {', '.join(done)}" if done else "nothing to migrate")
        if restored:
            typer.echo(f"the log's epoch is {asyncio.run(migrations.raise_epoch(url))}")


def _plugins(settings: Settings, assembly: Assembly) -> list[migrations.History]:
    """The histories of the enabled plugins that work; without any, no domain has to be imported."""
    if not settings.plugins:
        return []
    registry = assembly.registry()
    for plugin in registry.plugins:
        if plugin.state != "ok":
            typer.echo(f"tenantry: the plugin {plugin.name} is left out: {plugin.why}", err=True)
    return list(registry.histories.values())


def _show(pending: list[str], plugins: list[migrations.History], *, plan: bool) -> None:
    if plan:
        for history in (migrations.CORE, *plugins):
            for revision in migrations.revisions(history):
                if history.named(revision) in pending:
                    typer.echo(f"-- revision {history.named(revision)}\n{migrations.sql_of(revision, history)}")
    else:
        typer.echo(f"to be migrated: {', '.join(pending)}" if pending else "nothing to migrate")


def _owner_url(settings: Settings) -> str:
    url: Secret[str] | None = settings.migration_database_url or settings.direct_url
    if url is None:
        raise BadSettings(["TENANTRY_DATABASE_URL is needed"])
    return url.reveal()


def _app_login(settings: Settings, owner: str) -> str | None:
    """The login that the application uses, where it is another one than the owner's."""
    if settings.database_url is None:
        return None
    login = urlsplit(settings.database_url.reveal()).username
    return unquote(login) if login and login != urlsplit(owner).username else None
