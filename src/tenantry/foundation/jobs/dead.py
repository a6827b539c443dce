"""Dead letters: jobs that nobody tries again by themselves; looked at, put back into the queue, or dropped.

Each function does one batch in the caller's transaction; whoever has more to do calls it again in another one. A letter
is kept for some months, then its month is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, maybe, run, value
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork

AT_ONCE = 1000
"""Letters in one batch, at most."""


class Letter(msgspec.Struct, frozen=True):
    """A job that died: of which kind, whose, when, after how many attempts, and why; its arguments are JSON."""

    id: UUID
    kind: str
    queue: str
    org_id: UUID | None
    person_id: UUID | None
    attempt: int
    asked_at: datetime
    died_at: datetime
    request_id: str
    reason: str
    args: str


class Death(msgspec.Struct, frozen=True):
    """Where a letter stands among the others."""

    id: UUID
    died_at: datetime


newest_letters = many(
    Letter,
    """
    select id, kind, queue, org_id, person_id, attempt, asked_at, died_at, request_id, reason, args
      from tenantry.dead_letters
     where (:kind::text is null or kind = :kind)
       and (:org_id::uuid is null or org_id = :org_id)
       and (died_at, id) < (coalesce(:after_time, 'infinity'::timestamptz),
                            coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by died_at desc, id desc
     limit :most
    """,
)

death_of = maybe(Death, "select id, died_at from tenantry.dead_letters where id = :id")

count = value(int, "select count(*) from tenantry.dead_letters where kind = :kind")

# The attempt stays what it was, as it is the fence of a lease that may still be out there; what is behind it is spared,
# and the limit moves along. A letter comes back without its unique key, as every job that comes back does, and at the
# end of its lane and group.
REDRIVE = """
    with taken as (
        select died_at, id
          from tenantry.dead_letters
         where {which}
         order by died_at, id
         limit 1000
           for update skip locked
    ), back as (
        delete from tenantry.dead_letters as letter
         using taken
         where letter.died_at = taken.died_at and letter.id = taken.id
        returning letter.*
    )
    insert into tenantry.jobs (id, asked_at, run_at, org_id, person_id, priority, version, attempt, max_attempts,
                               spared, kind, queue, request_id, group_key, error, tracked, args)
    select id, asked_at, tenantry.now(), org_id, person_id, priority, version, attempt,
           attempt + greatest(1, max_attempts - spared), attempt, kind, queue, request_id, group_key, reason, tracked,
           args
      from back
"""
redrive_named = run(REDRIVE.format(which="id = any (:ids::uuid[])"))
redrive_kind = run(REDRIVE.format(which="kind = :kind"))

drop_named = run("""
    delete from tenantry.dead_letters
     where (died_at, id) in (select died_at, id from tenantry.dead_letters where id = any (:ids::uuid[]) limit 1000)
""")


async def dead(
    work: SystemWork,
    *,
    kind: str | None = None,
    org: UUID | None = None,
    after: UUID | None = None,
    limit: int = 50,
) -> list[Letter]:
    """The dead letters, the latest death first; of a kind, of an organization, after one that was seen already."""
    place = None if after is None else await death_of(work, id=after)
    if after is not None and place is None:
        raise NotFound(f"There is no dead letter {after} to go on after.")
    return await newest_letters(
        work,
        kind=kind,
        org_id=org,
        after_time=place and place.died_at,
        after_id=place and place.id,
        most=min(limit, AT_ONCE),
    )


async def redrive(work: SystemWork, *, ids: Sequence[UUID] = (), kind: str | None = None) -> int:
    """Put letters back into the queue, by their ids or a batch of a kind; says how many that were.

    Each is tried as often as it was to be from the start. Ring the bell when it is committed.
    """
    if (kind is None) is not bool(ids):
        raise TypeError("dead letters are put back by their ids or by their kind")
    if kind is not None:
        back = await redrive_kind(work, kind=kind)
    else:
        back = await redrive_named(work, ids=_batch(ids))
    _note(work, "house:dead_letters:redriven", back)
    return back


async def drop(work: SystemWork, ids: Sequence[UUID]) -> int:
    """Remove letters for good; says how many that were."""
    gone = await drop_named(work, ids=_batch(ids))
    _note(work, "house:dead_letters:dropped", gone)
    return gone


def _note(work: SystemWork, action: str, letters: int) -> None:
    if letters:
        work.note(action, after={"letters": letters})


def _batch(ids: Sequence[UUID]) -> list[UUID]:
    if len(ids) > AT_ONCE:
        raise ValueError(f"{len(ids)} letters are more than the {AT_ONCE} of one batch")
    return list(ids)
