"""Which plan an organization is on, and why: an operator's grant, its subscription, a trial."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec.structs import asdict

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, NotFound
from tenantry.foundation.work import SystemWork, Work
from tenantry.plans.actions.weights import settle_weight
from tenantry.plans.events import PlanEnded, PlanGiven
from tenantry.plans.models import Plan
from tenantry.plans.problems import NothingGiven, UnknownPlan
from tenantry.plans.settings import PlanSettings

Holding = Literal["grant", "subscription", "trial"]

# whoever counts members or changes what they may be holds it, so that neither happens in the middle of the other
hold_org = value(UUID, "select id from tenantry.orgs where id = :org_id for no key update")

keep_plan = run("""
    insert into tenantry.org_plans (org_id, source, plan, plan_version, seats, valid_until)
    values (:org_id, :source, :plan, :plan_version, :seats, :valid_until)
        on conflict (org_id, source) do update
       set plan = excluded.plan, plan_version = excluded.plan_version, seats = excluded.seats,
           valid_until = excluded.valid_until, updated_at = tenantry.now()
""")

forget_plan = value(str, "delete from tenantry.org_plans where org_id = :org_id and source = :source returning plan")


@action(requires=HOUSE, records=PlanGiven)
async def give_plan(
    work: SystemWork,
    *,
    org_id: UUID,
    plan: str,
    source: Holding,
    version: int | None = None,
    seats: int | None = None,
    valid_until: datetime | None = None,
) -> Plan:
    """Put an organization on a plan, for one of the reasons; its newest version unless another is named."""
    found = known_plan(work, plan, version)
    if await hold_org(work, org_id=org_id) is None:
        raise NotFound
    given = PlanGiven(
        org_id=org_id, plan=found.key, plan_version=found.version, source=source, seats=seats, valid_until=valid_until
    )
    await keep_plan(work, **asdict(given))
    await settle_weight(work, org_id)
    work.record(given)
    return found


@action(requires=HOUSE, records=PlanEnded)
async def end_plan(work: SystemWork, *, org_id: UUID, source: Holding) -> None:
    """Take an organization off the plan that it is on for this reason; another reason, or the default, counts then."""
    await hold_org(work, org_id=org_id)
    plan = await forget_plan(work, org_id=org_id, source=source)
    if plan is None:
        raise NothingGiven
    await settle_weight(work, org_id)
    work.record(PlanEnded(org_id=org_id, plan=plan, source=source))


def known_plan(work: Work, key: str, version: int | None) -> Plan:
    """A plan of the plan file; UnknownPlan for one that is not in it, or not in that version."""
    catalogue = work.runtime.section(PlanSettings).catalogue
    found = catalogue.latest.get(key) if version is None else catalogue.plan(key, version)
    if found is None or version not in (None, found.version):
        known = ", ".join(f"{plan.key} {plan.version}" for plan in catalogue.plans)
        raise UnknownPlan(errors=(FieldError("body.plan", f"one of {known}"),))
    return found
