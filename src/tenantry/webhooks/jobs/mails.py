"""Mails about endpoints that the house disabled, to those who look after the organization."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.foundation.jobs.handler import Job, handles, on
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link
from tenantry.foundation.permission import ADMINS
from tenantry.foundation.work import SystemWork
from tenantry.webhooks import queries
from tenantry.webhooks.events import EndpointDisabled
from tenantry.webhooks.models import WhyDisabled

MOST_TOLD = 100
"""Owners and admins who get a mail about a webhook endpoint that was disabled, those who joined first."""
EVERYBODY = "what is said to those who look after an organization is said to each of them"
LETTERS = {"gone": "endpoint_gone", "failing": "endpoint_failing"}


class ToTell(msgspec.Struct, frozen=True):
    """Somebody who is to be told why an endpoint was disabled."""

    org_id: UUID
    endpoint_id: UUID
    user_id: UUID
    why: WhyDisabled


@on(EndpointDisabled)
async def tell_of_disabling(job: Job, event: EndpointDisabled) -> None:
    """Ask for a mail to each owner and admin, unless somebody asked for it: one bad address is one bad mail."""
    if event.why not in LETTERS:
        return
    async with job.work(reason=EVERYBODY) as work:
        for user_id in await queries.minders(work, org_id=event.org_id, roles=list(ADMINS), most=MOST_TOLD):
            asked = ToTell(event.org_id, event.endpoint_id, user_id, event.why)
            work.enqueue(NewJob.of("webhooks.mail_disabling", asked))


@handles("webhooks.mail_disabling")
async def mail_disabling(job: Job, whom: ToTell) -> None:
    """Tell somebody that an endpoint was disabled and why, unless it is enabled again or gone."""
    which = {"org_id": whom.org_id, "endpoint_id": whom.endpoint_id, "user_id": whom.user_id}
    async with SystemWork(job.call, reason=EVERYBODY, reading=True) as work:
        found = await queries.addressee(work, **which, roles=list(ADMINS))
    if found is not None:
        sign_in = Link(f"{job.runtime.origin}/account/login")
        values = {"org": found.org, "url": found.url, "sign_in": sign_in}
        await post(job, Letter(LETTERS[whom.why], found.email, str(job.id), values))
