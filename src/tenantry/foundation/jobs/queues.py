"""Queues as an operator sees them: how much waits in each, which are paused; pausing and resuming."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tenantry.foundation.data.sql import many, run
from tenantry.foundation.jobs.bell import LOOK
from tenantry.foundation.jobs.cancelling import call_workers
from tenantry.foundation.jobs.queue import LONGEST_NAME
from tenantry.foundation.work import SystemWork

COUNTED = 10_000
"""Jobs that are counted of each sort, at most: more than that is many."""


class Depth(msgspec.Struct, frozen=True):
    """How a queue stands: how many jobs are due, later, held by their group and running, each counted up to 10000."""

    name: str
    due: int
    later: int
    held: int
    running: int
    paused_at: datetime | None


# Names are found by one probe each, in every index that begins with them; nothing is read that is not counted.
depths = many(
    Depth,
    """
    with recursive due as (
        (select queue from tenantry.jobs where due order by queue limit 1)
         union all
        select next.queue
          from due
         cross join lateral (
               select jobs.queue
                 from tenantry.jobs
                where jobs.due and jobs.queue > due.queue
                order by jobs.queue
                limit 1) as next
    ), later as (
        (select queue from tenantry.jobs where not due and not held order by queue limit 1)
         union all
        select next.queue
          from later
         cross join lateral (
               select jobs.queue
                 from tenantry.jobs
                where not jobs.due and not jobs.held and jobs.queue > later.queue
                order by jobs.queue
                limit 1) as next
    ), named as (
        select name from tenantry.job_queues
         union
        select queue from due
         union
        select queue from later
         union
        select unnest(:names::text[])
         union
        select queue from tenantry.job_runs
    )
    select named.name,
           (select count(*) from (select from tenantry.jobs
                                   where due and queue = named.name limit :most::bigint) as counted) as due,
           (select count(*) from (select from tenantry.jobs
                                   where not due and not held and queue = named.name
                                   limit :most::bigint) as counted) as later,
           (select count(*) from (select from tenantry.jobs
                                   where held and queue = named.name limit :most::bigint) as counted) as held,
           (select count(*) from (select from tenantry.job_runs
                                   where queue = named.name limit :most::bigint) as counted) as running,
           job_queues.paused_at
      from named
      left join tenantry.job_queues on job_queues.name = named.name
     order by named.name
    """,
    not_null=("name", "due", "later", "held", "running"),
)

set_paused = run("""
    insert into tenantry.job_queues as known (name, paused_at)
    values (:name, tenantry.now())
        on conflict (name) do update set paused_at = coalesce(known.paused_at, excluded.paused_at)
""")

set_resumed = run("update tenantry.job_queues set paused_at = null where name = :name and paused_at is not null")


async def queues(work: SystemWork, *, names: tuple[str, ...] = ()) -> list[Depth]:
    """Every queue that has jobs or was ever limited or paused, and those named, by name."""
    return await depths(work, names=list(names), most=COUNTED)


async def pause(work: SystemWork, queue: str) -> None:
    """Have nobody claim from a queue from this commit on; what runs goes on, and jobs can be asked for."""
    if not 0 < len(queue) <= LONGEST_NAME:
        raise ValueError(f"a queue's name has 1 to {LONGEST_NAME} characters")
    await set_paused(work, name=queue)


async def resume(work: SystemWork, queue: str) -> bool:
    """Have a queue claimed from again; whether it was paused."""
    if not await set_resumed(work, name=queue):
        return False
    await call_workers(work, what=LOOK)
    return True
