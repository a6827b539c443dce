"""Usage summed up on a schedule: folding what is new, closing periods that are over, letting go what is too old."""

from __future__ import annotations

from tenantry.foundation.jobs.handler import Job, every
from tenantry.foundation.work import SystemWork
from tenantry.usage import actions

FOLDS_A_JOB = 100
"""Transactions of folding that one job does, at most; the next one goes on."""
REASON = "sums are made of every organization's usage at once"


@every(seconds=10, missed="skip")
async def fold_usage(job: Job) -> None:
    """Add what was used since to the sums by minute, hour and billing period."""
    for _ in range(FOLDS_A_JOB):
        async with SystemWork(job.call, reason=REASON) as work:
            if not await actions.fold_usage(work):
                return


@every(minutes=10)
async def close_usage_periods(job: Job) -> None:
    """Close billing periods that are over."""
    closed = 1
    while closed:
        async with SystemWork(job.call, reason=REASON) as work:
            closed = await actions.close_periods(work)


@every(hours=1)
async def let_old_usage_go(job: Job) -> None:
    """Let go minutes, hours and keys of usage that are too old."""
    more = True
    while more:
        async with SystemWork(job.call, reason="what is too old is let go whoever's it is") as work:
            more = await actions.let_usage_go(work)
