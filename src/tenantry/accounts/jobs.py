"""What happens later: the mails about registrations, and the removal of those that nobody proved."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.events import (
    AddressChangeAsked,
    AddressChanged,
    DeviceAppeared,
    ExportAsked,
    ExportReady,
    PasswordChanged,
    PasswordResetAsked,
    RegistrationAsked,
    UserClosed,
    UserReopened,
    VerificationAskedAgain,
)
from tenantry.accounts.exchanges import CHANGE, EXPORT, RESET, VERIFY
from tenantry.accounts.models import (
    CHANGE_LIFE,
    EXPORT_LIFE,
    REGISTRATION_LIFE,
    RESET_LIFE,
    AddressChange,
    Registration,
    SignIn,
    User,
)
from tenantry.accounts.settings import AccountSettings
from tenantry.foundation.jobs.handler import GiveUp, Job, every, handles, on
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link, Wording
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

BATCHES = 20
"""Batches of ended sessions removed by one run of the schedule, at most."""
FORGOTTEN_AT_ONCE = 10_000
"""Counts of guesses removed in one transaction, at most."""
PURGES_AT_ONCE = 1000
"""Persons whose purge is asked for in an hour, at most."""
LETTER = "whether an address has an account is known to the house only"


@on(RegistrationAsked)
async def mail_registration(job: Job, event: RegistrationAsked) -> None:
    """Mail the link that proves the address, or say that it already has an account."""
    await _mail(job, event.registration_id)


@on(VerificationAskedAgain)
async def mail_again(job: Job, event: VerificationAskedAgain) -> None:
    """Mail the same link once more, if the registration is still pending."""
    await _mail(job, event.registration_id)


@on(PasswordResetAsked)
async def mail_reset(job: Job, event: PasswordResetAsked) -> None:
    """Mail the link that sets a new password, to the stored address and if there is one."""
    async with SystemWork(job.call, reason=LETTER) as work:
        user = await queries.user_of_reset(work, reset_id=event.reset_id)
    if user is None:
        return
    minutes = int(RESET_LIFE.total_seconds() // 60)
    link = reset_link(job.runtime, event.reset_id)
    await post(job, Letter("reset_password", user.email, str(job.id), {"link": link, "minutes": minutes}))


@on(PasswordChanged)
async def tell_of_new_password(job: Job, event: PasswordChanged) -> None:
    """Tell a person that their password was changed, in case it was not them."""
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        user = await queries.user_if_any(work, user_id=event.user_id)
    if user is not None:
        await post(job, Letter("password_changed", user.email, str(job.id), {"reset": _forgotten(job.runtime)}))


@on(AddressChangeAsked)
async def mail_confirmation(job: Job, event: AddressChangeAsked) -> None:
    """Mail the link to the address that a person wants, unless it has an account: then say so there, and only there."""
    async with SystemWork(job.call, reason=LETTER) as work:
        change = await queries.address_change(work, change_id=event.change_id)
        if change is None or not await actions.may_mail(work, job=job.id, email_key=change.email_key):
            return
        known = await queries.address_of_account(work, email_key=change.email_key)
    await post(job, _already_registered(job, known) if known else _confirmation(job, change))


@on(AddressChangeAsked)
async def warn_present_address(job: Job, event: AddressChangeAsked) -> None:
    """Tell the present address that another one is wanted."""
    change = await _change(job, event.change_id)
    if change is not None:
        values = {"reset": _forgotten(job.runtime)}
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


@every(hours=1)
async def remove_expired_registrations(job: Job) -> None:
    """Remove registrations whose address was not proven in time."""
    async with job.work(reason="nobody owns a registration that was not proven") as work:
        await actions.remove_expired_registrations(work)


@on(UserClosed)
async def tell_of_closing(job: Job, event: UserClosed) -> None:
    """Tell a person that their account is closed, until when it can be opened again, and how."""
    user = await _person(job, event.user_id)
    if user is not None and user.purge_at is not None:
        until = Wording(f"{user.purge_at.astimezone(ZoneInfo(user.timezone)):%Y-%m-%d %H:%M} ({user.timezone})")
        values = {"until": until, "sign_in": Link(f"{job.runtime.origin}/account/login")}
        await post(job, Letter("account_closed", user.email, str(job.id), values))


@on(UserReopened)
async def tell_of_reopening(job: Job, event: UserReopened) -> None:
    """Tell a person that their account is open again, in case it was not them."""
    user = await _person(job, event.user_id)
    if user is not None:
        await post(job, Letter("account_reopened", user.email, str(job.id), {"reset": _forgotten(job.runtime)}))


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


@on(ExportAsked)
async def gather_export(job: Job, event: ExportAsked) -> None:
    """Gather what the house holds about a person, and keep it sealed until it is taken."""
    try:
        sealed = await exchanges.gather_export(job.call, export_id=event.export_id)
    except exchanges.ExportTooLarge as error:
        raise GiveUp(str(error)) from error
    if sealed is not None:
        async with job.work(reason=LETTER) as work:
            await actions.finish_export(work, export_id=event.export_id, sealed=sealed)


@on(ExportReady)
async def mail_export(job: Job, event: ExportReady) -> None:
    """Mail the link that an export can be taken away with."""
    user = await _person(job, event.user_id)
    if user is not None:
        token = job.runtime.one_time.issue(EXPORT, event.export_id, 0)
        link = Link(f"{job.runtime.origin}/account/export?token={token}")
        hours = int(EXPORT_LIFE.total_seconds() // 3600)
        await post(job, Letter("export_ready", user.email, str(job.id), {"link": link, "hours": hours}))


@every(hours=1)
async def remove_old_exports(job: Job) -> None:
    """Remove exports that were taken, or not taken in time."""
    async with job.work(reason="what nobody may take any more is nobody's") as work:
        await actions.remove_old_exports(work)


async def _person(job: Job, user_id: UUID) -> User | None:
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        return await queries.user_if_any(work, user_id=user_id)


async def _mail(job: Job, registration_id: UUID) -> None:
    async with SystemWork(job.call, reason=LETTER) as work:
        registration = await queries.pending_registration(work, registration_id=registration_id)
        if registration is None:
            return
        if not await actions.may_mail(work, job=job.id, email_key=registration.email_key):
            return
        known = await queries.address_of_account(work, email_key=registration.email_key)
    await post(job, _already_registered(job, known) if known else _verification(job, registration))


async def _change(job: Job, change_id: UUID) -> AddressChange | None:
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        return await queries.address_change(work, change_id=change_id)


def _confirmation(job: Job, change: AddressChange) -> Letter:
    token = job.runtime.one_time.issue(CHANGE, change.id, 0)
    link = Link(f"{job.runtime.origin}/account/email?token={token}")
    hours = int(CHANGE_LIFE.total_seconds() // 3600)
    return Letter("confirm_address", change.email, str(job.id), {"link": link, "hours": hours})


def _verification(job: Job, registration: Registration) -> Letter:
    link = verification_link(job.runtime, registration.id)
    hours = int(REGISTRATION_LIFE.total_seconds() // 3600)
    return Letter("verify_email", registration.email, str(job.id), {"link": link, "hours": hours})


def _already_registered(job: Job, stored: str) -> Letter:
    origin = job.runtime.origin
    values = {"sign_in": Link(f"{origin}/account/login"), "reset": _forgotten(job.runtime)}
    return Letter("already_registered", stored, str(job.id), values)


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


def verification_link(runtime: Runtime, registration_id: UUID) -> Link:
    """The link that proves an address; derived whenever it is needed and stored nowhere."""
    token = runtime.one_time.issue(VERIFY, registration_id, 0)
    template = runtime.section(AccountSettings).link_verify or f"{runtime.origin}/account/verify?token={{token}}"
    return Link(template.replace("{token}", token))


def reset_link(runtime: Runtime, reset_id: UUID) -> Link:
    """The link that sets a new password; derived whenever it is needed and stored nowhere."""
    token = runtime.one_time.issue(RESET, reset_id, 0)
    template = runtime.section(AccountSettings).link_reset or f"{runtime.origin}/account/reset?token={{token}}"
    return Link(template.replace("{token}", token))


def _forgotten(runtime: Runtime) -> Link:
    return Link(f"{runtime.origin}/account/forgot")
