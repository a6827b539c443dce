"""The mail about a sign-in on a new device, and the removal of sessions that ended long ago."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tenantry.accounts import actions, queries
from tenantry.accounts.events import DeviceAppeared
from tenantry.accounts.jobs.letters import LETTER
from tenantry.accounts.models import SignIn
from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link, Wording
from tenantry.foundation.work import SystemWork

BATCHES = 20
"""Batches of ended sessions removed by one run of the schedule, at most."""


@on(DeviceAppeared)
async def mail_new_sign_in(job: Job, event: DeviceAppeared) -> None:
    """Tell a person that their account was signed in to on a new device; also when it is signed out again by now."""
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        sign_in = await queries.sign_in(work, session_id=event.session_id)
    if sign_in is not None:
        await post(job, _new_sign_in(job, sign_in))


@every(hours=1)
async def remove_ended_sessions(job: Job) -> None:
    """Remove sessions that ended long ago, some at a time; what is left over is for the next run."""
    for _ in range(BATCHES):
        async with SystemWork(job.call, reason="what has ended belongs to nobody's present") as work:
            more = await actions.remove_ended_sessions(work)
        if not more:
            return


def _new_sign_in(job: Job, sign_in: SignIn) -> Letter:
    local = sign_in.created_at.astimezone(ZoneInfo(sign_in.timezone))
    # ours, so it stays as it is; what the device says of itself is made inert
    at = Wording(f"{local:%Y-%m-%d %H:%M} ({sign_in.timezone})")
    values = {
        "at": at,
        "source": Wording(sign_in.source),
        "agent": sign_in.agent or "unknown",
        "devices": Link(f"{job.runtime.origin}/account/devices"),
    }
    return Letter("new_sign_in", sign_in.email, str(job.id), values)
