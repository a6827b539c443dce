"""The customer at Stripe that an organization is: made when it is needed first, and once."""

from __future__ import annotations

import msgspec

from tenantry.billing import actions, stripe
from tenantry.billing.exchanges.asked import org_of
from tenantry.billing.models import Intent, NewCustomer
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import OrgWork, SystemWork

ANSWERED = "what Stripe answered is kept whoever asked, and by a role that may"


@exchange(requires=BILLING_WRITE)
async def ensure_customer(call: Call) -> str:
    """The organization's customer at Stripe, by its id there."""
    async with OrgWork(call, org_of(call)) as work:
        found = await actions.begin_customer(work)
    return found if isinstance(found, str) else await carry_out_customer(call, found)


async def carry_out_customer(call: Call, intent: Intent) -> str:
    """Have Stripe make the customer of an intent, and keep which it is."""
    wish = msgspec.json.decode(intent.params, type=NewCustomer)
    made = await stripe.create_customer(
        call.runtime, key=intent.key, name=wish.name, email=None, metadata={"tenantry_org": ORG_ID.text(intent.org_id)}
    )
    live = call.runtime.section(BillingSettings).live
    async with SystemWork(call, reason=ANSWERED) as work:
        return await actions.settle_customer(work, intent=intent, customer_id=made.id, live=live)
