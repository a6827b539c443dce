"""Events of usage become sums: each is added once, in the commit that moves the cursor behind it.

The cursor's row is held while its one reader adds. Only what lies below the horizon is read, where no transaction can
still bring something that comes before; so nothing is skipped, and whoever is killed has added nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, run, values
from tenantry.foundation.events.log import Position, horizon_now
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.usage.actions.calendar import align, cover
from tenantry.usage.actions.span import Span

FOLDED_AT_ONCE = 20_000
"""Events of usage that one transaction adds to the sums."""

hold_cursor = maybe(Position, "select epoch, tx, id from tenantry.usage_cursor for update skip locked")

last_ahead = maybe(
    Position,
    """
    select epoch, tx, id
      from (select epoch, tx, id
              from tenantry.usage_events
             where (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
               and (epoch, tx) < (:below_epoch::integer, :below_tx::xid8)
             order by epoch, tx, id
             limit :most) as ahead
     order by epoch desc, tx desc, id desc
     limit 1
    """,
)

orgs_ahead = values(
    UUID,
    """
    select distinct org_id
      from tenantry.usage_events
     where (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
       and (epoch, tx, id) <= (:to_epoch::integer, :to_tx::xid8, :to_id::bigint)
    """,
)

# an organization that is purged meanwhile is waited for, and what is left of its usage goes into no sum
hold_orgs = values(UUID, "select id from tenantry.orgs where id = any (:orgs::uuid[]) order by id for key share")

# by the minute only what is known by the minute; of a period that is closed, also as an adjustment
add = run("""
    with batch as materialized (
        select org_id, meter, at, quantity
          from tenantry.usage_events
         where (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
           and (epoch, tx, id) <= (:to_epoch::integer, :to_tx::xid8, :to_id::bigint)
           and org_id = any (:orgs::uuid[])
    ), minutes as (
        insert into tenantry.usage_minutes as known (org_id, meter, minute, quantity)
        select org_id, meter, date_trunc('minute', at, 'UTC'), least(sum(quantity), 9007199254740991)
          from batch
         where at >= date_trunc('hour', tenantry.now(), 'UTC') - interval '168 hours'
         group by 1, 2, 3
            on conflict (org_id, meter, minute) do update
           set quantity = least(known.quantity::numeric + excluded.quantity, 9007199254740991)
    ), hours as (
        insert into tenantry.usage_hours as known (org_id, meter, hour, quantity)
        select org_id, meter, date_trunc('hour', at, 'UTC'), least(sum(quantity), 9007199254740991)
          from batch
         group by 1, 2, 3
            on conflict (org_id, meter, hour) do update
           set quantity = least(known.quantity::numeric + excluded.quantity, 9007199254740991)
    ), in_periods as materialized (
        select org_id, started_at, meter, closed_at, least(sum(quantity), 9007199254740991) as quantity
          from batch
          join tenantry.usage_periods using (org_id)
         where at >= started_at
           and at < ended_at
         group by 1, 2, 3, 4
    ), late as (
        insert into tenantry.usage_adjustments (org_id, started_at, meter, quantity)
        select org_id, started_at, meter, quantity
          from in_periods
         where closed_at is not null
           and quantity > 0
    )
    insert into tenantry.usage_totals as known (org_id, started_at, meter, quantity)
    select org_id, started_at, meter, quantity
      from in_periods
        on conflict (org_id, started_at, meter) do update
       set quantity = least(known.quantity::numeric + excluded.quantity, 9007199254740991)
""")

move = run("update tenantry.usage_cursor set epoch = :epoch::integer, tx = :tx::xid8, id = :id::bigint")


@action(requires=HOUSE)
async def fold_usage(work: SystemWork, *, most: int = FOLDED_AT_ONCE) -> bool:
    """Add the next events of usage to the sums; whether there were any, and nobody else is at it."""
    after = await hold_cursor(work)
    upto = None if after is None else await _ahead(work, after, most)
    if after is None or upto is None:
        return False
    batch = Span(after, upto)
    orgs = await hold_orgs(work, orgs=await orgs_ahead(work, **batch.given()))
    await _have_periods(work, orgs, batch)
    await add(work, orgs=orgs, **batch.given())
    await move(work, epoch=upto.epoch, tx=upto.tx, id=upto.id)
    return True


async def _ahead(work: SystemWork, after: Position, most: int) -> Position | None:
    below = await horizon_now(work)
    return await last_ahead(
        work, epoch=after.epoch, tx=after.tx, id=after.id, below_epoch=below.epoch, below_tx=below.tx, most=most
    )


async def _have_periods(work: SystemWork, orgs: Sequence[UUID], batch: Span) -> None:
    await align(work, orgs, batch.after)
    await cover(work, orgs, batch)
