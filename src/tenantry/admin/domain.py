"""Operators and what they see: everything this domain brings."""

from __future__ import annotations

from tenantry.admin import actions, cli, events, http, jobs, permissions, problems
from tenantry.foundation.domain import Domain
from tenantry.foundation.operating import operator_standing

domain = Domain(
    name="admin",
    needs=("accounts", "orgs", "plans", "billing"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    routes=http.routes,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    answers={operator_standing: actions.let_operator_in},
)
