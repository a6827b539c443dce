"""Customers: which one at Stripe an organization is."""

from __future__ import annotations

from tenantry.billing import queries
from tenantry.billing.actions.intents import keep_new, settle_intent
from tenantry.billing.models import Intent, NewCustomer, ToApply
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import BillingBusy
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import value, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import actions as orgs

org_name = value(str, "select name from tenantry.orgs where id = tenantry.org()")

# another one takes the place of one that is gone, or of the test mode's once real money moves, and of no other
keep_customer = value(
    str,
    """
    insert into tenantry.stripe_customers as known (org_id, customer_id, livemode)
    values (:org_id, :customer_id, :live)
        on conflict (org_id) do update
       set customer_id = case when known.gone_at is null and known.livemode >= excluded.livemode
                              then known.customer_id else excluded.customer_id end,
           livemode = case when known.gone_at is null then known.livemode or excluded.livemode
                           else excluded.livemode end,
           gone_at = null
 returning customer_id
    """,
)


@action(requires=BILLING_WRITE)
async def begin_customer(work: OrgWork) -> Intent | str:
    """Keep that the organization is to be a customer, the same intent for all who ask at once; or which one it is."""
    await orgs.hold_open_org(work, work.org)
    # whoever has just made one held the organization as well
    live = work.runtime.section(BillingSettings).live
    known = await queries.customer_of_org(work, org_id=work.org, live=live)
    if known is not None:
        return known
    name = await org_name(work) or ""
    kept = await keep_new(work, "customer", NewCustomer(name=name))
    found = kept or await queries.intent_under_way(work, org_id=work.org, kind="customer")
    if found is None:
        raise BillingBusy
    return found


@action(requires=HOUSE)
async def settle_customer(work: SystemWork, *, intent: Intent, customer_id: str, live: bool) -> str:
    """Keep which customer an organization is, if it is none yet; what was told of it before is applied now."""
    await queries.hold_customer_of_org(work, org_id=intent.org_id)
    await queries.hold_org(work, org_id=intent.org_id)
    kept = await keep_customer(work, org_id=intent.org_id, customer_id=customer_id, live=live)
    await settle_intent(work, intent=intent, state="done", foreign_id=customer_id)
    await _adopt(work, customer_id)
    return kept or customer_id


adopted = values(
    str,
    """
    update tenantry.stripe_notices
       set state = 'waiting', last_error = null, handled_at = null
     where customer_id = :customer_id
       and state = 'orphaned'
 returning id
    """,
)


async def _adopt(work: SystemWork, customer_id: str) -> None:
    for notice_id in await adopted(work, customer_id=customer_id):
        work.enqueue(ToApply(notice_id).asked())
