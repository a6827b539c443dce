"""Taking jobs and holding them: the statements of claims, leases and rescues. How a run ends is in `ending`.

`due`, `run_at` and delays follow `tenantry.now()`, which a test clock may move; a lease follows `tenantry.tick()`,
which nothing moves.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.sql import many, one, run
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

# the queue's tables grow and shrink too fast for statistics: an old plan that reads a whole table would stay for good
_PLANS = "set local enable_seqscan=off;set local enable_bitmapscan=off;set local enable_sort=off;set local jit=off"


class QueueWork(SystemWork):
    """The queue's own transactions: claims, heartbeats, acknowledgements."""

    __slots__ = ()

    def __init__(self, runtime: Runtime, *, reason: str) -> None:
        super().__init__(Call(runtime, Actor("house", name="jobs"), "jobs"), reason=reason)

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"


class Claimed(msgspec.Struct, frozen=True):
    """A job under a lease, as its worker got it."""

    id: UUID
    kind: str
    version: int
    args: str
    lane: UUID
    org_id: UUID | None
    person_id: UUID | None
    request_id: str
    attempt: int
    max_attempts: int
    asked_at: datetime
    waited: float
    age: float


# Which lanes wait is found by one index probe each (`waiting`), however many jobs stand in them; then each lane gives
# its share, the oldest first, and the row locks decide between workers. The smaller number is the higher priority.
claim = many(
    Claimed,
    """
    with recursive waiting as (
        select head.*
          from unnest(:queues::text[]) as served (queue)
         cross join lateral (
               select jobs.queue, jobs.priority, jobs.lane
                 from tenantry.jobs
                where jobs.due and jobs.queue = served.queue and jobs.lane >= :start
                order by jobs.priority, jobs.lane
                limit 1) as head
         union all
        select next.*
          from waiting
         cross join lateral (
               select jobs.queue, jobs.priority, jobs.lane
                 from tenantry.jobs
                where jobs.due and jobs.queue = waiting.queue and jobs.lane >= :start
                  and (jobs.priority, jobs.lane) > (waiting.priority, waiting.lane)
                order by jobs.priority, jobs.lane
                limit 1) as next
    ), turns as (
        select queue, priority, lane, greatest(1, :room::bigint / count(*) over (partition by priority)) as share
          from (select * from waiting limit :room::bigint) as first
         order by priority
    ), picked as (
        select job.id
          from turns
         cross join lateral (
               select jobs.id
                 from tenantry.jobs
                where jobs.due and jobs.queue = turns.queue and jobs.priority = turns.priority
                  and jobs.lane = turns.lane
                order by jobs.seq
                limit turns.share
                  for update skip locked) as job
         limit :room::bigint
    ), taken as (
        delete from tenantry.jobs where id = any (array(select id from picked)) returning *
    ), begun as (
        insert into tenantry.job_runs (id, asked_at, run_at, leased_until, worker, org_id, person_id, priority, version,
                                       attempt, max_attempts, kind, queue, request_id, unique_key, error, args)
        select id, asked_at, run_at, tenantry.tick() + :lease::double precision * interval '1 second', :worker, org_id,
               person_id, priority, version, attempt + 1, max_attempts, kind, queue, request_id, unique_key, error, args
          from taken
    )
    select id, kind, version, args, lane, org_id, person_id, request_id, attempt + 1 as attempt, max_attempts,
           asked_at, extract(epoch from tenantry.now() - run_at)::double precision as waited,
           extract(epoch from tenantry.now() - asked_at)::double precision as age
      from taken
    """,
    not_null=("waited", "age", "attempt"),
)

become_due = run(
    """
    update tenantry.jobs
       set due = true, seq = default
     where id = any (array(select id
                             from tenantry.jobs
                            where not due and run_at <= tenantry.now()
                            order by run_at
                            limit 1000
                              for update skip locked))
    """
)


class Held(msgspec.Struct, frozen=True):
    """A lease that still stands."""

    id: UUID


renew = many(
    Held,
    """
    update tenantry.job_runs
       set leased_until = tenantry.tick() + :lease::double precision * interval '1 second'
     where id = any (:ids::uuid[]) and worker = :worker
    returning id
    """,
)


class Rescue(msgspec.Struct, frozen=True):
    """What a sweep found: runs whose worker was gone, put back, or dead after their last attempt."""

    back: int
    dead: int


rescue = one(
    Rescue,
    """
    with lost as (
        delete from tenantry.job_runs
         where id = any (array(select id
                                 from tenantry.job_runs
                                where leased_until < tenantry.tick()
                                limit 1000
                                  for update skip locked))
        returning *
    ), back as (
        insert into tenantry.jobs (id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts,
                                   kind, queue, request_id, error, args)
        select id, asked_at, tenantry.now(), org_id, person_id, priority, version, attempt, max_attempts, kind, queue,
               request_id, 'its worker was gone', args
          from lost
         where attempt < max_attempts
        returning id
    ), dead as (
        insert into tenantry.dead_letters (id, asked_at, run_at, org_id, person_id, priority, version, attempt,
                                           max_attempts, kind, queue, request_id, unique_key, reason, args)
        select id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts, kind, queue,
               request_id, unique_key, 'its worker was gone at the last attempt', args
          from lost
         where attempt >= max_attempts
        returning id
    )
    select (select count(*) from back) as back, (select count(*) from dead) as dead
    """,
    not_null=("back", "dead"),
)

# A release is no attempt: the limit moves along instead of the attempt going back, which would break the fence.
# `held` are runs that the worker knows of and keeps; the others came from a claim whose answer never arrived.
release = run(
    """
    with mine as (
        delete from tenantry.job_runs where worker = :worker and id <> all (:held::uuid[]) returning *
    )
    insert into tenantry.jobs (id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts, kind,
                               queue, request_id, error, args)
    select id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts + 1, kind, queue,
           request_id, error, args
      from mine
    """
)
