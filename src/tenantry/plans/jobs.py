"""What the house does with plans on a schedule: weighing organizations for the job queue."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.jobs.handler import Job, every
from tenantry.foundation.work import SystemWork
from tenantry.plans import actions

WEIGHED_AT_ONCE = 200
"""Organizations that are weighed in one transaction."""


@every(minutes=10, timeout=600.0)
async def weigh_orgs(job: Job) -> None:
    """Give organizations their part of the job queue anew, as plan files change and plans end by themselves."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        async with SystemWork(job.call, reason="plans end by themselves, whoever has them") as work:
            after = await actions.weigh_orgs(work, after=after, most=WEIGHED_AT_ONCE)
