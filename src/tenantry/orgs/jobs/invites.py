"""Mails of invites, and the end of those that nobody answered."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions, queries
from tenantry.orgs.events import InviteResent, InviteSent
from tenantry.orgs.models import INVITE_LIFE
from tenantry.orgs.settings import OrgSettings

LETTER = "who sent an invite may have left the organization since"
EXPIRED_AT_ONCE = 1000
"""Invites that are said to be expired in one transaction, at most."""


@on(InviteSent)
async def mail_invite(job: Job, event: InviteSent) -> None:
    """Mail the link, unless the invite was answered, taken back or sent anew meanwhile."""
    await _mail(job, event.invite_id, event.generation)


@on(InviteResent)
async def mail_invite_again(job: Job, event: InviteResent) -> None:
    """Mail the new link."""
    await _mail(job, event.invite_id, event.generation)


@every(hours=1)
async def expire_invites(job: Job) -> None:
    """Say of invites that nobody answered in time that they are expired, and remove old ones."""
    while True:
        async with SystemWork(job.call, reason="a time that is over is seen by nobody's session") as work:
            if await actions.expire_invites(work, most=EXPIRED_AT_ONCE) < EXPIRED_AT_ONCE:
                return


async def _mail(job: Job, invite_id: UUID, generation: int) -> None:
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        mail = await queries.mail_of_invite(work, invite_id=invite_id, generation=generation)
    if mail is None:
        return
    link = invite_link(job.runtime, invite_id, generation)
    values: dict[str, str | int] = {"org": mail.org, "inviter": mail.inviter, "link": link, "days": INVITE_LIFE.days}
    await post(job, Letter("invite", mail.email, str(job.id), values))


def invite_link(runtime: Runtime, invite_id: UUID, generation: int) -> Link:
    """The link that lets somebody in; derived whenever it is needed and stored nowhere."""
    token = runtime.one_time.issue(actions.PURPOSE, invite_id, generation)
    template = runtime.section(OrgSettings).link_invite or f"{runtime.origin}/account/invite?token={{token}}"
    return Link(template.replace("{token}", token))
