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
from tenantry.foundation.jobs.groups import Group
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


class LookWork(QueueWork):
    """The one statement that an idle worker asks; it brings its own plan."""

    __slots__ = ()

    def context(self) -> str:
        return system_context()


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
    tracked: bool = False
    spared: int = 0
    tick: datetime | None = None
    queue: str = "default"
    group_key: str | None = None
    limited: bool = False
    priority: int = 0
    seq: int = 0
    shared_by: int = 1
    """How many lanes the room was shared among: those that had less than their share left some of it to nobody."""

    @property
    def group(self) -> Group | None:
        """The group that waits for its end."""
        return None if self.group_key is None else Group(self.queue, self.lane, self.group_key)


# What every claim does with the jobs that it picked: from one table into the other, under a lease.
TAKE = """
    taken as (
        delete from tenantry.jobs where id = any ({picked}) returning *, {limited} as limited
    ), begun as (
        insert into tenantry.job_runs (id, seq, asked_at, run_at, leased_until, worker, org_id, person_id, priority,
                                       version, attempt, max_attempts, spared, kind, queue, request_id, unique_key,
                                       group_key, tick, limited, error, tracked, args)
        select id, seq, asked_at, run_at, tenantry.tick() + :lease::double precision * interval '1 second', :worker,
               org_id, person_id, priority, version, attempt + 1, max_attempts, spared, kind, queue, request_id,
               unique_key, group_key, tick, limited, error, tracked, args
          from taken
    )
    select id, kind, version, args, lane, org_id, person_id, request_id, attempt + 1 as attempt, max_attempts,
           asked_at, extract(epoch from tenantry.now() - run_at)::double precision as waited,
           extract(epoch from tenantry.now() - asked_at)::double precision as age, tracked, spared, tick, queue,
           group_key, limited, priority, seq, {shared_by} as shared_by
      from taken
"""
NEVER_NULL = ("waited", "age", "attempt", "limited", "shared_by")

# Each lane that waits gives its share, by its weight, the oldest first, and the row locks decide between workers. The
# smaller number is the higher priority.
SHARES = """
    turns as (
        select first.*, greatest(1, :room::bigint * weight / sum(weight) over (partition by priority)) as share
          from (select *, tenantry.job_weight(lane) as weight from waiting limit :room::bigint) as first
         order by priority
    ), picked as (
        select job.id
          from turns
         cross join lateral (
               select jobs.id
                 from tenantry.jobs
                where jobs.due and jobs.queue = turns.queue and jobs.priority = turns.priority
                  and jobs.lane = turns.lane {beyond}
                order by jobs.seq
                limit turns.share
                  for update skip locked) as job
         limit :room::bigint
    ),
"""
TAKE_SHARES = TAKE.format(
    picked="array(select id from picked)",
    limited="group_key is not null",
    shared_by="(select count(*) from turns)::integer",
)

# Which lanes wait is found by one index probe each, however many jobs stand in them.
CLAIM = """
    with recursive waiting as (
        select head.*, served.start
          from unnest(:queues::text[], :starts::uuid[]) as served (queue, start)
         cross join lateral (
               select jobs.queue, jobs.priority, jobs.lane
                 from tenantry.jobs
                where jobs.due and jobs.queue = served.queue and jobs.lane >= served.start
                order by jobs.priority, jobs.lane
                limit 1) as head
         where not exists (select
                             from tenantry.job_queues
                            where job_queues.name = served.queue and job_queues.paused_at is not null)
         union all
        select next.*, waiting.start
          from waiting
         cross join lateral (
               select jobs.queue, jobs.priority, jobs.lane
                 from tenantry.jobs
                where jobs.due and jobs.queue = waiting.queue and jobs.lane >= waiting.start
                  and (jobs.priority, jobs.lane) > (waiting.priority, waiting.lane)
                order by jobs.priority, jobs.lane
                limit 1) as next
    ), {shares}
"""
claim = many(Claimed, CLAIM.format(shares=SHARES.format(beyond="")) + TAKE_SHARES, not_null=NEVER_NULL)

# back at the end of its lane; one of a group keeps its place, so that those behind it stay behind
become_due = run(
    """
    update tenantry.jobs
       set due = true, seq = tenantry.place_of_job(group_key, seq)
     where id = any (array(select later.id
                             from unnest(:queues::text[]) as served (queue)
                            cross join lateral (
                                  select jobs.id
                                    from tenantry.jobs
                                   where not jobs.due and not jobs.held and jobs.queue = served.queue
                                     and jobs.run_at <= tenantry.now()
                                   order by jobs.queue, jobs.run_at
                                   limit :most::bigint
                                     for update skip locked) as later))
    """
)


class Outlook(msgspec.Struct, frozen=True):
    """What an idle worker may have to do: claim, wait for a later job, and look after groups, leases, cancellations."""

    ready: bool
    next_in: float | None
    held: bool
    lost: bool
    cancelled: list[UUID]


look = one(
    Outlook,
    "select ready, next_in, held, lost, cancelled from tenantry.look_at_queues(:queues::text[], :worker::uuid)",
    not_null=("ready", "held", "lost", "cancelled"),
)


class Held(msgspec.Struct, frozen=True):
    """A lease that still stands, and whether its job is to be cancelled."""

    id: UUID
    attempt: int
    cancelled: bool


renew = many(
    Held,
    """
    update tenantry.job_runs as run
       set leased_until = tenantry.tick() + :lease::double precision * interval '1 second'
      from unnest(:ids::uuid[], :attempts::integer[]) as held (id, attempt)
     where run.id = held.id and run.attempt = held.attempt and run.worker = :worker
    returning run.id, run.attempt, run.cancel_asked_at is not null as cancelled
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
        insert into tenantry.jobs (id, seq, asked_at, run_at, org_id, person_id, priority, version, attempt,
                                   max_attempts, spared, kind, queue, request_id, group_key, tick, error, tracked, args)
        select id, tenantry.place_of_job(group_key, seq), asked_at, tenantry.now(), org_id, person_id, priority,
               version, attempt, max_attempts, spared, kind, queue, request_id, group_key, tick, 'its worker was gone',
               tracked, args
          from lost
         where attempt < max_attempts and cancel_asked_at is null
        returning id
    ), dead as (
        insert into tenantry.dead_letters (id, asked_at, run_at, org_id, person_id, priority, version, attempt,
                                           max_attempts, spared, kind, queue, request_id, unique_key, group_key, reason,
                                           tracked, args)
        select id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts, spared, kind, queue,
               request_id, unique_key, group_key, 'its worker was gone at the last attempt', tracked, args
          from lost
         where attempt >= max_attempts and cancel_asked_at is null
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
    insert into tenantry.jobs (id, seq, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts,
                               spared, kind, queue, request_id, group_key, tick, error, tracked, args)
    select id, tenantry.place_of_job(group_key, seq), asked_at, run_at, org_id, person_id, priority, version, attempt,
           max_attempts + 1, spared + 1, kind, queue, request_id, group_key, tick, error, tracked, args
      from mine
     where cancel_asked_at is null
    """
)
