"""Where consumers stand: the statements on their rows. Whoever holds a row's lock is the one that reads for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, maybe, run, values
from tenantry.foundation.events.log import Position

PASSED_AT_ONCE = 200
"""Events that no consumer asked for, which may lie between where it stands and the end of the log."""


class Due(msgspec.Struct, frozen=True):
    """A generation of a consumer: whether there is something to do for it, and whether something is held back."""

    name: str
    generation: int
    state: str
    due: bool
    held: bool


# The place moves only for what is wanted or has become long; so what nobody wants costs no write for each of them.
# One that builds is due even at the end of the log: it waits for the moment to take over.
due = many(
    Due,
    """
    with horizon as (
        select tenantry.epoch() as epoch, pg_snapshot_xmin(pg_current_snapshot()) as tx
    )
    select place.name, place.generation, place.state,
           place.state <> 'live' or ahead.wanted > 0 or ahead.seen >= :passed::integer as due,
           exists (select from tenantry.events
                    where (events.epoch, events.tx) >= (horizon.epoch, horizon.tx)
                      and (asked.kinds is null or events.kind = any (string_to_array(asked.kinds, ',')))) as held
      from horizon
     cross join unnest(:names::text[], :kinds::text[]) as asked (name, kinds)
      join tenantry.consumers as place on place.name = asked.name
     cross join lateral (
           select count(*) as seen,
                  count(*) filter (where asked.kinds is null or kind = any (string_to_array(asked.kinds, ',')))
                      as wanted
             from (select events.kind
                     from tenantry.events
                    where (events.epoch, events.tx, events.id) > (place.epoch, place.tx, place.id)
                      and (events.epoch, events.tx) < (horizon.epoch, horizon.tx)
                    order by events.epoch, events.tx, events.id
                    limit :passed::integer) as next) as ahead
     where place.paused_at is null
       and (place.next_try_at is null or place.next_try_at <= tenantry.now())
     order by place.name, place.generation
    """,
    not_null=("due",),
)

known = values(str, "select distinct name from tenantry.consumers where name = any (:names::text[])")

# two that begin the same consumer at once: the index decides, and both go on
begin = run(
    """
    insert into tenantry.consumers (name, state, epoch, tx, id)
    select :name::text, 'live', :epoch::integer, :tx::xid8, :id::bigint
     where not exists (select from tenantry.consumers where name = :name::text)
        on conflict do nothing
    """
)


class Place(msgspec.Struct, frozen=True):
    """Where a generation stands, its row locked."""

    state: str
    epoch: int
    tx: int
    id: int
    careful_until: str | None
    failures: int

    @property
    def position(self) -> Position:
        """How far it has read."""
        return Position(self.epoch, self.tx, self.id)

    @property
    def careful(self) -> bool:
        """Whether it is given one event at a time."""
        return self.careful_until is not None and self.position < Position.read(self.careful_until)


take = maybe(
    Place,
    """
    select state, epoch, tx, id, careful_until, failures
      from tenantry.consumers
     where name = :name and generation = :generation
       and paused_at is null
       and (next_try_at is null or next_try_at <= tenantry.now())
       for update skip locked
    """,
)


class Live(msgspec.Struct, frozen=True):
    """The generation that is read in, its row locked."""

    generation: int
    epoch: int
    tx: int
    id: int
    paused_at: datetime | None

    @property
    def position(self) -> Position:
        """How far it has read."""
        return Position(self.epoch, self.tx, self.id)


take_live = maybe(
    Live,
    """
    select generation, epoch, tx, id, paused_at
      from tenantry.consumers
     where name = :name and state = 'live'
       for update skip locked
    """,
)

move = run(
    """
    update tenantry.consumers
       set epoch = :epoch::integer, tx = :tx::xid8, id = :id::bigint, moved_at = tenantry.now(), failures = 0,
           next_try_at = null, failed_at = null, failed_event = null, error = null, careful_until = :careful_until::text
     where name = :name and generation = :generation
    """
)

# fenced by the place: whoever went on meanwhile did not fail
fail = run(
    """
    update tenantry.consumers
       set failures = failures + 1, next_try_at = tenantry.now() + :wait::double precision * interval '1 second',
           error = :error, careful_until = coalesce(:careful_until::text, careful_until), failed_at = :failed_at::text,
           failed_event = :failed_event::uuid
     where name = :name and generation = :generation
       and (epoch, tx, id) = (:epoch::integer, :tx::xid8, :id::bigint)
    """
)

# before the other, because only one may be live at any instant; both rows are locked
retire = run(
    "update tenantry.consumers set state = 'retiring', failures = 0, next_try_at = null, paused_at = null"
    " where name = :name and generation = :generation"
)
# who was held stays held
enliven = run(
    "update tenantry.consumers set state = 'live', paused_at = :paused_at::timestamptz"
    " where name = :name and generation = :generation"
)
leave = run("delete from tenantry.consumers where name = :name and generation = :generation and state = 'retiring'")

rebuild = run(
    """
    insert into tenantry.consumers (name, generation, state, epoch, tx, id)
    select name, max(generation) + 1, 'building', 0, '0'::xid8, 0
      from tenantry.consumers
     where name = :name
     group by name
    having bool_and(state <> 'building')
        on conflict do nothing
    """
)
give_up_building = run(
    """
    update tenantry.consumers
       set state = 'retiring', failures = 0, next_try_at = null, paused_at = null
     where name = :name and state = 'building'
    """
)
pause = run("update tenantry.consumers set paused_at = tenantry.now() where name = :name and paused_at is null")
resume = run("update tenantry.consumers set paused_at = null where name = :name and paused_at is not null")


class Stuck(msgspec.Struct, frozen=True):
    """A generation that fails on one event, its row locked."""

    generation: int
    failed_at: str
    failed_event: UUID


take_stuck = maybe(
    Stuck,
    """
    select generation, failed_at, failed_event
      from tenantry.consumers
     where name = :name and failed_at is not null and failed_event is not null and state <> 'retiring'
     order by generation
     limit 1
       for update
    """,
    not_null=("failed_at", "failed_event"),
)

pass_over = run(
    """
    update tenantry.consumers
       set epoch = :epoch::integer, tx = :tx::xid8, id = :id::bigint, moved_at = tenantry.now(), failures = 0,
           next_try_at = null, failed_at = null, failed_event = null, error = null,
           skipped = (array[failed_event] || skipped)[1:100]
     where name = :name and generation = :generation
    """
)


class Standing(msgspec.Struct, frozen=True):
    """How a generation of a consumer stands: state, how far behind (up to 10,000 counted), and what it fails on."""

    name: str
    generation: int
    state: str
    paused_at: datetime | None
    behind: int
    lag: float
    failures: int
    failed_at: str | None
    failed_event: UUID | None
    error: str | None
    next_try_at: datetime | None
    skipped: list[UUID]


standing = many(
    Standing,
    """
    select place.name, place.generation,
           case when place.state = 'retiring' then place.state
                when place.paused_at is not null then 'paused'
                when place.failed_event is not null and place.failures >= :stuck_after::integer then 'stuck'
                when place.failures > 0 then 'failing'
                else place.state end as state,
           place.paused_at, ahead.behind,
           coalesce(extract(epoch from greatest(tenantry.now() - ahead.oldest, interval '0')), 0)::double precision
               as lag,
           place.failures, place.failed_at, place.failed_event, place.error, place.next_try_at, place.skipped
      from tenantry.consumers as place
      left join unnest(:names::text[], :kinds::text[]) as asked (name, kinds) using (name)
     cross join lateral (
           select count(*) as behind, min(at) as oldest
             from (select events.kind, events.at
                     from tenantry.events
                    where (events.epoch, events.tx, events.id) > (place.epoch, place.tx, place.id)
                    order by events.epoch, events.tx, events.id
                    limit 10000) as next
            where place.state <> 'retiring'
              and (asked.kinds is null or kind = any (string_to_array(asked.kinds, ',')))) as ahead
     order by place.name, place.generation
    """,
    not_null=("state", "lag"),
)
