"""What happens later to API keys: those of people who left are revoked, and what ended long ago is removed."""

from __future__ import annotations

from tenantry.api_keys import actions
from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import MemberLeft

FORGOTTEN_AT_ONCE = 1000
"""API keys removed in one transaction, at most."""


@on(MemberLeft)
async def revoke_keys_of_leaver(job: Job, event: MemberLeft) -> None:
    """Revoke the personal keys of somebody who is no member any more, so that none comes to life when they return."""
    async with SystemWork(job.call, reason="who left sees nothing of the organization any more") as work:
        await actions.revoke_keys_of(work, org_id=event.org_id, user_id=event.user_id)


@every(hours=24)
async def forget_keys(job: Job) -> None:
    """Remove API keys that were revoked or expired long ago."""
    removed = FORGOTTEN_AT_ONCE
    while removed == FORGOTTEN_AT_ONCE:
        async with SystemWork(job.call, reason="a time that is over is seen by nobody's session") as work:
            removed = await actions.forget_ended_keys(work, most=FORGOTTEN_AT_ONCE)
