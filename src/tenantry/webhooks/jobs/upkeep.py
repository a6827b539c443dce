"""What is removed by itself: deleted endpoints with all that there is about them, and what is too old."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.work import SystemWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.events import EndpointDeleted

FORGOTTEN_AT_ONCE = 2_000
"""Rows about a deleted webhook endpoint that are removed in one transaction, at most."""
ORGS_AT_ONCE = 500
"""Organizations of which old deliveries are looked for in one transaction."""
DELETED = "of an endpoint that is deleted nobody sees anything any more"
OLD = "what is too old is let go whoever's it is"
NOBODY = UUID(int=0)


@on(EndpointDeleted, timeout=600.0)
async def forget_endpoint(job: Job, event: EndpointDeleted) -> None:
    """Remove what there is about a deleted endpoint, batch by batch; whoever comes after a death goes on there."""
    more = True
    while more:
        async with SystemWork(job.call, reason=DELETED) as work:
            more = await actions.forget_some_of(
                work, org_id=event.org_id, endpoint_id=event.endpoint_id, most=FORGOTTEN_AT_ONCE
            )


@every(days=1, timeout=600.0)
async def let_old_deliveries_go(job: Job) -> None:
    """Let go what was sent, or waits, for longer than each organization's plan keeps."""
    after = NOBODY
    while orgs := await _orgs_after(job, after):
        await _let_go(job, orgs)
        after = orgs[-1]


async def _orgs_after(job: Job, after: UUID) -> Sequence[UUID]:
    async with SystemWork(job.call, reason=OLD, reading=True) as work:
        return await queries.orgs_after(work, after=after, most=ORGS_AT_ONCE)


async def _let_go(job: Job, orgs: Sequence[UUID]) -> None:
    while True:
        async with SystemWork(job.call, reason=OLD) as work:
            if not await actions.let_old_deliveries_go(work, orgs=orgs):
                return
