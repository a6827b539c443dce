"""Billing: everything this domain brings."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

from tenantry.billing import actions, cli, console, events, http, jobs, permissions, problems, queries
from tenantry.billing.settings import BillingSettings
from tenantry.billing.stripe.checkup import check_stripe
from tenantry.foundation.domain import Domain
from tenantry.orgs import actions as orgs
from tenantry.plans import actions as plans
from tenantry.usage import actions as usage

domain = Domain(
    name="billing",
    needs=("accounts", "orgs", "plans", "usage"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=BillingSettings,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    is_on=attrgetter("on"),
    letters=Path(__file__).parent / "letters",
    commands=cli.commands,
    checkups=(check_stripe,),
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    answers={
        plans.where_plans_are_sold: actions.where_it_is_sold,
        orgs.what_blocks_org_closing: actions.what_goes_on,
        orgs.what_delays_purging: actions.is_to_end,
        usage.current_periods: queries.periods_billed,
    },
)
