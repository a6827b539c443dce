"""The audit log: everything this domain brings."""

from __future__ import annotations

from tenantry.audit import actions, cli, console, events, http, jobs, permissions, problems
from tenantry.audit.settings import AuditSettings
from tenantry.foundation.domain import Domain

domain = Domain(
    name="audit",
    needs=("accounts", "orgs", "plans"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=AuditSettings,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
)
