"""What closing an organization and purging it mean to what it pays for."""

from __future__ import annotations

from tenantry.billing import exchanges
from tenantry.billing.events import SubscriptionStarted
from tenantry.billing.models import END, ToEnd
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.jobs.handler import Job, handles, on
from tenantry.orgs.events import OrgClosed


@on(OrgClosed, queue="billing")
async def close_checkout_of_closed(job: Job, event: OrgClosed) -> None:
    """Let nobody pay for an organization that was just closed; whoever has pays once."""
    if job.runtime.section(BillingSettings).on:
        await exchanges.close_open_checkout(job.call, org_id=event.org_id)
        await exchanges.let_nothing_go_on(job.call, org_id=event.org_id)


@on(SubscriptionStarted, queue="billing")
async def let_run_out(job: Job, event: SubscriptionStarted) -> None:
    """Let what begins for a closed organization be paid for once."""
    if job.runtime.section(BillingSettings).on:
        await exchanges.let_nothing_go_on(job.call, org_id=event.org_id)


@handles(END, queue="billing", timeout=60.0)
async def end_before_purge(job: Job, which: ToEnd) -> None:
    """End at Stripe what an organization pays for, so that it can be purged; its purge asks again within the hour."""
    await exchanges.end_everything(job.call, org_id=which.org_id)
