"""Plans: everything this domain brings."""

from __future__ import annotations

from tenantry.foundation.domain import Domain
from tenantry.foundation.quota import Quota
from tenantry.foundation.security.rates.of_orgs import api_rates
from tenantry.orgs import actions as orgs
from tenantry.plans import actions, cli, console, events, history, http, jobs, permissions, problems, queries
from tenantry.plans.models import SEATS
from tenantry.plans.settings import PlanSettings

domain = Domain(
    name="plans",
    needs=("accounts", "orgs"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=PlanSettings,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    commands=cli.commands,
    tables=actions.TABLES,
    folds=history.FOLDS,
    quotas=(Quota(limit=SEATS, title="Members and invites", used=queries.seats_taken_here),),
    answers={
        orgs.plans_of: queries.plans_of,
        orgs.may_add_member: actions.room_for_members,
        api_rates: queries.api_rates,
    },
)
