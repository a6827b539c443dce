"""Where jobs stand, for an operator who looks: waiting, running, dead, or ended with a report. Changes nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, maybe
from tenantry.foundation.work import SystemWork

MOST_SHOWN = 1000
"""Jobs in one look, at most."""
Place = Literal["waiting", "running", "dead", "done", "failed", "cancelled"]


class Standing(msgspec.Struct, frozen=True):
    """A job where it stands; `since` is when it may start, was taken or died, and `why` what its last attempt said."""

    id: UUID
    kind: str
    state: Place
    queue: str
    org_id: UUID | None
    person_id: UUID | None
    priority: int
    attempt: int
    max_attempts: int
    asked_at: datetime
    since: datetime
    request_id: str
    tracked: bool
    why: str | None
    args: str


class Told(msgspec.Struct, frozen=True):
    """What the report of a tracked job says."""

    id: UUID
    kind: str
    state: Place
    org_id: UUID | None
    person_id: UUID | None
    attempt: int
    done: int | None
    total: int | None
    note: str | None
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Shown(msgspec.Struct, frozen=True):
    """All that is known of one job; what is done and was not tracked left nothing."""

    job: Standing | None
    report: Told | None


JOB = """
    select id, kind, 'waiting' as state, queue, org_id, person_id, priority, attempt, max_attempts, asked_at,
           run_at as since, request_id, tracked, error as why, args
      from tenantry.jobs
"""
RUN = """
    select id, kind, 'running' as state, queue, org_id, person_id, priority, attempt, max_attempts, asked_at,
           run_at as since, request_id, tracked, error as why, args
      from tenantry.job_runs
"""
LETTER = """
    select id, kind, 'dead' as state, queue, org_id, person_id, priority, attempt, max_attempts, asked_at,
           died_at as since, request_id, tracked, reason as why, args
      from tenantry.dead_letters
"""
CHOSEN = """
     where (:kind::text is null or kind = :kind)
       and (:queue::text is null or queue = :queue)
       and (:org_id::uuid is null or org_id = :org_id)
     order by id
     limit :most::bigint
"""
FILLED = ("id", "kind", "state", "queue", "priority", "attempt", "max_attempts", "asked_at", "since", "request_id",
          "tracked", "args")  # fmt: skip

# what runs comes first, and then the oldest
oldest_standing = many(
    Standing,
    f"({RUN}{CHOSEN}) union all ({JOB}{CHOSEN}) order by state, id limit :most::bigint",
    not_null=FILLED,
)

standing_of = maybe(
    Standing,
    f"{RUN} where id = :id union all {JOB} where id = :id union all {LETTER} where id = :id limit 1",
    not_null=FILLED,
)

told_of = maybe(
    Told,
    """
    select id, kind, state, org_id, person_id, attempt, done, total, note, asked_at, started_at, ended_at
      from tenantry.job_reports
     where id = :id
    """,
)


async def standing(
    work: SystemWork, *, kind: str | None = None, queue: str | None = None, org: UUID | None = None, limit: int = 50
) -> list[Standing]:
    """Jobs that run or wait, the oldest first: of a kind, in a queue, of an organization."""
    most = min(limit, MOST_SHOWN)
    return await oldest_standing(work, kind=kind, queue=queue, org_id=org, most=most)


async def shown(work: SystemWork, job: UUID) -> Shown:
    """One job where it stands now, and what its report says."""
    return Shown(await standing_of(work, id=job), await told_of(work, id=job))
