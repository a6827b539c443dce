"""Operators and what they see: everything this domain brings."""

from __future__ import annotations

from tenantry.accounts.actions import sign_out_elsewhere
from tenantry.admin import actions, cli, console, events, http, jobs, permissions, problems
from tenantry.foundation.domain import Domain
from tenantry.foundation.operating import operator_standing
from tenantry.foundation.surroundings import operator_named

domain = Domain(
    name="admin",
    needs=("accounts", "orgs", "plans", "billing"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    answers={
        operator_standing: actions.let_operator_in,
        operator_named: actions.operator_who_looks,
        sign_out_elsewhere: actions.sign_operators_out,
    },
)
