"""Weights: how much of the job queue an organization gets by its plan, told to the queue in the same commit."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work
from tenantry.plans import queries
from tenantry.plans.models import JOB_WEIGHT, MOST_WEIGHT
from tenantry.plans.settings import PlanSettings

keep_weight = run("""
    insert into tenantry.job_weights (org_id, weight, until)
    values (:org_id, :weight, :until)
        on conflict (org_id) do update
       set weight = excluded.weight, until = excluded.until
""")

forget_weight = run("delete from tenantry.job_weights where org_id = :org_id")

# those that have a plan or value of their own, or had one when they were weighed
differing = values(
    UUID,
    """
    select org_id from tenantry.org_plans where org_id > :after
     union
    select org_id from tenantry.plan_overrides where org_id > :after
     union
    select org_id from tenantry.job_weights where org_id > :after
     order by org_id
     limit :most
    """,
    not_null=("org_id",),
)


async def settle_weight(work: Work, org_id: UUID) -> None:
    """Let an organization have of the queue what its plan gives it, until that ends."""
    if JOB_WEIGHT not in work.runtime.section(PlanSettings).catalogue.limits:
        return
    found = (await queries.entitlements(work, org_id))[JOB_WEIGHT]
    weight = min(max(found.value or 1, 1), MOST_WEIGHT)
    if weight == 1:
        await forget_weight(work, org_id=org_id)
    else:
        await keep_weight(work, org_id=org_id, weight=weight, until=found.valid_until)


@action(requires=HOUSE)
async def weigh_orgs(work: SystemWork, *, after: UUID, most: int) -> UUID | None:
    """Weigh organizations anew, as plan files change and plans end; gives the last one, None at the end."""
    orgs = await differing(work, after=after, most=most)
    for org_id in orgs:
        await settle_weight(work, org_id)
    return orgs[-1] if len(orgs) == most else None
