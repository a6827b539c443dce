"""Mails about closing and opening again, and the purge when the grace is over."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.events import UserClosed, UserReopened
from tenantry.accounts.jobs.letters import forgotten_link, person_of
from tenantry.foundation.jobs.handler import Job, every, handles, on
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link, Wording

PURGES_AT_ONCE = 1000
"""Persons whose purge is asked for in an hour, at most."""


@on(UserClosed)
async def tell_of_closing(job: Job, event: UserClosed) -> None:
    """Tell a person that their account is closed, until when it can be opened again, and how."""
    user = await person_of(job, event.user_id)
    if user is not None and user.purge_at is not None:
        until = Wording(f"{user.purge_at.astimezone(ZoneInfo(user.timezone)):%Y-%m-%d %H:%M} ({user.timezone})")
        values = {"until": until, "sign_in": Link(f"{job.runtime.origin}/account/login")}
        await post(job, Letter("account_closed", user.email, str(job.id), values))


@on(UserReopened)
async def tell_of_reopening(job: Job, event: UserReopened) -> None:
    """Tell a person that their account is open again, in case it was not them."""
    user = await person_of(job, event.user_id)
    if user is not None:
        await post(job, Letter("account_reopened", user.email, str(job.id), {"reset": forgotten_link(job.runtime)}))


class Purge(msgspec.Struct, frozen=True):
    """Whom to purge."""

    user_id: UUID


@every(hours=1)
async def ask_for_purges(job: Job) -> None:
    """Ask for a purge of each person whose grace is over: a job of its own, so that nobody waits for another's."""
    async with job.work(reason="a grace that is over is seen by nobody's session") as work:
        for user_id in await queries.due_for_purge(work, most=PURGES_AT_ONCE):
            work.enqueue(NewJob.of("accounts.purge", Purge(user_id), key=str(user_id)))


@handles("accounts.purge")
async def purge(job: Job, whom: Purge) -> None:
    """Forget a person in every table: all of it or nothing, in one commit."""
    async with job.work(reason="a purged person has no session, and every domain's rows are reached") as work:
        await actions.purge_person(work, user_id=whom.user_id)
