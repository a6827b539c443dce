"""Mails to owners about what is paid: which happening asks for which letter, once each. What they say: `letters.py`."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.events import InvoicePaid, PaymentFailed, SubscriptionChanged, SubscriptionEnded, TrialEnding
from tenantry.billing.jobs.letters import ToTell, told_of
from tenantry.foundation.jobs.handler import Job, handles, on
from tenantry.foundation.jobs.job import LONGEST_WINDOW, NewJob
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter
from tenantry.foundation.work import SystemWork
from tenantry.orgs import queries as orgs
from tenantry.orgs.events import OrgRestricted
from tenantry.orgs.models import Owner

MOST_TOLD = 100
"""Owners who get a mail about a happening, those who joined first."""
EVERYBODY = "what is paid concerns every owner, and what Stripe tells belongs to no session"
MAIL, RESTRICTION = "billing.mail_owner", "billing.tell_of_restriction"


@on(TrialEnding)
async def tell_of_trial_end(job: Job, event: TrialEnding) -> None:
    """Ask for a mail to each owner that a trial ends in a few days."""
    await _ask_for_mails(job, ToTell("trial_ending", event.org_id, event.subscription, at=event.trial_end))


@on(PaymentFailed)
async def tell_of_failed_payment(job: Job, event: PaymentFailed) -> None:
    """Ask for a mail to each owner that a payment failed, and what comes next."""
    await _ask_for_mails(job, ToTell("payment_failed", event.org_id, event.invoice, attempt=event.attempts))


@on(InvoicePaid)
async def tell_of_recovery(job: Job, event: InvoicePaid) -> None:
    """Ask for a mail to each owner that a payment has come which had failed before."""
    await _ask_for_mails(job, ToTell("payment_recovered", event.org_id, event.invoice))


@on(SubscriptionEnded)
async def tell_of_end(job: Job, event: SubscriptionEnded) -> None:
    """Ask for a mail to each owner that a subscription is over."""
    await _ask_for_mails(job, ToTell("subscription_ended", event.org_id, event.subscription))


@on(SubscriptionChanged)
async def tell_of_cancellation(job: Job, event: SubscriptionChanged) -> None:
    """Ask for a mail to each owner that a subscription is told to end, where that is what has changed."""
    if _told_to_end(event):
        # told to end, to go on and to end again on the same day is told twice
        which = ToTell("cancellation_scheduled", event.org_id, event.subscription, happening=str(job.id))
        await _ask_for_mails(job, which)


def _told_to_end(event: SubscriptionChanged) -> bool:
    words = {"cancel_at": event.cancel_at is not None, "cancel_at_period_end": event.cancel_at_period_end}
    told = [field for field, ends in words.items() if ends]
    # the other word of one that was told to end before brings no news
    return bool(told) and all(field in event.fields for field in told)


@on(OrgRestricted)
async def await_restriction(job: Job, event: OrgRestricted) -> None:
    """Ask for a look at an organization at the moment from which it is restricted: a payment may come before."""
    which = ToTell("access_restricted", event.org_id, at=event.restricted_from)
    async with job.work(reason=EVERYBODY) as work:
        left = await queries.seconds_to_restriction(work, org_id=event.org_id)
        said = await queries.restricted_already(work, org_id=event.org_id, version=event.version_after)
        if left is not None and not said:
            work.enqueue(NewJob.of(RESTRICTION, which, delay=max(0.0, left)))


@handles(RESTRICTION)
async def tell_of_restriction(job: Job, which: ToTell) -> None:
    """Ask for a mail to each owner that their organization is restricted, the moment being there."""
    async with SystemWork(job.call, reason=EVERYBODY, reading=True) as work:
        # of several moments that were said, and have come, owners are told of one
        at = await queries.restricted_from(work, org_id=which.org_id)
    await _ask_for_mails(job, msgspec.structs.replace(which, at=at))


async def _ask_for_mails(job: Job, which: ToTell) -> None:
    async with job.work(reason=EVERYBODY) as work:
        if await told_of(work, which) is None:
            return
        for user_id in await orgs.owners_of_org(work, org_id=which.org_id, most=MOST_TOLD):
            whom = which.to(user_id)
            work.enqueue(NewJob.of(MAIL, whom, key=whom.key, unique_for=LONGEST_WINDOW))


@handles(MAIL)
async def mail_owner(job: Job, whom: ToTell) -> None:
    """Mail an owner what happened, unless it is out of date, they are no owner any more, or something is closed."""
    async with SystemWork(job.call, reason=EVERYBODY, reading=True) as work:
        says = await told_of(work, whom)
        owner = None if whom.user_id is None else await _owner(work, whom.org_id, whom.user_id)
    if says is None or owner is None:
        return
    await post(job, Letter(whom.letter, owner.email, whom.key, {"org": owner.org_name, **says}))


async def _owner(work: SystemWork, org_id: UUID, user_id: UUID) -> Owner | None:
    owner = await orgs.owner_of_org(work, org_id=org_id, user_id=user_id)
    return None if owner is None or owner.purge_at is not None else owner
