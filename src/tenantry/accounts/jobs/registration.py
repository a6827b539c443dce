"""Mails about registrations, and the removal of those that nobody proved."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import actions, queries
from tenantry.accounts.events import RegistrationAsked, VerificationAskedAgain
from tenantry.accounts.jobs.letters import LETTER, already_registered, verification_link
from tenantry.accounts.models import REGISTRATION_LIFE, Registration
from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter
from tenantry.foundation.work import SystemWork


@on(RegistrationAsked)
async def mail_registration(job: Job, event: RegistrationAsked) -> None:
    """Mail the link that proves the address, or say that it already has an account."""
    await _mail(job, event.registration_id)


@on(VerificationAskedAgain)
async def mail_again(job: Job, event: VerificationAskedAgain) -> None:
    """Mail the same link once more, if the registration is still pending."""
    await _mail(job, event.registration_id)


@every(hours=1)
async def remove_expired_registrations(job: Job) -> None:
    """Remove registrations whose address was not proven in time."""
    async with job.work(reason="nobody owns a registration that was not proven") as work:
        await actions.remove_expired_registrations(work)


async def _mail(job: Job, registration_id: UUID) -> None:
    async with SystemWork(job.call, reason=LETTER) as work:
        registration = await queries.pending_registration(work, registration_id=registration_id)
        if registration is None:
            return
        if not await actions.may_mail(work, job=job.id, email_key=registration.email_key):
            return
        known = await queries.address_of_account(work, email_key=registration.email_key)
    await post(job, already_registered(job, known) if known else _verification(job, registration))


def _verification(job: Job, registration: Registration) -> Letter:
    link = verification_link(job.runtime, registration.id)
    hours = int(REGISTRATION_LIFE.total_seconds() // 3600)
    return Letter("verify_email", registration.email, str(job.id), {"link": link, "hours": hours})
