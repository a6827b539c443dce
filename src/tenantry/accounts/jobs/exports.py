"""Gathering a person's data, mailing the link to it, and removing what was taken or not."""

from __future__ import annotations

from tenantry.accounts import actions, exchanges
from tenantry.accounts.events import ExportAsked, ExportReady
from tenantry.accounts.exchanges import EXPORT
from tenantry.accounts.jobs.letters import LETTER, person_of
from tenantry.accounts.models import EXPORT_LIFE
from tenantry.foundation.jobs.handler import GiveUp, Job, every, on
from tenantry.foundation.jobs.posting import post
from tenantry.foundation.net.letters import Letter, Link


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
    user = await person_of(job, event.user_id)
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
