"""The portal: Stripe's own pages on which a customer looks after cards, tax ids and invoices."""

from __future__ import annotations

from tenantry.billing import queries, stripe
from tenantry.billing.exchanges.asked import asking, org_of, refuse_while_off
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import NotSubscribed
from tenantry.billing.settings import BillingSettings, billing_page
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.work import OrgWork


@exchange(requires=BILLING_WRITE)
async def open_portal(call: Call) -> str:
    """Open the portal for the organization; where it is, for a few minutes. Each opening is noted."""
    refuse_while_off(call)
    org = org_of(call)
    live = call.runtime.section(BillingSettings).live
    async with OrgWork(call, org, reading=True, ahead=True) as work:
        customer = await queries.customer_of_org(work, org_id=org, live=live)
    if customer is None:
        # nobody becomes a customer by looking: there would be nothing on those pages
        raise NotSubscribed
    opening = new_id()
    with asking():
        session = await stripe.create_portal(
            call.runtime,
            key=f"tenantry:portal:{opening}",
            customer_id=customer,
            return_url=billing_page(call.runtime, org),
            configuration=call.runtime.section(BillingSettings).stripe_portal_configuration or None,
        )
    async with OrgWork(call, org) as work:
        work.note("billing:portal:opened", target=("org", org), after={"portal": session.id})
    return session.url
