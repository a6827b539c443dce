"""The ticker: asks for each schedule's job once a tick, however many processes run it.

Every process runs one. The row of a schedule holds its last tick, and moving it forward is what gives the right to ask
for the job, in the same statement. So nobody leads, and what is lost is only what nobody was there for: of the ticks
missed meanwhile, the latest is made up for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import QueueWork
from tenantry.foundation.jobs.schedule import Schedule
from tenantry.foundation.jobs.trouble import TROUBLE, breath
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")
LONGEST_SLEEP = 30.0

now = value(datetime, "select tenantry.now()")

# a schedule that was never seen starts with the next tick, not with one from before it was there
begin = run("insert into tenantry.job_schedules (kind, tick) values (:kind, :tick) on conflict do nothing")

turn = run(
    """
    with turned as (
        update tenantry.job_schedules set tick = :tick where kind = :kind and tick < :tick returning kind
    )
    insert into tenantry.jobs (id, kind, queue, max_attempts, request_id)
    select :id::uuid, kind, :queue, :max_attempts::integer, :request_id from turned
    """
)


class Ticker:
    """The schedules among the handlers, and when to look at them next."""

    def __init__(self, runtime: Runtime, handlers: Iterable[Handler]) -> None:
        self._runtime = runtime
        # in one order everywhere: two tickers that lock rows crosswise would wait for each other
        self._scheduled = sorted(
            ((handler, handler.schedule) for handler in handlers if handler.schedule),
            key=lambda pair: pair[0].kind,
        )
        self._begun = False

    async def run(self) -> None:
        """Tick until cancelled."""
        while self._scheduled:
            try:
                await self._sleep(await self.tick())
            except TROUBLE as error:
                log.warning("the schedules could not be looked at", error=type(error).__name__)
                await breath()

    async def tick(self) -> timedelta:
        """Ask for what is due by the database's clock; says how long nothing more will be."""
        asked = 0
        async with QueueWork(self._runtime, reason="asking for scheduled jobs") as work:
            moment = await now(work)
            assert moment is not None
            for handler, schedule in self._scheduled:
                asked += await self._turn(work, handler, schedule, moment)
        self._begun = True
        if asked:
            self._runtime.bell.ring()
        return min((schedule.next(moment) - moment for _, schedule in self._scheduled), default=timedelta.max)

    async def _turn(self, work: QueueWork, handler: Handler, schedule: Schedule, moment: datetime) -> int:
        tick, job = schedule.last(moment), new_id()
        if not self._begun:
            await begin(work, kind=handler.kind, tick=tick)
        return await turn(
            work,
            kind=handler.kind,
            tick=tick,
            id=job,
            queue=handler.queue,
            max_attempts=handler.max_attempts,
            request_id=f"tick-{job}",
        )

    async def _sleep(self, wait: timedelta) -> None:
        # in steps, because a test clock may jump; the process's clock only says when to ask the database
        clock, start, end = self._runtime.clock, self._runtime.clock.now(), time.monotonic() + LONGEST_SLEEP
        while time.monotonic() < end and clock.now() - start < wait:  # noqa: ASYNC110  (a clock has no event)
            await asyncio.sleep(min(1.0, max(0.01, (wait - (clock.now() - start)).total_seconds())))
