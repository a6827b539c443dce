"""Billing: everything this domain brings."""

from __future__ import annotations

from tenantry.billing import actions, cli, events, http, jobs, problems
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.domain import Domain

domain = Domain(
    name="billing",
    needs=("accounts", "orgs"),
    events=events,
    problems=problems,
    settings=BillingSettings,
    routes=http.routes,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
)
