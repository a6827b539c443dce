"""Mails to owners about closing and opening again, and the purge when the grace is over."""

from __future__ import annotations

import time
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tenantry.foundation.forgetting import ForgettingWork
from tenantry.foundation.jobs.handler import Job, every, handles, on
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link, Wording
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions, queries
from tenantry.orgs.events import OrgClosed, OrgReopened
from tenantry.orgs.models import Owner

MOST_TOLD = 100
"""Owners who get a mail about a closing, those who joined first."""
PURGES_AT_ONCE = 1000
"""Organizations whose purge is asked for in an hour, at most."""
PURGE_SECONDS = 20.0
"""How long one job forgets an organization before it hands on to the next, so that no attempt takes too long."""
EVERYBODY = "what is said to owners is said to each of them, whoever closed it"
FORGETTING = "a purged organization has no members who could, and every domain's rows are reached"


class ToTell(msgspec.Struct, frozen=True):
    """An owner who is to be told of an organization."""

    org_id: UUID
    user_id: UUID


@on(OrgClosed)
async def tell_of_closing(job: Job, event: OrgClosed) -> None:
    """Ask for a mail to each owner about the closing: a job of its own, so that one bad address is one bad mail."""
    await _ask_for_mails(job, event.org_id, "orgs.mail_closing")


@on(OrgReopened)
async def tell_of_reopening(job: Job, event: OrgReopened) -> None:
    """Ask for a mail to each owner about the opening."""
    await _ask_for_mails(job, event.org_id, "orgs.mail_reopening")


async def _ask_for_mails(job: Job, org_id: UUID, kind: str) -> None:
    async with job.work(reason=EVERYBODY) as work:
        for user_id in await queries.owners_of_org(work, org_id=org_id, most=MOST_TOLD):
            work.enqueue(NewJob.of(kind, ToTell(org_id, user_id)))


@handles("orgs.mail_closing")
async def mail_closing(job: Job, whom: ToTell) -> None:
    """Tell an owner that an organization is closed, until when it can be opened again, and how."""
    owner = await _owner(job, whom)
    if owner is not None and owner.purge_at is not None:
        until = Wording(f"{owner.purge_at.astimezone(ZoneInfo(owner.timezone)):%Y-%m-%d %H:%M} ({owner.timezone})")
        values = {"org": owner.org_name, "until": until, "sign_in": _sign_in(job)}
        await post(job, Letter("org_closed", owner.email, str(job.id), values))


@handles("orgs.mail_reopening")
async def mail_reopening(job: Job, whom: ToTell) -> None:
    """Tell an owner that an organization is open again."""
    owner = await _owner(job, whom)
    if owner is not None and owner.purge_at is None:
        values = {"org": owner.org_name, "sign_in": _sign_in(job)}
        await post(job, Letter("org_reopened", owner.email, str(job.id), values))


async def _owner(job: Job, whom: ToTell) -> Owner | None:
    async with SystemWork(job.call, reason=EVERYBODY, reading=True) as work:
        return await queries.owner_of_org(work, org_id=whom.org_id, user_id=whom.user_id)


def _sign_in(job: Job) -> Link:
    return Link(f"{job.runtime.origin}/account/login")


class OrgPurge(msgspec.Struct, frozen=True):
    """Which organization to purge."""

    org_id: UUID

    def asked(self) -> NewJob:
        """The job that does it, once however often it is asked for while it waits."""
        return NewJob.of("orgs.purge", self, key=str(self.org_id))


@every(hours=1)
async def ask_for_purges(job: Job) -> None:
    """Ask for a purge of each organization whose grace is over: a job of its own, so that none waits for another's."""
    async with job.work(reason="a grace that is over is seen by nobody's session") as work:
        for org_id in await queries.due_for_purge(work, most=PURGES_AT_ONCE):
            work.enqueue(OrgPurge(org_id).asked())


@handles("orgs.purge")
async def purge(job: Job, which: OrgPurge) -> None:
    """Forget an organization batch by batch; whoever comes after a death goes on where it was."""
    ends = time.monotonic() + PURGE_SECONDS
    while not await _purged_one_batch(job, which):
        if time.monotonic() >= ends:
            async with job.work(reason=FORGETTING) as work:
                work.enqueue(which.asked())
            return


async def _purged_one_batch(job: Job, which: OrgPurge) -> bool:
    async with ForgettingWork(job.call, reason=FORGETTING) as work:
        return await actions.purge_org(work, org_id=which.org_id)
