"""Growing: where seats grow, as many are bought as are taken. They never become fewer by themselves."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.events import SubscriptionChangeAsked
from tenantry.billing.models import CHECKOUT_ID, Intent, Subscription
from tenantry.billing.models.changes import NewTerms, hindrance, terms_of
from tenantry.billing.models.prices import by_seat
from tenantry.billing.models.subscriptions import plan_of
from tenantry.billing.problems import BillingBusy
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.plans import queries as plans
from tenantry.plans.settings import PlanSettings

keep_for_org = maybe(
    Intent,
    """
    insert into tenantry.billing_intents (org_id, id, kind, params)
    values (:org_id, :id, 'change', :params::text::jsonb)
        on conflict do nothing
 returning id, org_id, kind, attempt, params::text as params, state, foreign_id, url, expires_at, asked
    """,
    not_null=("params",),
)


@action(requires=HOUSE, records=SubscriptionChangeAsked)
async def begin_growth(work: SystemWork, *, org_id: UUID) -> Intent | None:
    """Keep that so many seats are to be bought as are taken; None where they are, or where they do not grow."""
    await queries.hold_org(work, org_id=org_id)
    row = await queries.subscription_in_force(work, org_id=org_id)
    wanted = None if row is None else await _wanted(work, org_id, row)
    if row is None or row.price_id is None or wanted is None or wanted <= row.quantity:
        return None
    terms = terms_of(row)
    params = NewTerms(row.id, row.price_id, wanted, terms.interval or "month", insists=False, keeps_later=True)
    kept = await keep_for_org(work, org_id=org_id, id=CHECKOUT_ID.new(), params=msgspec.json.encode(params).decode())
    if kept is None:
        raise BillingBusy
    work.record(
        SubscriptionChangeAsked(
            org_id=org_id, subscription=row.id, how="grow", plan=terms.plan, plan_version=terms.version,
            interval=terms.interval, quantity=wanted,
        )
    )  # fmt: skip
    return kept


async def _wanted(work: SystemWork, org_id: UUID, row: Subscription) -> int | None:
    plan = plan_of(row, work.runtime.section(PlanSettings).catalogue)
    # who owes something buys no more
    if (
        plan is None
        or plan.seats is None
        or not plan.seats.grow
        or not by_seat(plan, row.interval, row.currency)
        or row.status not in {"active", "trialing"}
        or hindrance(row) == "ending"
    ):
        return None
    taken = await plans.seats_taken(work, org_id=org_id) or 0
    return taken if plan.seats.most is None else min(taken, plan.seats.most)
