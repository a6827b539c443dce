"""A job as its handler sees it, and the transaction that completes it."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Self
from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import job_context, system_context
from tenantry.foundation.jobs.ending import finish_one
from tenantry.foundation.jobs.groups import let_go
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.jobs.reports import Progress, Reporter
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork, Work

LONGEST_WAIT = 30 * 86_400
"""Seconds that a job may ask to wait before it is tried again."""


class LeaseLost(Exception):
    """Another worker has this job by now, or it was cancelled; nothing of this attempt stays."""


class Retry(Exception):
    """Raised by a handler: try again after so many seconds; it counts as an attempt."""

    def __init__(self, *, after: float) -> None:
        if not 0 <= after <= LONGEST_WAIT:
            raise ValueError("a job waits up to thirty days")
        self.after = after
        super().__init__(f"again after {after:g} s")


class Snooze(Exception):
    """Raised by a handler: not now but after so many seconds; it does not count as an attempt."""

    def __init__(self, *, after: float) -> None:
        if not 0 <= after <= LONGEST_WAIT:
            raise ValueError("a job waits up to thirty days")
        self.after = after
        super().__init__(f"again after {after:g} s")


class GiveUp(Exception):
    """Raised by a handler: trying again is useless, and the sentence says why; the job becomes a dead letter."""


class Job:
    """One attempt at a job: its identity, whom it is for, and the works it may open."""

    __slots__ = (
        "attempt", "call", "cancelled", "completed", "completing", "group", "id", "kind", "reporter", "tick", "worker",
    )  # fmt: skip

    def __init__(self, runtime: Runtime, claimed: Claimed, worker: UUID) -> None:
        self.id = claimed.id
        self.kind = claimed.kind
        self.attempt = claimed.attempt
        self.worker = worker
        actor = Actor("job", person=claimed.person_id, org=claimed.org_id, name=claimed.kind)
        self.call = Call(runtime, actor, claimed.request_id)
        self.group = claimed.group
        self.tick: datetime | None = claimed.tick
        self.completing = self.completed = self.cancelled = False
        self.reporter = Reporter(runtime, claimed) if claimed.tracked else None

    @property
    def runtime(self) -> Runtime:
        """The equipment of this process."""
        return self.call.runtime

    @property
    def request_id(self) -> str:
        """The request that this goes back to."""
        return self.call.request_id

    @property
    def org(self) -> UUID | None:
        """The organization it was asked for in."""
        return self.call.actor.org

    @property
    def person(self) -> UUID | None:
        """The person it was asked for by, or about."""
        return self.call.actor.person

    async def report(self, *, done: int | None = None, total: int | None = None, note: str = "") -> None:
        """Say how far it is, for whoever waits for it; a job that is not tracked says it to nobody.

        Written at most once a second and beside any work that is open, the last one always. The note is plain text of
        200 characters, for everybody who may see the job.
        """
        progress = Progress.of(done, total, note)
        if self.reporter is not None and not self.completed:
            await self.reporter.say(progress)

    def work(self, *, reason: str) -> JobWork:
        """The job's own work: its commit completes the job with it, or neither happens."""
        self._refuse_when_over()
        return JobWork(self, reason=reason)

    def org_work(self, *, reason: str) -> JobOrgWork:
        """The job's own work in its organization, whose rows are all that it sees; its commit completes the job.

        The job of no organization sees no row of any.
        """
        self._refuse_when_over()
        return JobOrgWork(self, reason=reason)

    def org_step(self, *, reason: str) -> OrgStep:
        """A step in the job's organization that does not complete the job: it is repeated with the next attempt."""
        self._refuse_when_over()
        return OrgStep(self, reason=reason)

    def _refuse_when_over(self) -> None:
        if self.completed:
            raise TypeError("this job is complete; earlier steps take a SystemWork, the last one takes job.work")
        if self.cancelled:
            raise LeaseLost(f"{self.kind} {self.id} was cancelled")


class _Completing(Work):
    """A work whose commit completes its job: the effects of a job are in the database exactly once."""

    __slots__ = ()

    _job: Job

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._inside(inside=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if raised is not None:
                await super().__aexit__(kind, raised, trace)
                return
            self._job.completing = True
            await self._complete()
            await super().__aexit__(None, None, None)
            self._job.completed = True
        finally:
            self._job.completing = False
            self._inside(inside=False)

    async def _complete(self) -> None:
        # the fence: whoever deletes the run has it. A rescuer that came first leaves nothing to delete, one that comes
        # later waits for our commit and finds nothing
        try:
            await self._end_run()
        except BaseException as error:
            await super().__aexit__(type(error), error, error.__traceback__)
            raise

    async def _end_run(self) -> None:
        job = self._job
        if not await finish_one(self, id=job.id, attempt=job.attempt, worker=job.worker):
            raise LeaseLost(f"{job.kind} {job.id}, attempt {job.attempt}")
        await let_go(self, [job.group])
        if job.reporter is not None:
            await job.reporter.end_in(self)

    def _inside(self, *, inside: bool) -> None:
        if self._job.reporter is not None:
            self._job.reporter.inside = inside


class JobWork(_Completing, SystemWork):
    """The house's work that completes its job."""

    __slots__ = ("_job",)

    def __init__(self, job: Job, *, reason: str) -> None:
        super().__init__(job.call, reason=reason)
        self._job = job


class OrgStep(Work):
    """A job's work in its organization, behind the same wall of row security as a member's."""

    rights = frozenset({ANYONE, HOUSE})
    metered = True
    of_one_org = True
    __slots__ = ("reason",)

    def __init__(self, job: Job, *, reason: str) -> None:
        super().__init__(job.call)
        self.reason = reason

    def context(self) -> str:
        return job_context(self.call.actor.org)


class JobOrgWork(_Completing, OrgStep):
    """A job's work in its organization that completes the job."""

    __slots__ = ("_job",)

    def __init__(self, job: Job, *, reason: str) -> None:
        super().__init__(job, reason=reason)
        self._job = job

    async def _end_run(self) -> None:
        # a run is the house's, and is all that the house touches here: what the job asks for and records is written
        # with the organization's rights again
        await self.connection.execute(system_context())
        await super()._end_run()
        await self.connection.execute(job_context(self.call.actor.org))
