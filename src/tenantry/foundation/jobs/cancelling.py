"""Cancelling: a job that waits is gone at once, one that runs is told to stop by its worker and does not come back.

Asking and completing meet in the row of the run: whichever commits first has won. After the asking, nothing that the
handler does in its own work stays, and no failure or death of its worker brings the job back.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.jobs.bell import LOOK
from tenantry.foundation.jobs.groups import Group, let_go
from tenantry.foundation.work import SystemWork

Cancellation = Literal["removed", "asked", "gone"]
"""What came of it: the job waited and is removed, it runs and will be stopped, or it is no longer there."""
CHASES = 3


class Removed(msgspec.Struct, frozen=True):
    """A job that waited, and the group that it may have held up."""

    queue: str
    lane: UUID
    group_key: str | None

    @property
    def group(self) -> Group | None:
        """Which group that was."""
        return None if self.group_key is None else Group(self.queue, self.lane, self.group_key)


remove = maybe(Removed, "delete from tenantry.jobs where id = :id returning queue, lane, group_key")

ask_to_stop = run(
    "update tenantry.job_runs set cancel_asked_at = coalesce(cancel_asked_at, tenantry.now()) where id = :id"
)

# inside the transaction, though that takes a lock which commits share: it is rare, and must not be lost
call_workers = value(str, "select pg_notify('tenantry_jobs', :what)::text")


async def cancel(work: SystemWork, job_id: UUID) -> Cancellation:
    """Cancel a job: remove it, or have its worker stop it within three seconds of the commit."""
    # a claim or a failure may be moving it from one table to the other meanwhile
    for _ in range(CHASES):
        if (removed := await remove(work, id=job_id)) is not None:
            if await let_go(work, [removed.group]):
                await call_workers(work, what=LOOK)
            return "removed"
        if await ask_to_stop(work, id=job_id):
            await call_workers(work, what=LOOK)
            return "asked"
    return "gone"
