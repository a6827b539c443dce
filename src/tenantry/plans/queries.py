"""Reads of plans: what an organization was given, and what the plan file makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from tenantry.foundation.data.sql import many, value
from tenantry.foundation.work import Work
from tenantry.plans.models import API_RATE, Entitled, Given, Held, entitled
from tenantry.plans.settings import PlanSettings

given = many(
    Given,
    """
    select org_id, 'plan' as sort, source, plan as key, plan_version::bigint as value, seats, valid_until
      from tenantry.org_plans
     where org_id = any (:orgs::uuid[])
       and (valid_until is null or valid_until > tenantry.now())
     union all
    select org_id, 'value', source, feature_key, value, null, valid_until
      from tenantry.plan_overrides
     where org_id = any (:orgs::uuid[])
       and (valid_until is null or valid_until > tenantry.now())
    """,
    not_null=("org_id", "sort", "source", "key"),
)

held = many(
    Held,
    """
    select source, plan, plan_version, seats, valid_until
      from tenantry.org_plans
     where org_id = :org_id
     order by source
    """,
)

seats_taken = value(
    int,
    """
    select (select count(*) from tenantry.members where org_id = :org_id)
         + (select count(*)
              from tenantry.invites
             where org_id = :org_id
               and status = 'pending'
               and expires_at > tenantry.now())
    """,
)

seats_taken_here = value(
    int,
    """
    select (select count(*) from tenantry.members where org_id = tenantry.org())
         + (select count(*)
              from tenantry.invites
             where org_id = tenantry.org()
               and status = 'pending'
               and expires_at > tenantry.now())
    """,
)

members_seated = value(int, "select count(*) from tenantry.members where org_id = :org_id")


async def entitlements_of(work: Work, orgs: Sequence[UUID]) -> Mapping[UUID, Entitled]:
    """What each of these organizations is entitled to now."""
    catalogue = work.runtime.section(PlanSettings).catalogue
    own: dict[UUID, list[Given]] = {org: [] for org in orgs}
    for row in [] if catalogue.decides else await given(work, orgs=orgs):
        own[row.org_id].append(row)
    return {org: entitled(catalogue, rows) for org, rows in own.items()}


async def entitlements(work: Work, org_id: UUID) -> Entitled:
    """What an organization is entitled to now."""
    return (await entitlements_of(work, [org_id]))[org_id]


async def api_rates(work: Work, orgs: Sequence[UUID]) -> Mapping[UUID, int | None]:
    """How often a minute each of these organizations may ask; nothing where the plan file knows no such limit."""
    if API_RATE not in work.runtime.section(PlanSettings).catalogue.limits:
        return {}
    return {org: found.limit(API_RATE) for org, found in (await entitlements_of(work, orgs)).items()}


async def plans_of(work: Work, orgs: Sequence[UUID]) -> Mapping[UUID, str]:
    """Which plan each of these organizations is on."""
    return {org: found.plan.key for org, found in (await entitlements_of(work, orgs)).items()}
