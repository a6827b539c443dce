"""Groups: jobs of one key that go in order or share a limit, and how each gets its turn.

A group's job for which there is no place is set aside (`held`), so that claims need not look at it again. Whoever
ends a run lets the next one of its group be claimed, in the same transaction; the claim, under its queue's lock, judges
alone whether there is a place. So to let one go too many is harmless, and one too few is found by `let_forgotten`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import Connected, many, value

WALKED = 500
"""Groups that are looked at in one transaction, at most."""


class Group(msgspec.Struct, frozen=True):
    """A key within a lane of a queue."""

    queue: str
    lane: UUID
    key: str


NOWHERE = Group("", UUID(int=0), "")
"""Before the first group."""


class Aside(msgspec.Struct, frozen=True):
    """A group with jobs that were set aside, and whether anything will let them go."""

    queue: str
    lane: UUID
    group_key: str
    forgotten: bool

    @property
    def group(self) -> Group:
        """Which group that is."""
        return Group(self.queue, self.lane, self.group_key)


let_next = value(int, "select tenantry.let_next(:queues::text[], :lanes::uuid[], :keys::text[])")

# A few groups at a time, in turn. One where nothing waits in the open and nothing runs has been forgotten: what held it
# up was withdrawn while a claim set the next job aside, or was taken away without a word.
groups_aside = many(
    Aside,
    """
    with recursive aside as (
        (select queue, lane, group_key
           from tenantry.jobs
          where held and (queue, lane, group_key) > (:queue, :lane::uuid, :key)
          order by queue, lane, group_key
          limit 1)
         union all
        select next.*
          from aside
         cross join lateral (
               select jobs.queue, jobs.lane, jobs.group_key
                 from tenantry.jobs
                where jobs.held and (jobs.queue, jobs.lane, jobs.group_key) > (aside.queue, aside.lane, aside.group_key)
                order by jobs.queue, jobs.lane, jobs.group_key
                limit 1) as next
    )
    select few.queue, few.lane, few.group_key, open.number + running.number = 0 as forgotten
      from (select * from aside limit :most::bigint) as few
     cross join lateral (
           select count(*) as number
             from (select
                     from tenantry.jobs
                    where jobs.group_key is not null and not jobs.held and jobs.queue = few.queue
                      and jobs.lane = few.lane and jobs.group_key = few.group_key
                    limit 1) as one) as open
     cross join lateral (
           select count(*) as number
             from (select
                     from tenantry.job_runs
                    where job_runs.limited and job_runs.queue = few.queue
                      and coalesce(job_runs.org_id, '00000000-0000-0000-0000-000000000000') = few.lane
                      and job_runs.group_key = few.group_key
                    limit 1) as one) as running
    """,
    not_null=("queue", "lane", "group_key"),
)


async def let_go(work: Connected, groups: Iterable[Group | None]) -> int:
    """Let the next job of each group be claimed; says how many there were."""
    ended = {group for group in groups if group is not None}
    if not ended:
        return 0
    places = sorted((group.queue, group.lane, group.key) for group in ended)
    queues, lanes, keys = (list(column) for column in zip(*places, strict=True))
    return await let_next(work, queues=queues, lanes=lanes, keys=keys) or 0


async def let_forgotten(work: Connected, *, after: Group, most: int = WALKED) -> tuple[int, Group]:
    """Look at some groups from one on and let the forgotten go; says how many, and where to go on."""
    found: Sequence[Aside] = await groups_aside(work, queue=after.queue, lane=after.lane, key=after.key, most=most)
    let = await let_go(work, [aside.group for aside in found if aside.forgotten])
    return let, found[-1].group if len(found) >= most else NOWHERE
