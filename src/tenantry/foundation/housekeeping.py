"""What the house does for itself on a schedule, whatever domains there are."""

from __future__ import annotations

from tenantry.foundation.jobs.handler import Job, every
from tenantry.foundation.security.succession import move_along
from tenantry.foundation.security.turns import forget_returned
from tenantry.foundation.work import SystemWork

SWEPT_AT_ONCE = 10_000
"""Rows of rate limits removed in one transaction, at most."""


@every(minutes=10)
async def sweep_limits(job: Job) -> None:
    """Remove the rows of rate limits whose turns are all back."""
    removed = SWEPT_AT_ONCE
    while removed == SWEPT_AT_ONCE:
        async with SystemWork(job.call, reason="a row of a rate limit is nobody's") as work:
            removed = await forget_returned(work, most=SWEPT_AT_ONCE)


@every(minutes=10)
async def finish_key_rotation(job: Job) -> None:
    """Move signing keys along whose time has come; begins no rotation."""
    async with job.work(reason="signing keys belong to the house") as work:
        moves = await move_along(work, begin=False)
    moves.tell()
