"""The overview of an organization's billing, read in one transaction and judged at one moment."""

from __future__ import annotations

from tenantry.billing import queries
from tenantry.billing.actions.checkouts import checkout_of
from tenantry.billing.actions.patience import policy_of
from tenantry.billing.models import Checkout, Overview, access
from tenantry.billing.permissions import BILLING_READ
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.work import OrgWork
from tenantry.plans import queries as plans


async def read_overview(work: OrgWork) -> Overview:
    """What an organization pays for, and what that opens at this moment."""
    work.require(BILLING_READ)
    settings = work.runtime.section(BillingSettings)
    entitled = await plans.entitlements(work, work.org)
    held = await queries.subscription_in_force(work, org_id=work.org)
    return Overview(
        on=settings.on,
        plan=entitled.plan,
        access=access(held, work.runtime.clock.now(), policy_of(work.runtime)),
        restricted_from=await queries.restricted_from(work, org_id=work.org),
        subscription=held,
        bought=entitled.seats,
        taken=await plans.seats_taken(work, org_id=work.org) or 0,
        checkout=await _open_checkout(work),
        customer=await queries.customer_of_org(work, org_id=work.org, live=settings.live) is not None,
        unpaid=await queries.unpaid_invoice(work, org_id=work.org),
    )


async def _open_checkout(work: OrgWork) -> Checkout | None:
    """The page that somebody may still pay on, as far as we know without asking."""
    found = await queries.intent_under_way(work, org_id=work.org, kind="checkout")
    if found is None or found.state != "open" or found.expires_at is None:
        return None
    return checkout_of(found) if found.expires_at > work.runtime.clock.now() else None
