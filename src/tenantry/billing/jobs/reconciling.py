"""The nightly comparison of our rows with Stripe's, a few pages a job."""

from __future__ import annotations

import time

from tenantry.billing import exchanges, metrics, stripe
from tenantry.billing.models import GO_ON, Round
from tenantry.billing.settings import BillingSettings
from tenantry.foundation.jobs.handler import Job, every, handles

PAGES = 10
"""Questions of one job, about: the next ones are another's, so that notices come in between."""
TIMEOUT = 600.0
GOING_ON = "how far the comparison has come is the house's"


@every(days=1, queue="billing", timeout=TIMEOUT)
async def reconcile(job: Job) -> None:
    """Compare what is kept with what Stripe has, and mend what differs."""
    if job.runtime.section(BillingSettings).on:
        await _compare(job, await exchanges.begin_round(job.call))


@handles(GO_ON, queue="billing", timeout=TIMEOUT)
async def go_on_reconciling(job: Job, reached: Round) -> None:
    """Go on with a comparison where the job before stopped."""
    await _compare(job, reached)


async def _compare(job: Job, reached: Round) -> None:
    for page in range(PAGES):
        try:
            reached = await exchanges.go_on(job.call, round_=reached)
        except stripe.Unreachable:
            if page == 0:
                raise
            # what was compared need not be compared again
            break
        if reached.over:
            _say(reached)
            return
    async with job.work(reason=GOING_ON) as work:
        work.enqueue(reached.asked())


def _say(over: Round) -> None:
    metrics.drift.labels("rows").set(over.differed)
    metrics.drift.labels("notices").set(over.lost)
    metrics.reconciled_at.set(time.time())
