"""The commands that stay: the web server and the worker."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.ops import metrics_folder, ops_listener
from tenantry.foundation.data.login import refuse_dangerous_login
from tenantry.foundation.parent import die_with_parent
from tenantry.foundation.stillness import keep_still
from tenantry.settings import Settings, read_settings


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`serve` and `worker`."""

    @app.command()
    def serve(
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(help="Port to listen on.", envvar="PORT", min=1, max=65535)] = 8000,
        workers: Annotated[int, typer.Option(help="Web processes.", min=1, max=256)] = 1,
        *,
        supervisor: Annotated[int | None, typer.Option(hidden=True, help="Pid to die with.")] = None,
    ) -> None:
        """Serve the API until told to stop; requests in flight are finished first."""
        if supervisor is not None:
            die_with_parent(supervisor)
        # late: granian is of use to this command alone
        from tenantry.entrypoints.http import server  # noqa: PLC0415

        settings = read_settings().settings
        _check_login(settings)
        with metrics_folder(), ops_listener(settings.ops_listen):
            # assembled here once: what is wrong stops the start, and the forked workers find everything imported
            assembly.equip()
            server.serve(host=host, port=port, workers=workers)

    @app.command()
    def worker(
        *,
        supervisor: Annotated[int | None, typer.Option(hidden=True, help="Pid to die with.")] = None,
    ) -> None:
        """Run jobs and schedules until told to stop; what is unfinished is given back."""
        if supervisor is not None:
            die_with_parent(supervisor)
        # late: the worker and its loop are of use to this command alone
        import uvloop  # noqa: PLC0415

        from tenantry.entrypoints import worker as work  # noqa: PLC0415

        settings = read_settings().settings
        _check_login(settings)
        with metrics_folder(), ops_listener(settings.ops_listen):
            runtime, registry = assembly.equip()
            keep_still()
            uvloop.run(work.serve_until_told(runtime, registry))


def _check_login(settings: Settings) -> None:
    if not settings.development and settings.database_url is not None:
        asyncio.run(refuse_dangerous_login(settings.database_url.reveal()))
