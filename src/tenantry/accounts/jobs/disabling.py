"""Letting those in again who were kept out for a time."""

from __future__ import annotations

from tenantry.accounts import actions
from tenantry.foundation.jobs.handler import Job, every

AT_ONCE = 500
"""People let in again in one transaction, at most."""


@every(minutes=1)
async def enable_when_due(job: Job) -> None:
    """Enable accounts that were disabled until now."""
    more = True
    while more:
        async with job.work(reason="an operator kept them out until now") as work:
            more = await actions.enable_due_users(work, most=AT_ONCE) == AT_ONCE
