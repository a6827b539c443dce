"""Standing: the plan that an organization is on by its subscription, until when, and from when it is restricted.

Settled in the commit that changes a subscription's row. What time alone changes is written ahead as a moment, so that
nobody has to be there when it comes.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.billing import queries
from tenantry.billing.actions.patience import policy_of
from tenantry.billing.models import Course, Subscription, course
from tenantry.billing.models.prices import by_seat
from tenantry.billing.models.subscriptions import plan_of
from tenantry.foundation.logs import get_logger
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions as orgs
from tenantry.plans import actions as plans
from tenantry.plans import queries as plan_queries
from tenantry.plans.actions import Holding
from tenantry.plans.models import Held
from tenantry.plans.settings import PlanSettings

log = get_logger("tenantry.billing")


async def settle_standing(work: SystemWork, org_id: UUID) -> None:
    """Let plan and restriction of an organization be what its subscription makes of them; whoever asks holds it."""
    wanted, restricted_from = await _meant(work, org_id)
    await _settle_plan(work, org_id, wanted)
    await orgs.restrict_org(work, org_id=org_id, restricted_from=restricted_from)


async def is_settled(work: SystemWork, org_id: UUID) -> bool:
    """Whether that is so already: a plan file or a grace that is another by now changes it, and no row."""
    wanted, restricted_from = await _meant(work, org_id)
    bought = [row for row in await plan_queries.held(work, org_id=org_id) if row.source in _BOUGHT]
    known = await queries.restricted_from(work, org_id=org_id)
    return bought == ([] if wanted is None else [wanted]) and known == restricted_from


async def _meant(work: SystemWork, org_id: UUID) -> tuple[Held | None, datetime | None]:
    subscription = await queries.subscription_in_force(work, org_id=org_id)
    ahead = course(subscription, work.runtime.clock.now(), policy_of(work.runtime))
    free = subscription is None or ahead.now.level == "free"
    wanted = None if subscription is None or free else _holding(work, subscription, ahead)
    return wanted, await _restricted_from(work, org_id, ahead)


async def _settle_plan(work: SystemWork, org_id: UUID, wanted: Held | None) -> None:
    held = {row.source: row for row in await plan_queries.held(work, org_id=org_id)}
    if wanted is not None and held.get(wanted.source) != wanted:
        await plans.give_plan(
            work, org_id=org_id, plan=wanted.plan, source=wanted.source, version=wanted.plan_version,
            seats=wanted.seats, valid_until=wanted.valid_until,
        )  # fmt: skip
    for source in _BOUGHT:
        if source in held and (wanted is None or source != wanted.source):
            await plans.end_plan(work, org_id=org_id, source=source)


_BOUGHT: tuple[Holding, ...] = ("subscription", "trial")


def _holding(work: SystemWork, subscription: Subscription, ahead: Course) -> Held | None:
    plan = plan_of(subscription, work.runtime.section(PlanSettings).catalogue)
    if plan is None:
        log.error("plan not in the plan file", plan=subscription.plan_key, subscription=subscription.id)
        return None
    return Held(
        source="trial" if ahead.now.reason == "trial" else "subscription",
        plan=plan.key,
        plan_version=plan.version,
        seats=subscription.quantity if by_seat(plan, subscription.interval, subscription.currency) else None,
        valid_until=ahead.changes_at if ahead.then == "free" else None,
    )


async def _restricted_from(work: SystemWork, org_id: UUID, ahead: Course) -> datetime | None:
    if ahead.now.level == "restricted":
        known = await queries.restricted_from(work, org_id=org_id)
        now = work.runtime.clock.now()
        # once it has begun it goes on from there, whatever else becomes of the subscription meanwhile
        return known if known is not None and known <= now else ahead.since or now
    return ahead.changes_at if ahead.then == "restricted" else None
