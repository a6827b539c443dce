"""The worker: claims jobs, has them run, keeps their leases, takes back those of the dead, and leaves in order.

Its loops outlive the database: what cannot be done now is tried again a moment later. A mistake of ours ends the
worker; its leases are handed back and the process that runs it ends with an error.

An idle worker asks one statement a poll, which says whether anything is to be done; it acts on the answer alone. It
sleeps until the next later job is due, so that a delay ends when it should and not at a poll.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import msgspec

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.jobs import metrics
from tenantry.foundation.jobs.crew import Crew
from tenantry.foundation.jobs.ear import Ear
from tenantry.foundation.jobs.ending import Again, Ledger
from tenantry.foundation.jobs.groups import NOWHERE, let_forgotten
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import Claimed, LookWork, QueueWork, become_due, look, release, renew, rescue
from tenantry.foundation.jobs.taking import Taker
from tenantry.foundation.jobs.trouble import TROUBLE, breath, jittered
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")
DUE_AT_ONCE = 1000
"""Later jobs that become due in one transaction, at most, of each queue."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's rhythm, in seconds.

    It looks around each `poll` while nothing runs, each `sweep` while something does, each `blind_poll` when no
    notification would reach it. A lease outlasts two heartbeats that fail, and with a poll it stays below 15 seconds.
    """

    lease: float = 10.0
    heartbeat: float = 3.0
    sweep: float = 2.0
    poll: float = 3.0
    blind_poll: float = 1.0
    grace: float = 25.0
    parting: float = 2.0

    @property
    def youth(self) -> float:
        """How long a run is left alone: what ends before then costs no heartbeat, and none of its leases ends first."""
        return max(0.0, min(self.heartbeat, self.lease - 2.6 * self.heartbeat))


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
        self._taker = Taker(runtime, known.values(), worker=self.id, lease=pace.lease)
        self._ledger = Ledger(runtime, self.id, written=self._written)
        self._crew = Crew(runtime, known, self._ledger, worker=self.id, size=concurrency)
        self._call = self._crew.room_made
        self.ear = Ear(runtime, self._call.set, look=self._look_soon)
        self._look_at = 0.0
        self._group = NOWHERE
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
        while self._taker.more and not claimed:
            claimed = await self._claim(self._batch)
        for job in claimed:
            self._crew.start(job)
        await self._crew.finish(within=60.0)
        await self._ledger.write()
        return len(claimed)

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        return [self.ear.listen(), self._ledger.keep(), self._each(self._pace.heartbeat, self._renew)]

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._call.set()

    async def _claim_until(self, stop: asyncio.Event) -> None:
        eager = True
        while not stop.is_set():
            eager = eager or self._call.is_set()
            self._call.clear()
            try:
                eager = await self._take(stop, eager=eager)
            except TROUBLE as error:
                log.warning("jobs could not be claimed", error=type(error).__name__)
                self._unsure = eager = True
                await breath()
                continue
            if not eager:
                await self._rest()

    async def _take(self, stop: asyncio.Event, *, eager: bool) -> bool:
        """Claim for the room there is and start it; whether to go on at once."""
        if self._unsure:
            await self._hand_back_unknown()
        if time.monotonic() >= self._look_at:
            eager = await self._look() or eager
        room = min(self._crew.room, self._batch)
        if not room or not (eager or time.monotonic() >= self._taker.again_at):
            return False
        for job in await self._claim(room):
            if stop.is_set():
                self._ledger.add(Again(job.id, job.attempt, 0, "its worker stopped", free=True))
            else:
                self._crew.start(job)
        return self._taker.more

    async def _claim(self, room: int) -> list[Claimed]:
        claimed = await self._taker.take(room)
        metrics.claimed.inc(len(claimed))
        metrics.lag.set(max((job.waited for job in claimed), default=0.0))
        return claimed

    async def _look(self) -> bool:
        """See what there is to do, and do it; says whether there is something to claim."""
        async with LookWork(self._runtime, reason="looking at the queues") as work:
            seen = await look(work, queues=self._taker.queues, worker=self.id)
        self._look_at = time.monotonic() + min(self._poll(), max(0.0, seen.next_in or 0.0) or self._pace.poll)
        self._crew.cancel(seen.cancelled)
        found = await self._look_for_due() if seen.next_in is not None and seen.next_in <= 0 else 0
        if seen.lost:
            await self._sweep()
        if seen.held:
            found += await self._let_forgotten()
        return seen.ready or found > 0

    async def _look_for_due(self) -> int:
        async with QueueWork(self._runtime, reason="letting later jobs become due") as work:
            found = await become_due(work, queues=self._taker.queues, most=DUE_AT_ONCE)
        if found >= DUE_AT_ONCE:
            self._look_soon()
        return found

    async def _let_forgotten(self) -> int:
        async with QueueWork(self._runtime, reason="letting forgotten groups go on") as work:
            let, self._group = await let_forgotten(work, after=self._group)
        return let

    def _look_soon(self) -> None:
        self._look_at = 0.0

    def _written(self, soonest: float | None, let: bool) -> None:
        """As endings have been written: others may start in their place, and what was put back may be due soon."""
        if soonest is not None and (at := time.monotonic() + soonest) < self._look_at:
            self._look_at = at
            self._call.set()
        elif let or self._taker.held_up or self._crew.backed_up:
            self._call.set()

    def _poll(self) -> float:
        if not self.ear.listening:
            return jittered(self._pace.blind_poll)
        return jittered(min(self._pace.sweep, self._pace.poll) if len(self._crew) else self._pace.poll)

    async def _rest(self) -> None:
        """Wait for the bell, for room, or for the time to look unasked."""
        metrics.listening.set(self.ear.listening)
        until = min(self._look_at, self._taker.again_at) if self._crew.room else self._look_at
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
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
            held = self._crew.held(older=self._pace.youth)
            if not (runs := [*held, *self._ledger.runs()]):
                return
            ids, attempts = zip(*runs, strict=True)
            async with QueueWork(self._runtime, reason="keeping leases") as work:
                kept = await renew(work, ids=ids, attempts=attempts, lease=self._pace.lease, worker=self.id)
        ours = {(row.id, row.attempt) for row in kept}
        self._crew.drop(job for run, job in held.items() if run not in ours)
        self._crew.cancel(row.id for row in kept if row.cancelled)

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
            known = [*self._crew.held(), *self._ledger.runs()]
            await release(work, worker=self.id, held=[id for id, _ in known])
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
