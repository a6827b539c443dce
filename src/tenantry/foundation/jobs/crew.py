"""The crew: runs claimed jobs side by side, up to a number, and says how each ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from uuid import UUID

from tenantry.foundation.jobs import metrics
from tenantry.foundation.jobs.attempt import attempt
from tenantry.foundation.jobs.ending import Ledger, Run
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import Claimed
from tenantry.foundation.jobs.run import Job
from tenantry.foundation.logs import bind_context, get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")


class Crew:
    """Up to `size` jobs at a time; their endings go into the ledger."""

    def __init__(
        self, runtime: Runtime, handlers: Mapping[str, Handler], ledger: Ledger, *, worker: UUID, size: int
    ) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._ledger = ledger
        self._worker = worker
        self._size = size
        # by attempt: a worker that was frozen past a lease may take its own job again while the first still runs
        self._running: dict[Run, tuple[Job, asyncio.Task[None], float]] = {}
        self.room_made = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def room(self) -> int:
        """How many more jobs can run now; none while endings pile up that the database does not take."""
        return 0 if self.backed_up else max(0, self._size - len(self._running))

    @property
    def backed_up(self) -> bool:
        """Whether so many endings wait to be written that no more jobs are started."""
        return len(self._ledger) > 4 * self._size

    def start(self, claimed: Claimed) -> None:
        """Run a job that was claimed."""
        job = Job(self._runtime, claimed, self._worker)
        task = asyncio.get_running_loop().create_task(self._run(claimed, job), name=claimed.kind)
        self._running[claimed.id, claimed.attempt] = job, task, time.monotonic()
        metrics.running.inc()

    def held(self, *, older: float = 0.0) -> dict[Run, Job]:
        """The jobs that run now, and for so many seconds at least."""
        before = time.monotonic() - older
        return {run: job for run, (job, _, since) in self._running.items() if since <= before}

    def drop(self, lost: Iterable[Job]) -> None:
        """Stop jobs whose lease is gone: another worker has them."""
        for job in lost:
            running = self._running.get((job.id, job.attempt))
            # one that ended meanwhile, or is about to commit, is judged by its fence
            if running is not None and not (job.completing or job.completed):
                log.warning(
                    "lease lost",
                    kind=job.kind,
                    job=str(job.id),
                    attempt=job.attempt,
                    request_id=job.request_id,
                )
                metrics.ended.labels(job.kind, "lost").inc()
                running[1].cancel()

    def cancel(self, asked: Iterable[UUID]) -> None:
        """Stop jobs that somebody cancelled; what is about to commit is judged by its fence."""
        ids = set(asked)
        for (id, _), (job, task, _) in self._running.items():
            if id in ids and not (job.cancelled or job.completing or job.completed):
                job.cancelled = True
                task.cancel()

    async def finish(self, *, within: float) -> None:
        """Wait for what runs, so long and no longer."""
        if tasks := [task for _, task, _ in self._running.values()]:
            await asyncio.wait(tasks, timeout=within)

    async def stop(self, *, within: float) -> None:
        """Cut off what still runs."""
        for job, task, _ in list(self._running.values()):
            metrics.ended.labels(job.kind, "cut").inc()
            task.cancel()
        await self.finish(within=within)

    async def _run(self, claimed: Claimed, job: Job) -> None:
        bind_context(request_id=claimed.request_id, job=str(claimed.id), kind=claimed.kind)
        try:
            ending = await attempt(self._handlers, claimed, job)
            if ending is not None:
                try:
                    if job.reporter is not None:
                        await job.reporter.end()
                finally:
                    self._ledger.add(ending)
        finally:
            if job.reporter is not None:
                job.reporter.stop()
            # a place in a limited queue that the handler's own commit gave back is free now
            if len(self._running) >= self._size or (claimed.limited and job.completed):
                self.room_made.set()
            del self._running[claimed.id, claimed.attempt]
            metrics.running.dec()
