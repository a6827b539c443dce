"""Usage that Stripe is told of: kept before it is asked, an hour of a meter at a time, and marked once it has heard."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.billing import queries
from tenantry.billing.models import UsageReport
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

REPORTED_AT_ONCE = 200
"""Hours of usage that one run tells Stripe of before it looks again."""
HOUR_IS_OVER = 900
"""Seconds after its end until an hour of usage is reported; what comes later is reported beside it."""

# Less than the 35 days for which Stripe takes usage; of nobody before they were a customer. Whoever else does the same
# at once finds the number taken.
begin = run("""
    with told as (
        select org_id, meter, hour, count(*) as number, sum(quantity) as quantity
          from tenantry.usage_reports
         where meter = any (:meters::text[])
           and hour > tenantry.now() - interval '34 days'
         group by org_id, meter, hour
    )
    insert into tenantry.usage_reports (org_id, meter, hour, number, quantity)
    select org_id, meter, hour, coalesce(told.number, 0), usage_hours.quantity - coalesce(told.quantity, 0)
      from tenantry.usage_hours
      join tenantry.stripe_customers using (org_id)
      left join told using (org_id, meter, hour)
     where meter = any (:meters::text[])
       and hour > tenantry.now() - interval '34 days'
       and hour >= date_trunc('hour', created_at, 'UTC')
       and hour <= tenantry.now() - interval '1 hour' - :over::integer * interval '1 second'
       and gone_at is null
       and (livemode or not :live)
       and usage_hours.quantity > coalesce(told.quantity, 0)
     order by hour, org_id
     limit :most
        on conflict do nothing
""")

heard = run("""
    update tenantry.usage_reports
       set heard_at = tenantry.now(), why = :why
     where org_id = :org_id
       and id = :id
       and heard_at is null
""")


put_off = run("""
    update tenantry.usage_reports
       set asked_at = tenantry.now()
     where id = any (:ids::uuid[])
       and heard_at is null
""")


@action(requires=HOUSE)
async def begin_usage_reports(work: SystemWork) -> Sequence[UsageReport]:
    """Keep what Stripe is to be told of, no more than it is told at once, and say all that it has not heard yet."""
    live = work.runtime.section(BillingSettings).live
    meters = [meter.key for meter in work.runtime.meters.values() if meter.stripe_event]
    waiting = len(await queries.unheard_reports(work, meters=meters, live=live, most=REPORTED_AT_ONCE))
    await begin(work, meters=meters, live=live, over=HOUR_IS_OVER, most=REPORTED_AT_ONCE - waiting)
    return await queries.unheard_reports(work, meters=meters, live=live, most=REPORTED_AT_ONCE)


@action(requires=HOUSE)
async def put_off_usage_reports(work: SystemWork, *, reports: Sequence[UsageReport]) -> None:
    """Mark that Stripe was not asked about these yet, so that they can be said for as long as any."""
    await put_off(work, ids=[report.id for report in reports])


@action(requires=HOUSE)
async def settle_usage_report(work: SystemWork, *, org_id: UUID, report_id: UUID, why: str | None = None) -> None:
    """Mark that Stripe has heard of it, or refused it, and why."""
    await heard(work, org_id=org_id, id=report_id, why=why)
