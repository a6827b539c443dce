"""Mails about new passwords and addresses, and the end of what nobody followed."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import actions, queries
from tenantry.accounts.events import AddressChangeAsked, AddressChanged, PasswordChanged, PasswordResetAsked
from tenantry.accounts.exchanges import CHANGE
from tenantry.accounts.jobs.letters import LETTER, already_registered, forgotten_link, person_of, reset_link
from tenantry.accounts.models import CHANGE_LIFE, RESET_LIFE, AddressChange
from tenantry.foundation.jobs.handler import Job, every, on
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link
from tenantry.foundation.work import SystemWork

FORGOTTEN_AT_ONCE = 10_000
"""Counts of guesses removed in one transaction, at most."""


@on(PasswordResetAsked)
async def mail_reset(job: Job, event: PasswordResetAsked) -> None:
    """Mail the link that sets a new password, to the stored address and if there is one."""
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        user = await queries.user_of_reset(work, reset_id=event.reset_id)
    if user is None:
        return
    minutes = int(RESET_LIFE.total_seconds() // 60)
    link = reset_link(job.runtime, event.reset_id)
    await post(job, Letter("reset_password", user.email, str(job.id), {"link": link, "minutes": minutes}))


@on(PasswordChanged)
async def tell_of_new_password(job: Job, event: PasswordChanged) -> None:
    """Tell a person that their password was changed, in case it was not them."""
    user = await person_of(job, event.user_id)
    if user is not None:
        await post(job, Letter("password_changed", user.email, str(job.id), {"reset": forgotten_link(job.runtime)}))


@on(AddressChangeAsked)
async def mail_confirmation(job: Job, event: AddressChangeAsked) -> None:
    """Mail the link to the address that a person wants, unless it has an account: then say so there, and only there."""
    async with SystemWork(job.call, reason=LETTER) as work:
        change = await queries.address_change(work, change_id=event.change_id)
        if change is None or not await actions.may_mail(work, job=job.id, email_key=change.email_key):
            return
        known = await queries.address_of_account(work, email_key=change.email_key)
    await post(job, already_registered(job, known) if known else _confirmation(job, change))


@on(AddressChangeAsked)
async def warn_present_address(job: Job, event: AddressChangeAsked) -> None:
    """Tell the present address that another one is wanted."""
    change = await _change(job, event.change_id)
    if change is not None:
        values = {"reset": forgotten_link(job.runtime)}
        await post(job, Letter("address_change_asked", change.previous, str(job.id), values))


@on(AddressChanged)
async def tell_address_before(job: Job, event: AddressChanged) -> None:
    """Tell the address before that it signs nobody in any more."""
    change = await _change(job, event.change_id)
    if change is not None:
        values = {"contact": Link(job.runtime.origin)}
        await post(job, Letter("address_changed", change.previous, str(job.id), values))


@every(hours=1)
async def forget_what_expired(job: Job) -> None:
    """Remove links that nobody followed and counts of guesses that nobody added to."""
    async with job.work(reason="links and counts that mean nothing any more") as work:
        await actions.forget_expired_links(work)
        await actions.forget_old_guesses(work, most=FORGOTTEN_AT_ONCE)


async def _change(job: Job, change_id: UUID) -> AddressChange | None:
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        return await queries.address_change(work, change_id=change_id)


def _confirmation(job: Job, change: AddressChange) -> Letter:
    token = job.runtime.one_time.issue(CHANGE, change.id, 0)
    link = Link(f"{job.runtime.origin}/account/email?token={token}")
    hours = int(CHANGE_LIFE.total_seconds() // 3600)
    return Letter("confirm_address", change.email, str(job.id), {"link": link, "hours": hours})
