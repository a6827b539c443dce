"""What the house does for itself on a schedule, whatever domains there are."""

from __future__ import annotations

from datetime import date

from tenantry.foundation.answers import forget_answers
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data import months
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import Value
from tenantry.foundation.jobs.handler import Job, every
from tenantry.foundation.jobs.trouble import TROUBLE
from tenantry.foundation.jobs.windows import forget_rates, forget_uniques
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.succession import move_along
from tenantry.foundation.security.turns import forget_returned
from tenantry.foundation.work import SystemWork

log = get_logger("tenantry.house")
SWEPT_AT_ONCE = 10_000
"""Rows of rate limits removed in one transaction, at most."""


@every(minutes=10)
async def sweep_limits(job: Job) -> None:
    """Remove the rows of rate limits whose turns are all back."""
    removed = SWEPT_AT_ONCE
    while removed == SWEPT_AT_ONCE:
        async with SystemWork(job.call, reason="a row of a rate limit is nobody's") as work:
            removed = await forget_returned(work, most=SWEPT_AT_ONCE)


@every(minutes=10)
async def sweep_job_limits(job: Job) -> None:
    """Remove what the queue remembers of rates and of unique keys whose time is over."""
    for forget in (forget_rates, forget_uniques):
        removed = SWEPT_AT_ONCE
        while removed == SWEPT_AT_ONCE:
            async with SystemWork(job.call, reason="a window of the queue is nobody's") as work:
                removed = await forget(work, most=SWEPT_AT_ONCE)


@every(hours=1)
async def sweep_answers(job: Job) -> None:
    """Empty the day in which all answers that are kept for idempotency keys are older than a day."""
    async with job.work(reason="what is kept under a digest is nobody's") as work:
        await forget_answers(work)


@every(minutes=10)
async def finish_key_rotation(job: Job) -> None:
    """Move signing keys along whose time has come; begins no rotation."""
    async with job.work(reason="signing keys belong to the house") as work:
        moves = await move_along(work, begin=False)
    moves.tell()


@every(hours=12)
async def keep_months(job: Job) -> None:
    """Make the months ahead of every table that is cut by month, and drop those whose time is over."""
    await upkeep_of_months(job.call)


async def months_at_start(runtime: Runtime) -> None:
    """The same at the start of a worker, which may have been away for long; what fails is left to the schedule."""
    try:
        await upkeep_of_months(Call(runtime, Actor("house", name="months"), str(new_id())))
    except TROUBLE as error:
        log.warning("months could not be looked after", error=type(error).__name__)


class MonthWork(SystemWork):
    """The making or dropping of one month."""

    patience = 31.0
    __slots__ = ()

    def context(self) -> str:
        # moving rows out of the default partition may take longer than a statement usually may
        return f"{system_context()};set local statement_timeout='30s'"


async def upkeep_of_months(call: Call) -> None:
    """Make and drop what is to be, each month in a transaction of its own."""
    for one in months.monthly(call.runtime.settings):
        async with MonthWork(call, reason="tables that are cut by month belong to all", reading=True) as work:
            lacking, over = await months.to_make(work, one), await months.to_drop(work, one)
        for month in lacking:
            await _month(call, "made", one.table, month, months.make)
        for month in over:
            await _month(call, "dropped", one.table, month, months.drop)


async def _month(call: Call, done: str, table: str, month: date, statement: Value[bool]) -> None:
    """One month; one that is in use too long, or cannot be, is left for the next time."""
    try:
        async with MonthWork(call, reason="tables that are cut by month belong to all") as work:
            changed = await statement(work, table=table, month=month)
    except TROUBLE as error:
        why = str(error.__cause__ or error)
        log.warning(f"a month was not {done}, try again later", table=table, month=f"{month:%Y-%m}", why=why)
        return
    if changed:
        log.info(f"a month was {done}", table=table, month=f"{month:%Y-%m}")
