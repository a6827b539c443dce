"""The worker: claims jobs, has them run, keeps their leases, takes back those of the dead, and leaves in order.

Its loops outlive the database: what cannot be done now is tried again a moment later. A mistake of ours ends the
worker; its leases are handed back and the process that runs it ends with an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs import metrics
from tenantry.foundation.jobs.crew import Crew
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.ending import Again, Ledger
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import Claimed, QueueWork, become_due, claim, release, renew, rescue
from tenantry.foundation.jobs.trouble import TROUBLE, breath, jittered
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")
FIRST_LANE, LAST_LANE = UUID(int=0), 2**128 - 1


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's rhythm, in seconds."""

    lease: float = 60.0
    heartbeat: float = 15.0
    sweep: float = 10.0
    poll: float = 2.0
    blind_poll: float = 1.0
    grace: float = 25.0
    parting: float = 2.0


class Worker:
    """Does the jobs of its handlers, `concurrency` at a time, taken `batch` at a time."""

    def __init__(
        self,
        runtime: Runtime,
        handlers: Iterable[Handler],
        *,
        concurrency: int = 100,
        batch: int = 100,
        pace: Pace = Pace(),  # noqa: B008  (frozen)
    ) -> None:
        known = {handler.kind: handler for handler in handlers}
        self.id = new_id()
        self._runtime = runtime
        self._batch = batch
        self._pace = pace
        self._queues = sorted({"default", *(handler.queue for handler in known.values())})
        self._ledger = Ledger(runtime, self.id)
        self._crew = Crew(runtime, known, self._ledger, worker=self.id, size=concurrency)
        self._call = self._crew.room_made
        self._ear = Ear(runtime, self._call.set)
        self._lane = FIRST_LANE
        self._look_for_due_at = 0.0
        self._unsure = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish what runs within the grace and hand back the rest at once."""
        async with asyncio.TaskGroup() as group:
            waker = group.create_task(self._wake_at(stop))
            loops = [group.create_task(loop) for loop in self._loops()]
            try:
                await self._claim_until(stop)
                await self._crew.finish(within=self._pace.grace)
            finally:
                await self._crew.stop(within=self._pace.parting)
                for task in (waker, *loops):
                    task.cancel()
                await asyncio.wait(loops, timeout=self._pace.parting)
                await self._leave()

    async def once(self) -> int:
        """Do all that is due now, one batch, to its end; says how many jobs that was."""
        await self._look_for_due()
        claimed = await self._claim(self._batch)
        for job in claimed:
            self._crew.start(job)
        await self._crew.finish(within=self._pace.lease)
        await self._ledger.write()
        return len(claimed)

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self._ear.listen(),
            self._ledger.keep(),
            self._each(self._pace.heartbeat, self._renew),
            self._each(self._pace.sweep, self._sweep),
        ]

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._call.set()

    async def _claim_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._call.clear()
            try:
                idle = await self._take(stop)
            except TROUBLE as error:
                log.warning("jobs could not be claimed", error=type(error).__name__)
                self._unsure = True
                await breath()
                continue
            if idle:
                await self._rest()

    async def _take(self, stop: asyncio.Event) -> bool:
        """Claim for the room there is and start it; whether there is nothing more to do for now."""
        if self._unsure:
            await self._hand_back_unknown()
        if time.monotonic() >= self._look_for_due_at:
            await self._look_for_due()
        room = min(self._crew.room, self._batch)
        if not room:
            return True
        claimed = await self._claim(room)
        for job in claimed:
            if stop.is_set():
                self._ledger.add(Again(job.id, job.attempt, 0, "its worker stopped", free=True))
            else:
                self._crew.start(job)
        return len(claimed) < room

    async def _claim(self, room: int) -> list[Claimed]:
        start = self._lane
        claimed = await self._claim_from(start, room)
        if len(claimed) < room and start != FIRST_LANE:
            claimed += await self._claim_from(FIRST_LANE, room - len(claimed))
        metrics.claimed.inc(len(claimed))
        metrics.lag.set(max((job.waited for job in claimed), default=0.0))
        return claimed

    async def _claim_from(self, start: UUID, room: int) -> list[Claimed]:
        async with QueueWork(self._runtime, reason="claiming jobs") as work:
            claimed = await claim(
                work, queues=self._queues, start=start, room=room, lease=self._pace.lease, worker=self.id
            )
        lanes = {job.lane.int for job in claimed}
        # as many lanes as jobs: others may wait behind the last one, and have their turn next time
        self._lane = UUID(int=min(max(lanes) + 1, LAST_LANE)) if len(lanes) >= room else FIRST_LANE
        return claimed

    async def _look_for_due(self) -> None:
        async with QueueWork(self._runtime, reason="letting later jobs become due") as work:
            found = await become_due(work)
        if found < 1000:
            self._look_for_due_at = time.monotonic() + self._poll()

    def _poll(self) -> float:
        return jittered(self._pace.poll if self._ear.listening else self._pace.blind_poll)

    async def _rest(self) -> None:
        """Wait for the bell, for room, or for the time to look unasked."""
        metrics.listening.set(self._ear.listening)
        try:
            async with asyncio.timeout(max(0.0, self._look_for_due_at - time.monotonic())):
                await self._call.wait()
        except TimeoutError:
            return

    async def _each(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        pause = seconds
        while True:
            await asyncio.sleep(jittered(pause))
            try:
                await step()
                pause = seconds
            except TROUBLE as error:
                log.warning("the worker's upkeep failed", step=step.__name__, error=type(error).__name__)
                pause = min(seconds, 1.0)

    async def _renew(self) -> None:
        async with self._ledger.lock:
            held = self._crew.held()
            if not (ids := [*held, *self._ledger.ids()]):
                return
            async with QueueWork(self._runtime, reason="keeping leases") as work:
                kept = {row.id for row in await renew(work, ids=ids, lease=self._pace.lease, worker=self.id)}
        self._crew.drop(job for id, job in held.items() if id not in kept)

    async def _sweep(self) -> None:
        async with QueueWork(self._runtime, reason="taking jobs back from dead workers") as work:
            found = await rescue(work)
        if found.back or found.dead:
            log.warning("jobs taken back from workers that were gone", back=found.back, dead=found.dead)
            metrics.rescued.inc(found.back + found.dead)
            self._runtime.bell.ring()

    async def _hand_back_unknown(self) -> None:
        # a claim may have been committed although its answer was lost; nobody else claims for this worker
        async with self._ledger.lock, QueueWork(self._runtime, reason="handing back what came unseen") as work:
            await release(work, worker=self.id, held=[*self._crew.held(), *self._ledger.ids()])
        self._unsure = False

    async def _leave(self) -> None:
        try:
            async with asyncio.timeout(self._pace.parting):
                await self._ledger.write()
                async with QueueWork(self._runtime, reason="handing back unfinished jobs") as work:
                    handed_back = await release(work, worker=self.id, held=[])
        except TROUBLE as error:
            log.warning("unfinished jobs could not be handed back; their leases end", error=type(error).__name__)
            return
        if handed_back:
            metrics.released.inc(handed_back)
            log.info("unfinished jobs handed back", jobs=handed_back)
            self._runtime.bell.ring()


async def drain_jobs(runtime: Runtime, handlers: Iterable[Handler], *, until_idle: bool = True) -> int:
    """Do the jobs that are due, here and now; until none is left, or one batch. Says how many attempts that took."""
    worker = Worker(runtime, handlers)
    total = done = await worker.once()
    while until_idle and done:
        done = await worker.once()
        total += done
    return total
