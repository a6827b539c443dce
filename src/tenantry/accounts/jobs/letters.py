"""What the mails of accounts share: whom they go to, and the links in them."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import queries
from tenantry.accounts.exchanges import RESET, VERIFY
from tenantry.accounts.models import User
from tenantry.accounts.settings import AccountSettings
from tenantry.foundation.jobs.handler import Job
from tenantry.foundation.net.letters import Letter, Link
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

LETTER = "whether an address has an account is known to the house only"


async def person_of(job: Job, user_id: UUID) -> User | None:
    """Whom to write to, unless they were purged meanwhile."""
    async with SystemWork(job.call, reason=LETTER, reading=True) as work:
        return await queries.user_if_any(work, user_id=user_id)


def already_registered(job: Job, stored: str) -> Letter:
    """What somebody is told who seems to have forgotten that they have an account."""
    origin = job.runtime.origin
    values = {"sign_in": Link(f"{origin}/account/login"), "reset": forgotten_link(job.runtime)}
    return Letter("already_registered", stored, str(job.id), values)


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


def forgotten_link(runtime: Runtime) -> Link:
    """Where a person asks for a new password."""
    return Link(f"{runtime.origin}/account/forgot")
