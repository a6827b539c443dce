"""Plans: everything this domain brings."""

from __future__ import annotations

from tenantry.foundation.domain import Domain
from tenantry.orgs import actions as orgs
from tenantry.plans import actions, cli, events, history, http, permissions, problems, queries
from tenantry.plans.settings import PlanSettings

domain = Domain(
    name="plans",
    needs=("accounts", "orgs"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=PlanSettings,
    routes=http.routes,
    commands=cli.commands,
    tables=actions.TABLES,
    folds=history.FOLDS,
    answers={orgs.plans_of: queries.plans_of, orgs.may_add_member: actions.room_for_members},
)
