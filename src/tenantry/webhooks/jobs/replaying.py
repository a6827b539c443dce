"""Replaying: what happened is put where it waits for an endpoint again, a page a commit."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.events.log import BEGINNING, Position
from tenantry.foundation.jobs.handler import Job, handles
from tenantry.foundation.work import SystemWork
from tenantry.webhooks import actions
from tenantry.webhooks.models import Replay

PAGE = 500
"""Events that a replay puts where they wait in one transaction, at most."""
REPLAYING = "what is told to endpoints is written by the house alone"
FIRST = UUID(int=0)


@handles(actions.REPLAY, tracked=True, timeout=3600.0)
async def replay(job: Job, asked: Replay) -> None:
    """Send what happened in a span of time to an endpoint again; one that dies begins anew, and does no harm."""
    if asked.which == "failed":
        await _replay_failed(job, asked)
    else:
        await _replay_happened(job, asked)


async def _replay_failed(job: Job, asked: Replay) -> None:
    after, done, found = FIRST, 0, [FIRST]
    while found:
        async with SystemWork(job.call, reason=REPLAYING) as work:
            found = list(await actions.replay_failed(work, asked=asked, after=after, most=PAGE))
        after, done = (found or [after])[-1], done + len(found)
        await job.report(done=done)


async def _replay_happened(job: Job, asked: Replay) -> None:
    after: Position | None = BEGINNING
    done = 0
    while after is not None:
        async with SystemWork(job.call, reason=REPLAYING) as work:
            page = await actions.replay_happened(work, asked=asked, after=after, most=PAGE)
        after, done = page.reached, done + page.queued
        await job.report(done=done)
