"""The command line: one command a task, the same verbs as HTTP.

Exit codes: 0 ok, 1 refused, 2 usage, 3 out of reach.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import typer
from asyncpg.exceptions import PostgresError

from tenantry.entrypoints.cli import (
    dev,
    events,
    jobs,
    look,
    new,
    plugins,
    processes,
    reference,
    schema,
    secrets,
    seed,
    shell,
    tokens,
)
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.brought import beside_core
from tenantry.entrypoints.port import PortTaken
from tenantry.foundation.data.embedded import EmbeddedPostgresFailed
from tenantry.foundation.data.login import DangerousLogin
from tenantry.foundation.data.migrations import MigrationFailed
from tenantry.foundation.logs import redact
from tenantry.foundation.problems import Problem, Unavailable
from tenantry.settings import BadSettings

REFUSED, OUT_OF_REACH = 1, 3


def run(assemble: Callable[[], Any]) -> None:
    """Run the command that this process was started with, and exit with its code."""
    try:
        build(Assembly(assemble))()
    except BadSettings as error:
        _end(REFUSED, *error.faults)
    except Unavailable as problem:
        _end(OUT_OF_REACH, problem.detail)
    except (Problem, MigrationFailed, EmbeddedPostgresFailed, DangerousLogin, PortTaken) as refusal:
        _end(REFUSED, str(refusal))
    except (OSError, TimeoutError, PostgresError) as error:
        _end(OUT_OF_REACH, f"out of reach: {error}")


def build(assembly: Assembly) -> typer.Typer:
    """The command line of an installation."""
    app = typer.Typer(
        name="tenantry",
        cls=beside_core(assembly),
        help="The SaaS backend you install, not fork.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=True,
    )
    for group in (
        processes, schema, look, plugins, reference, seed, dev, tokens, secrets, events, jobs, new, shell,
    ):  # fmt: skip
        group.add_commands(app, assembly)
    return app


def _end(code: int, *sentences: str) -> None:
    for sentence in sentences:
        typer.echo(f"tenantry: {redact(sentence)}", err=True)
    sys.exit(code)
