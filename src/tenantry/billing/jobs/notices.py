"""What billing does after the fact: applies what Stripe told, and forgets what it told long ago."""

from __future__ import annotations

from tenantry.billing import actions, exchanges, metrics, stripe
from tenantry.billing.models import APPLY, ATTEMPTS, ToApply
from tenantry.foundation.jobs.attempt import describe
from tenantry.foundation.jobs.handler import GiveUp, Job, LeaseLost, every, handles
from tenantry.foundation.work import SystemWork

APPLYING = "whom a notice is about is said by the customer that we stored, for any organization"
FORGOTTEN_AT_ONCE = 2_000
"""Notices forgotten in one transaction, at most."""


@handles(APPLY, queue="billing", max_attempts=ATTEMPTS, timeout=60.0)
async def apply_notice(job: Job, which: ToApply) -> None:
    """Ask Stripe what is true of what it told of, and let our rows say so; what fails is said with the notice."""
    try:
        await _apply(job, which)
    except LeaseLost:
        raise
    except Exception as error:
        over = isinstance(error, stripe.Refused) or job.attempt >= ATTEMPTS
        await _say_failed(job, which, error, over=over)
        if isinstance(error, stripe.Refused):
            raise GiveUp(str(error)) from error
        raise


async def _apply(job: Job, which: ToApply) -> None:
    found = await exchanges.ask_truth(job.call, notice_id=which.notice_id)
    if found is None:
        return
    begun, truth = found
    async with job.work(reason=APPLYING) as work:
        how = await actions.apply_truth(work, begun=begun, truth=truth)
    metrics.applied.labels(how).inc()


async def _say_failed(job: Job, which: ToApply, error: Exception, *, over: bool) -> None:
    why = str(error) if isinstance(error, stripe.StripeFailed) else describe(error)
    async with SystemWork(job.call, reason="what was to be applied is rolled back, and why is not") as work:
        await actions.fail_notice(work, notice_id=which.notice_id, why=why, over=over)
    if over:
        metrics.applied.labels("failed").inc()


@every(days=1)
async def forget_notices(job: Job) -> None:
    """Forget what Stripe told so long ago that it does not remember it either."""
    touched = FORGOTTEN_AT_ONCE
    while touched >= FORGOTTEN_AT_ONCE:
        async with SystemWork(job.call, reason="a notice is the house's") as work:
            touched = await actions.sweep_notices(work, most=FORGOTTEN_AT_ONCE)
