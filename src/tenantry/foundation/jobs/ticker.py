"""The ticker: asks for each schedule's job once a tick, however many processes run it.

Every process runs one. The row of a schedule holds its last tick, and moving it forward from what was read is what
gives the right to ask for the jobs, in the same statement. So nobody leads, and what is lost is only what nobody was
there for: what becomes of those ticks is the schedule's to say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import many, run
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.lease import LookWork
from tenantry.foundation.jobs.schedule import Schedule
from tenantry.foundation.jobs.trouble import TROUBLE, breath
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")
LONGEST_SLEEP = 30.0
AHEAD = timedelta(hours=1)
"""How far ahead of the clock a last tick may be: farther, a clock was wrong, and the schedule begins anew."""


class Ticked(msgspec.Struct, frozen=True):
    """The database's time, and the last tick of a schedule; none where it was never seen."""

    moment: datetime
    kind: str
    tick: datetime | None


ticked = many(
    Ticked,
    """
    select tenantry.now() as moment, asked.kind, job_schedules.tick
      from unnest(:kinds::text[]) as asked (kind)
      left join tenantry.job_schedules on job_schedules.kind = asked.kind
     order by asked.kind
    """,
    not_null=("kind",),
)

# a schedule that was never seen starts with the next tick, not with one from before it was there
begin = run("insert into tenantry.job_schedules (kind, tick) values (:kind, :tick) on conflict do nothing")

turn = run(
    """
    with turned as (
        update tenantry.job_schedules set tick = :latest where kind = :kind and tick = :seen returning kind
    )
    insert into tenantry.jobs (id, kind, queue, max_attempts, tracked, tick, request_id)
    select missed.id, turned.kind, :queue, :max_attempts::integer, :tracked::boolean, missed.tick, 'tick-' || missed.id
      from turned
     cross join unnest(:ids::uuid[], :ticks::timestamptz[]) as missed (id, tick)
     order by missed.tick
    """
)

pass_over = run("update tenantry.job_schedules set tick = :latest where kind = :kind and tick = :seen")


class Ticker:
    """The schedules among the handlers, and when to look at them next."""

    def __init__(self, runtime: Runtime, handlers: Iterable[Handler]) -> None:
        self._runtime = runtime
        # in one order everywhere: two tickers that lock rows crosswise would wait for each other
        self._scheduled: dict[str, tuple[Handler, Schedule]] = {
            handler.kind: (handler, handler.schedule)
            for handler in sorted(handlers, key=lambda one: one.kind)
            if handler.schedule
        }

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
        waits = [timedelta.max]
        async with LookWork(self._runtime, reason="asking for scheduled jobs") as work:
            for row in await ticked(work, kinds=list(self._scheduled)):
                handler, schedule = self._scheduled[row.kind]
                ticks = [] if row.tick is None else schedule.missed_since(row.tick, row.moment)
                asked += await self._turn(work, handler, schedule, row, ticks)
                behind = bool(ticks) and ticks[-1] < schedule.last(row.moment)
                waits.append(timedelta(0) if behind else schedule.next(row.moment) - row.moment)
        if asked:
            self._runtime.bell.ring()
        return min(waits)

    async def _turn(
        self, work: LookWork, handler: Handler, schedule: Schedule, row: Ticked, ticks: list[datetime]
    ) -> int:
        latest = schedule.last(row.moment)
        if row.tick is None:
            await begin(work, kind=row.kind, tick=latest)
            return 0
        if not ticks:
            if latest > row.tick or _from_the_future(schedule, row.tick, row.moment):
                await pass_over(work, kind=row.kind, seen=row.tick, latest=latest)
            return 0
        return await turn(
            work,
            kind=row.kind,
            seen=row.tick,
            latest=ticks[-1],
            ids=[new_id() for _ in ticks],
            ticks=ticks,
            queue=handler.queue,
            max_attempts=handler.max_attempts,
            tracked=handler.tracked,
        )

    async def _sleep(self, wait: timedelta) -> None:
        # in steps, because a test clock may jump; the process's clock only says when to ask the database
        clock, start, end = self._runtime.clock, self._runtime.clock.now(), time.monotonic() + LONGEST_SLEEP
        while time.monotonic() < end and clock.now() - start < wait:  # noqa: ASYNC110  (a clock has no event)
            await asyncio.sleep(min(1.0, max(0.01, (wait - (clock.now() - start)).total_seconds())))


def _from_the_future(schedule: Schedule, seen: datetime, now: datetime) -> bool:
    return seen > max(schedule.next(now), now + AHEAD)
