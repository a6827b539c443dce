"""Turns: rate limits counted exactly, in PostgreSQL, however many processes ask.

A row holds the moment at which all turns are back (GCRA): taking one moves it a gap further, and it may not be moved
further than `per` from now. A row whose moment has passed says nothing, as one that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.sql import many, run, value, values
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.limits import Limit, RateLimited
from tenantry.foundation.work import SystemWork, Work

# few rows today may be many before the next statistics: a plan that reads them all would stay until then
_PLANS = "set local enable_seqscan=off;set local enable_hashjoin=off;set local enable_mergejoin=off"


class TurnWork(SystemWork):
    """The transaction in which turns are taken, and nothing else happens."""

    __slots__ = ()

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"


class Spent(msgspec.Struct, frozen=True):
    """A row without a turn left, and in how many seconds it has one."""

    key: str
    wait: float


# What is spent by committed rows is refused without a lock: their moments only move on. Else all rows are moved, in
# one order so that no two requests wait for each other crosswise; what that finds overdrawn, the caller rolls back.
take = many(
    Spent,
    """
    with asked as (
        select key, gap * interval '1 second' as gap, span * interval '1 second' as span
          from unnest(:keys::text[], :gaps::double precision[], :spans::double precision[]) as asked (key, gap, span)
    ), spent as (
        select limits.key, limits.full_at + asked.gap - asked.span as free_at
          from asked
          join tenantry.limits on limits.key = asked.key
         where limits.full_at + asked.gap > tenantry.now() + asked.span
    ), moved as (
        insert into tenantry.limits as kept (key, full_at)
        select key, tenantry.now() + gap
          from asked
         where not exists (select from spent)
         order by key
            on conflict (key) do update
           set full_at = greatest(kept.full_at, tenantry.now()) + (excluded.full_at - tenantry.now())
        returning key, full_at
    ), overdrawn as (
        select moved.key, moved.full_at - asked.span as free_at
          from moved
          join asked on asked.key = moved.key
         where moved.full_at > tenantry.now() + asked.span
    )
    select key, extract(epoch from free_at - tenantry.now())::double precision as wait
      from (select key, free_at from spent union all select key, free_at from overdrawn) as refused
    """,
    not_null=("key", "wait"),
)

# a turn that is being taken keeps its row: what is locked is left for the next sweep
forget = run(
    """
    delete from tenantry.limits
     where key = any (array(select key
                              from tenantry.limits
                             where full_at < tenantry.now()
                             limit :most
                               for update skip locked))
    """
)


async def take_turns(call: Call, asked: Mapping[Limit, str]) -> None:
    """Take a turn of each limit for whom it counts, committed; or none of them, and say in RateLimited how long."""
    if not asked or not counted(call.runtime):
        return
    rows = _rows(call.runtime, asked)
    async with TurnWork(call, reason="turns are counted before anybody is known") as work:
        if refused := await take(work, **_given(rows)):
            # raised inside, so that nothing stays: a refused attempt takes no turn of any limit
            raise RateLimited(spent={rows[row.key]: row.wait for row in refused})


async def spend_turn(work: Work, limit: Limit, subject: str) -> bool:
    """Take a turn in the work's own commit; False when none is left, for who must not be told."""
    return limit in await spend_turns(work, {limit: subject})


wait_for_one = value(
    float,
    """
    select extract(epoch from full_at - tenantry.now())::double precision + :gap::double precision
           - :span::double precision
      from tenantry.limits
     where key = :key
    """,
)


# in the order asked, so that what only this work asks for is held before what others wait for as well
take_each = values(
    str,
    """
    with asked as (
        select key, gap * interval '1 second' as gap, span * interval '1 second' as span, place
          from unnest(:keys::text[], :gaps::double precision[], :spans::double precision[])
               with ordinality as asked (key, gap, span, place)
    )
    insert into tenantry.limits as kept (key, full_at)
    select key, tenantry.now() + gap
      from asked
     order by place
        on conflict (key) do update
       set full_at = greatest(kept.full_at, tenantry.now()) + (excluded.full_at - tenantry.now())
     where greatest(kept.full_at, tenantry.now()) + (excluded.full_at - tenantry.now())
           <= tenantry.now() + (select span from asked where asked.key = excluded.key)
    returning key
    """,
)


async def spend_turns(work: Work, asked: Mapping[Limit, str]) -> set[Limit]:
    """Take a turn of each limit for whom it counts, in the work's own commit; gives the limits that had one left."""
    if not counted(work.runtime):
        return set(asked)
    rows = _rows(work.runtime, asked)
    taken = await take_each(work, **_given(rows))
    return {rows[key] for key in taken}


async def spent(work: Work, limit: Limit, subject: str) -> RateLimited:
    """The refusal of a limit without a turn left, with how long to wait for one."""
    key, gap, span = work.runtime.buckets.name(limit, subject), limit.gap.total_seconds(), limit.per.total_seconds()
    return RateLimited(spent={limit: await wait_for_one(work, key=key, gap=gap, span=span) or 1.0})


def _rows(runtime: Runtime, asked: Mapping[Limit, str]) -> dict[str, Limit]:
    return {runtime.buckets.name(limit, subject): limit for limit, subject in asked.items()}


def _given(rows: Mapping[str, Limit]) -> dict[str, list[Any]]:
    """What the statements ask of each row: its key, and in seconds its limit's gap and span."""
    return {
        "keys": list(rows),
        "gaps": [limit.gap.total_seconds() for limit in rows.values()],
        "spans": [limit.per.total_seconds() for limit in rows.values()],
    }


async def forget_returned(work: SystemWork, *, most: int) -> int:
    """Remove rows whose turns are all back; says how many."""
    return await forget(work, most=most)


def counted(runtime: Runtime) -> bool:
    """Whether turns are counted here; only development may say no."""
    return runtime.settings.rate_limits != "off"
