"""Forgetting an organization: every table with an `org_id` is emptied of it, a batch and a table at a time.

A domain's manifest gives a statement for each of its tables that may hold many rows of one organization, or that no
foreign key leads away from; it takes `:org_id` and `:most`. What a cascade from `orgs` empties needs none; a test
reads the database's catalogue and fails for a table that has neither. Not here: when an organization is purged.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.sql import Run, run
from tenantry.foundation.work import SystemWork

FORGOTTEN_AT_ONCE = 2_000
"""Rows removed by one statement, so that it stays far below the limit on statements however many there are."""
# each batch finds its rows by an index, whatever share of a table they are: a table read whole for each would take
# the square of its size
_PLANS = (
    "set local enable_seqscan=off;set local enable_bitmapscan=off;set local enable_hashjoin=off;"
    "set local enable_mergejoin=off;set local enable_sort=off;set local jit=off"
)


class ForgettingWork(SystemWork):
    """One batch of forgetting."""

    __slots__ = ()

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"


# Due ones stand in their lane, in each queue and priority that there is; later ones have an index of their own.
forget_jobs = run("""
    with recursive served as (
        (select queue, priority from tenantry.jobs where due order by queue, priority limit 1)
         union all
        select next.*
          from served
         cross join lateral (
               select jobs.queue, jobs.priority
                 from tenantry.jobs
                where jobs.due and (jobs.queue, jobs.priority) > (served.queue, served.priority)
                order by jobs.queue, jobs.priority
                limit 1) as next
    ), theirs as (
        (select job.id
           from served
          cross join lateral (
                select jobs.id
                  from tenantry.jobs
                 where jobs.due and jobs.queue = served.queue and jobs.priority = served.priority
                   and jobs.lane = :org_id
                 limit :most) as job
          limit :most)
          union all
        (select id from tenantry.jobs where not due and org_id = :org_id limit :most)
    )
    delete from tenantry.jobs where id = any (array(select id from theirs limit :most))
""")

# as many as run at this moment; whoever does one finds at its end that it is no longer theirs
forget_runs = run("""
    delete from tenantry.job_runs
     where id = any (array(select id from tenantry.job_runs where org_id = :org_id limit :most))
""")

forget_dead_letters = run("""
    delete from tenantry.dead_letters
     where id = any (array(select id from tenantry.dead_letters where org_id = :org_id limit :most))
""")

forget_reports = run("""
    delete from tenantry.job_reports
     where (asked_at, id) in (select asked_at, id from tenantry.job_reports where org_id = :org_id limit :most)
""")

forget_events = run("""
    delete from tenantry.events
     where (at, id) in (select at, id from tenantry.events where org_id = :org_id limit :most)
""")

# said as a purge begins: nothing else lets a row go, and whoever verifies the seals finds the reason here
let_audit_go = run("""
    insert into tenantry.audit_horizons as known (whose, kept_from)
    values (:org_id, 'infinity')
        on conflict (whose) do update set kept_from = excluded.kept_from
     where known.kept_from < excluded.kept_from
""")

forget_audit_rows = run("""
    delete from tenantry.audit_log
     where (at, id) in (select at, id from tenantry.audit_log where org_id = :org_id limit :most)
""")

forget_details = run("""
    delete from tenantry.details
     where (row_id, about) in (select row_id, about from tenantry.details where org_id = :org_id limit :most)
""")

forget_usage_keys = run("""
    delete from tenantry.usage_keys
     where org_id = :org_id
       and digest in (select digest from tenantry.usage_keys where org_id = :org_id limit :most)
""")

forget_usage = run("""
    delete from tenantry.usage_events
     where org_id = :org_id
       and (epoch, tx, id) in (select epoch, tx, id from tenantry.usage_events where org_id = :org_id limit :most)
""")

OF_FOUNDATION: Mapping[str, Run] = {
    "jobs": forget_jobs,
    "job_runs": forget_runs,
    "dead_letters": forget_dead_letters,
    "job_reports": forget_reports,
    "events": forget_events,
    "audit_log": forget_audit_rows,
    "details": forget_details,
    "usage_keys": forget_usage_keys,
    "usage_events": forget_usage,
}
"""Jobs first: what one of them has just done is in the events by the time that these are forgotten."""


async def forget_some(work: ForgettingWork, org_id: UUID, *, most: int = FORGOTTEN_AT_ONCE) -> int:
    """Remove up to so many rows of an organization from the first table that has some; 0 when no table has any."""
    for statement in work.runtime.org_tables.values():
        if removed := await statement(work, org_id=org_id, most=most):
            return removed
    return 0
