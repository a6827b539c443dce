"""What was used is reported to the meters at Stripe."""

from __future__ import annotations

from tenantry.billing import exchanges
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.jobs.handler import Job, every

RUNS = 50
"""Rounds of reports that one job does, at most; the next one goes on."""


@every(minutes=30, queue="billing", timeout=600.0)
async def report_usage(job: Job) -> None:
    """Tell Stripe what was used in the hours that are over."""
    if not job.runtime.section(BillingSettings).on:
        return
    for _ in range(RUNS):
        if not await exchanges.report_usage_to_stripe(job.call):
            return
