"""What the house does with the audit log on a schedule: sealing it, letting old rows go, clearing away dead links."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.audit import actions, queries
from tenantry.audit.models import NOBODYS
from tenantry.foundation.jobs.handler import Job, every
from tenantry.foundation.work import SystemWork

SEALS_AT_ONCE = 40
"""Seals that one job makes, at most; the next one goes on."""
ORGS_AT_ONCE = 500
"""Organizations whose old rows are looked for in one transaction."""
CHAIN = "the chain of seals is one for the whole house"
OLD = "what is too old is let go whoever's it is"


@every(minutes=2)
async def seal_audit(job: Job) -> None:
    """Put the rows of the audit log that were written since under seals."""
    for _ in range(SEALS_AT_ONCE):
        async with SystemWork(job.call, reason=CHAIN) as work:
            if not await actions.seal_audit(work):
                return


@every(hours=1)
async def remove_audit_exports(job: Job) -> None:
    """Remove links to files of the audit log whose time is over."""
    async with job.work(reason="a link that is dead is nobody's") as work:
        await actions.remove_old_audit_exports(work)


@every(days=1, timeout=600.0)
async def let_old_audit_rows_go(job: Job) -> None:
    """Let go what is older than each organization's plan keeps, and what belongs to none after the usual time."""
    await _let_go(job, ())
    after = NOBODYS
    while orgs := await _orgs_after(job, after):
        await _let_go(job, orgs)
        after = orgs[-1]


async def _orgs_after(job: Job, after: UUID) -> Sequence[UUID]:
    async with SystemWork(job.call, reason=OLD, reading=True) as work:
        return await queries.orgs_after(work, after=after, most=ORGS_AT_ONCE)


async def _let_go(job: Job, orgs: Sequence[UUID]) -> None:
    while True:
        async with SystemWork(job.call, reason=OLD) as work:
            if not await actions.let_audit_go(work, orgs=orgs):
                return
