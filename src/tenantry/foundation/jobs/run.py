"""A job as its handler sees it, and the transaction that completes it."""

from __future__ import annotations

from types import TracebackType
from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.jobs.ending import finish_one
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

LONGEST_WAIT = 30 * 86_400
"""Seconds that a job may ask to wait before it is tried again."""


class LeaseLost(Exception):
    """Another worker has this job by now; nothing of this attempt stays."""


class Retry(Exception):
    """Raised by a handler: try again after so many seconds; it counts as an attempt."""

    def __init__(self, *, after: float) -> None:
        if not 0 <= after <= LONGEST_WAIT:
            raise ValueError("a job waits up to thirty days")
        self.after = after
        super().__init__(f"again after {after:g} s")


class GiveUp(Exception):
    """Raised by a handler: trying again is useless, and the sentence says why; the job becomes a dead letter."""


class Job:
    """One attempt at a job: its identity, whom it is for, and the works it may open."""

    __slots__ = ("attempt", "call", "completed", "completing", "id", "kind", "worker")

    def __init__(self, runtime: Runtime, claimed: Claimed, worker: UUID) -> None:
        self.id = claimed.id
        self.kind = claimed.kind
        self.attempt = claimed.attempt
        self.worker = worker
        actor = Actor("job", person=claimed.person_id, org=claimed.org_id, name=claimed.kind)
        self.call = Call(runtime, actor, claimed.request_id)
        self.completing = self.completed = False

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

    def work(self, *, reason: str) -> JobWork:
        """The job's own work: its commit completes the job with it, or neither happens."""
        if self.completed:
            raise TypeError("this job is complete; earlier steps take a SystemWork, the last one takes job.work")
        return JobWork(self, reason=reason)


class JobWork(SystemWork):
    """A work whose commit completes its job: the effects of a job are in the database exactly once."""

    __slots__ = ("_job",)

    def __init__(self, job: Job, *, reason: str) -> None:
        super().__init__(job.call, reason=reason)
        self._job = job

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if raised is not None:
            await super().__aexit__(kind, raised, trace)
            return
        self._job.completing = True
        try:
            await self._complete()
            await super().__aexit__(None, None, None)
            self._job.completed = True
        finally:
            self._job.completing = False

    async def _complete(self) -> None:
        # the fence: whoever deletes the run has it. A rescuer that came first leaves nothing to delete, one that comes
        # later waits for our commit and finds nothing
        try:
            if not await finish_one(self, id=self._job.id, attempt=self._job.attempt, worker=self._job.worker):
                raise LeaseLost(f"{self._job.kind} {self._job.id}, attempt {self._job.attempt}")
        except BaseException as error:
            await super().__aexit__(type(error), error, error.__traceback__)
            raise
