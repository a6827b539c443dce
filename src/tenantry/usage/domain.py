"""Usage: everything this domain brings."""

from __future__ import annotations

from tenantry.foundation.domain import Domain
from tenantry.plans.actions import room_taken
from tenantry.usage import actions, cli, console, events, history, http, jobs, permissions, problems

domain = Domain(
    name="usage",
    needs=("accounts", "orgs", "plans"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    folds=history.FOLDS,
    answers={room_taken: actions.tell_room_taken},
)
