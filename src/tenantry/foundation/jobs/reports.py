"""Reports: how a job stands that somebody waits for, and how far it says it is.

A job that is asked for as tracked has a row here from its commit on; no other job has, or pays for it. Where the job
stands (waiting, running, done, failed, cancelled) is written by the moves of the queue themselves, in the schema, so
that it is true at every commit. Here is what the job says meanwhile. Not here: who may read it.
"""

from __future__ import annotations

import asyncio
import re
import time

import msgspec

from tenantry.foundation.data.sql import Connected, Run, run
from tenantry.foundation.jobs.lease import Claimed, QueueWork
from tenantry.foundation.jobs.trouble import TROUBLE
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

BETWEEN = 1.0
"""Seconds between two writes of what one job says, at least."""
LONGEST_NOTE, MOST = 200, 2**53 - 1
"""Characters of a note, and what `done` and `total` count to."""
PATIENCE = 5.0
"""Seconds for one write."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
log = get_logger("tenantry.jobs")

# fenced: an attempt that is over by now, or another worker's, finds no row
tell = run(
    """
    update tenantry.job_reports
       set done = :done, total = :total, note = :note
     where asked_at = :asked_at and id = :id and attempt = :attempt and state = 'running'
    """
)

# in the commit that ends the run, which was the fence, and after it: a rescuer too takes the run before its report
tell_at_end = run(
    """
    update tenantry.job_reports
       set done = :done, total = :total, note = :note
     where asked_at = :asked_at and id = :id and attempt = :attempt
    """
)


class Progress(msgspec.Struct, frozen=True):
    """How far a job is: so many of so many, and a few words that anybody in the organization may read."""

    done: int | None
    total: int | None
    note: str | None

    @classmethod
    def of(cls, done: int | None, total: int | None, note: str) -> Progress:
        """What a handler said; a long note is cut, because it is no reason to fail."""
        if any(number is not None and not 0 <= number <= MOST for number in (done, total)):
            raise ValueError("a job counts what is done, and in total, from 0 up")
        return cls(done, total, _CONTROLS.sub(" ", note).strip()[:LONGEST_NOTE] or None)


class Reporter:
    """Writes what one attempt says, at most once a second; what it said last is written before its end."""

    def __init__(self, runtime: Runtime, claimed: Claimed) -> None:
        self._runtime = runtime
        self._claimed = claimed
        self._unsaid: Progress | None = None
        self._next = 0.0
        self._later: asyncio.Task[None] | None = None
        self._waiting = False
        self._turn = asyncio.Lock()
        # inside the job's own work a second connection is taken only if it is free: else those who hold one each would
        # wait for another one of each other, and the commit says it too
        self.inside = False

    async def say(self, progress: Progress) -> None:
        """Say how far the job is: now, or when a second has passed since it last did."""
        self._unsaid = progress
        if self._waiting or not self._may_write():
            return
        if (wait := self._next - time.monotonic()) <= 0:
            await self._write()
        else:
            self._waiting = True
            self._later = asyncio.get_running_loop().create_task(self._write_after(wait))

    async def end(self) -> None:
        """Write what was said last, now that the attempt is over."""
        if self._waiting:
            self.stop()
        await self._write()

    async def end_in(self, work: Connected) -> None:
        """Write what was said last in the transaction that ends the run."""
        await self._tell(tell_at_end, work)

    def stop(self) -> None:
        """Write nothing any more by itself."""
        self._waiting = False
        if self._later is not None:
            self._later.cancel()

    async def _write_after(self, wait: float) -> None:
        await asyncio.sleep(wait)
        self._waiting = False
        if self._may_write():
            await self._write()

    def _may_write(self) -> bool:
        pool = self._runtime.database.pool
        return not self.inside or pool.in_use < pool.size

    async def _write(self) -> None:
        # one after the other, so that what was said last is what stays
        async with self._turn:
            if (said := self._unsaid) is None:
                return
            self._next = time.monotonic() + BETWEEN
            try:
                async with (
                    asyncio.timeout(PATIENCE),
                    QueueWork(self._runtime, reason="a job says how far it is") as work,
                ):
                    await self._tell(tell, work)
                if self._unsaid is said:
                    self._unsaid = None
            except (*TROUBLE, TimeoutError) as error:
                # how far a job is, is worth no failure of it; what was said stays for the next time
                log.warning(
                    "a job's progress could not be written", error=type(error).__name__, job=str(self._claimed.id)
                )

    async def _tell(self, statement: Run, work: Connected) -> None:
        said, claimed = self._unsaid, self._claimed
        if said is None:
            return
        named = {"id": claimed.id, "asked_at": claimed.asked_at, "attempt": claimed.attempt}
        await statement(work, **named, **msgspec.structs.asdict(said))
