"""What a claim from a limited queue asks the database: what runs, which lanes and groups wait, what rates have spent.

How it is judged is in `share`, in which order it is asked in `limited`.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, run, value
from tenantry.foundation.jobs.lease import NEVER_NULL, TAKE, Claimed
from tenantry.foundation.jobs.share import Standing, Waiting

# without a wait for another worker at it, which may be frozen in its transaction
enrol = run("""
    insert into tenantry.job_queues (name)
    select asked.name
      from unnest(:names::text[]) as asked (name)
     where pg_try_advisory_xact_lock(hashtextextended('tenantry.job_queues', 0))
       and not exists (select from tenantry.job_queues where job_queues.name = asked.name)
        on conflict do nothing
""")

enrolled = value(int, "select count(*) from tenantry.job_queues where name = any (:names::text[])")

lock = value(bool, "select paused_at is null from tenantry.job_queues where name = :queue for update skip locked")

standing = many(
    Standing,
    """
    select coalesce(org_id, '00000000-0000-0000-0000-000000000000') as lane, group_key, count(*) as runs
      from tenantry.job_runs
     where limited and queue = :queue
     group by 1, 2
    """,
    not_null=("lane",),
)


class Lane(msgspec.Struct, frozen=True):
    """A lane with jobs of a priority that are due, and how much of the queue it gets, compared with others."""

    priority: int
    lane: UUID
    weight: int


lanes = many(
    Lane,
    """
    with recursive walk as (
        (select priority, lane, 1 as step
           from tenantry.jobs
          where due and queue = :queue and lane >= :start
          order by queue, priority, lane
          limit 1)
         union all
        select next.priority, next.lane, walk.step + 1
          from walk
         cross join lateral (
               select jobs.priority, jobs.lane
                 from tenantry.jobs
                where jobs.due and jobs.queue = :queue and jobs.lane >= :start
                  and (jobs.priority, jobs.lane) > (walk.priority, walk.lane)
                order by jobs.priority, jobs.lane
                limit 1) as next
         where walk.step < :most::integer
    )
    select priority, lane, tenantry.job_weight(lane) as weight from walk
    """,
    not_null=("priority", "lane", "weight"),
)

window = many(
    Waiting,
    """
    select job.id, job.lane, job.priority, job.seq, job.group_key, job.due, job.held
      from unnest(:priorities::smallint[], :lanes::uuid[]) with ordinality as open (priority, lane, place)
     cross join lateral (
           select *
             from tenantry.jobs
            where jobs.due and jobs.queue = :queue and jobs.priority = open.priority and jobs.lane = open.lane
            order by jobs.seq
            limit :most::bigint) as job
    """,
)

# Of each group the first that stand aside, and the very first that does not, whether it is due or later.
members = many(
    Waiting,
    """
    select job.id, job.lane, job.priority, job.seq, job.group_key, job.due, job.held
      from unnest(:lanes::uuid[], :keys::text[], :most::bigint[]) as asked (lane, key, most)
     cross join lateral (
           (select *
              from tenantry.jobs
             where jobs.held and jobs.queue = :queue and jobs.lane = asked.lane and jobs.group_key = asked.key
             order by jobs.seq
             limit asked.most)
            union all
           (select *
              from tenantry.jobs
             where jobs.group_key is not null and not jobs.held and jobs.queue = :queue and jobs.lane = asked.lane
               and jobs.group_key = asked.key
             order by jobs.seq
             limit 1)) as job
    """,
)


class Spent(msgspec.Struct, frozen=True):
    """How many seconds' worth of starts a rate has behind it."""

    scope: str
    lane: UUID
    group_key: str
    spent: float


spent = many(
    Spent,
    """
    select rate.scope, rate.lane, rate.group_key,
           extract(epoch from rate.full_at - tenantry.now())::double precision as spent
      from unnest(:scopes::text[], :lanes::uuid[], :keys::text[]) as asked (scope, lane, key)
     cross join lateral (
           select *
             from tenantry.job_rates
            where job_rates.queue = :queue and job_rates.scope = asked.scope and job_rates.lane = asked.lane
              and job_rates.group_key = asked.key
            limit 1) as rate
    """,
    not_null=("spent",),
)

charge = run(
    """
    insert into tenantry.job_rates as rate (queue, scope, lane, group_key, full_at)
    select :queue, scope, lane, key, tenantry.now() + cost * interval '1 second'
      from unnest(:scopes::text[], :lanes::uuid[], :keys::text[], :costs::double precision[])
           as start (scope, lane, key, cost)
        on conflict (queue, scope, lane, group_key) do update
       set full_at = greatest(rate.full_at, tenantry.now()) + (excluded.full_at - tenantry.now())
    """
)

# The runs that hold the places of groups, locked against their end: it waits for this claim, and then finds whom it
# lets go. One that is ending already is left out, and its group is let be.
fasten = many(
    Standing,
    """
    with fast as (
        select coalesce(org_id, '00000000-0000-0000-0000-000000000000') as lane, group_key
          from tenantry.job_runs
         where limited and queue = :queue and group_key = any (:keys::text[])
           for key share skip locked
    )
    select lane, group_key, count(*) as runs from fast group by 1, 2
    """,
    not_null=("lane",),
)

set_aside = run("update tenantry.jobs set held = true, due = false where id = any (:ids::uuid[]) and due")

put_off = run(
    """
    update tenantry.jobs
       set held = false, due = false, run_at = tenantry.now() + later.wait * interval '1 second'
      from unnest(:ids::uuid[], :waits::double precision[]) as later (id, wait)
     where jobs.id = later.id
    """
)

take = many(Claimed, "with" + TAKE.format(picked=":ids::uuid[]", limited="true", shared_by="1"), not_null=NEVER_NULL)
