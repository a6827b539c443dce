"""Flags: everything this domain brings."""

from __future__ import annotations

from tenantry.flags import actions, cli, console, events, history, http, permissions, problems
from tenantry.foundation.domain import Domain

domain = Domain(
    name="flags",
    needs=("accounts", "orgs", "plans"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    routes=http.routes,
    console=console.pages,
    commands=cli.commands,
    tables=actions.TABLES,
    folds=history.FOLDS,
)
