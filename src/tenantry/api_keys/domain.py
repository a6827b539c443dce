"""API keys: everything this domain brings."""

from __future__ import annotations

from tenantry.accounts import actions as accounts
from tenantry.api_keys import actions, cli, console, events, history, http, jobs, permissions, problems
from tenantry.foundation.domain import Domain

domain = Domain(
    name="api_keys",
    needs=("accounts", "orgs", "plans"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    folds=history.FOLDS,
    answers={accounts.part_with: actions.part_with, accounts.what_is_held: actions.what_is_held},
)
