"""The billing periods that usage is summed up for: each moment of an organization lies in one at most.

Whoever bills an organization says which period it is in. One that was begun by the calendar is cut short where that one
begins, and summed up anew from its events; what is closed stays as it is. A moment that lies in none gets its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import many, run, value
from tenantry.foundation.events.log import Position
from tenantry.foundation.work import SystemWork
from tenantry.usage.actions.periods import current_periods
from tenantry.usage.actions.span import Span
from tenantry.usage.models.periods import Period, month_of


class Asked(msgspec.Struct, frozen=True):
    """The period that an organization is billed for."""

    org_id: UUID
    start: datetime
    end: datetime


class Moment(msgspec.Struct, frozen=True):
    """A moment of an organization at which something was used."""

    org_id: UUID
    at: datetime


# one that begins later than it is said to has a closed one before it
differing = many(
    Asked,
    """
    select org_id, start, stop as "end"
      from unnest(:orgs::uuid[], :starts::timestamptz[], :ends::timestamptz[]) as asked (org_id, start, stop)
     where not exists (
           select from tenantry.usage_periods as known
            where known.org_id = asked.org_id
              and known.ended_at = asked.stop
              and (known.started_at = asked.start
                   or known.started_at > asked.start
                      and exists (select from tenantry.usage_periods as before
                                   where before.org_id = known.org_id
                                     and before.closed_at is not null
                                     and before.ended_at = known.started_at)))
     order by org_id
    """,
    not_null=("org_id", "start", "end"),
)

closed_until = value(
    datetime,
    """
    select max(ended_at)
      from tenantry.usage_periods
     where org_id = :org_id
       and closed_at is not null
       and started_at < :end
    """,
)

overlapping = many(
    Period,
    """
    select started_at as start, ended_at as "end"
      from tenantry.usage_periods
     where org_id = :org_id
       and closed_at is null
       and started_at < :end
       and ended_at > :start
     order by started_at
    """,
    not_null=("start", "end"),
)

drop_within = run("""
    delete from tenantry.usage_periods
     where org_id = :org_id
       and closed_at is null
       and started_at >= :start
       and started_at < :end
""")

cut = run("""
    update tenantry.usage_periods
       set ended_at = :start
     where org_id = :org_id
       and closed_at is null
       and started_at < :start
       and ended_at > :start
""")

put = run("insert into tenantry.usage_periods (org_id, started_at, ended_at) values (:org_id, :start, :end)")

forget_totals = run("""
    delete from tenantry.usage_totals
     using tenantry.usage_periods as known
     where known.org_id = usage_totals.org_id
       and known.started_at = usage_totals.started_at
       and known.closed_at is null
       and known.org_id = :org_id
       and known.started_at < :end
       and known.ended_at > :start
""")

count_again = run("""
    insert into tenantry.usage_totals (org_id, started_at, meter, quantity)
    select known.org_id, known.started_at, meter, least(sum(quantity), 9007199254740991)
      from tenantry.usage_periods as known
      join tenantry.usage_events as used on used.org_id = known.org_id
       and at >= known.started_at
       and at < known.ended_at
     where known.org_id = :org_id
       and known.closed_at is null
       and known.started_at < :end
       and known.ended_at > :start
       and (epoch, tx, id) <= (:to_epoch::integer, :to_tx::xid8, :to_id::bigint)
     group by 1, 2, 3
""")

# the first moment of each organization that lies in no period; within two moments, where they are given
uncovered = many(
    Moment,
    """
    select distinct on (org_id) org_id, at
      from tenantry.usage_events as used
     where org_id = any (:orgs::uuid[])
       and (epoch, tx, id) > (:epoch::integer, :tx::xid8, :id::bigint)
       and (epoch, tx, id) <= (:to_epoch::integer, :to_tx::xid8, :to_id::bigint)
       and (:start::timestamptz is null or at >= :start)
       and (:end::timestamptz is null or at < :end)
       and not exists (select from tenantry.usage_periods as known
                        where known.org_id = used.org_id
                          and known.started_at <= at
                          and known.ended_at > at)
     order by org_id, at
    """,
)

# no longer than the gap that the moment lies in
put_around = run("""
    insert into tenantry.usage_periods (org_id, started_at, ended_at)
    select org_id,
           greatest(start, (select max(ended_at)
                              from tenantry.usage_periods as before
                             where before.org_id = new.org_id
                               and before.ended_at <= new.at)),
           least(stop, (select min(started_at)
                          from tenantry.usage_periods as after
                         where after.org_id = new.org_id
                           and after.started_at > new.at))
      from unnest(:orgs::uuid[], :ats::timestamptz[], :starts::timestamptz[], :ends::timestamptz[])
           as new (org_id, at, start, stop)
""")


async def align(work: SystemWork, orgs: Sequence[UUID], cursor: Position) -> None:
    """Have the periods that these organizations are billed for now; the cursor's row is held."""
    billed = await current_periods.ask(work, orgs, work.runtime.clock.now())
    if not billed:
        return
    starts, ends = [one.start for one in billed.values()], [one.end for one in billed.values()]
    for asked in await differing(work, orgs=list(billed), starts=starts, ends=ends):
        await _begin(work, asked.org_id, Period(asked.start, asked.end), cursor)


async def cover(
    work: SystemWork, orgs: Sequence[UUID], span: Span, *, start: datetime | None = None, end: datetime | None = None
) -> None:
    """Have a period for each moment at which something of this span was used."""
    given: dict[str, Any] = {"orgs": orgs, "start": start, "end": end, **span.given()}
    while moments := await uncovered(work, **given):
        billed = await current_periods.ask(work, [one.org_id for one in moments], work.runtime.clock.now())
        periods = [_around(one, billed.get(one.org_id)) for one in moments]
        await put_around(
            work,
            orgs=[one.org_id for one in moments],
            ats=[one.at for one in moments],
            starts=[one.start for one in periods],
            ends=[one.end for one in periods],
        )


async def _begin(work: SystemWork, org_id: UUID, asked: Period, cursor: Position) -> None:
    """Have this period, as far as it is not closed, and all that it takes from others summed up anew."""
    floor = await closed_until(work, org_id=org_id, end=asked.end)
    start = asked.start if floor is None else max(asked.start, floor)
    if start >= asked.end:
        return
    given = {"org_id": org_id, "start": start, "end": asked.end}
    taken = await overlapping(work, **given)
    wide = Period(min([start, *(one.start for one in taken)]), max([asked.end, *(one.end for one in taken)]))
    await drop_within(work, **given)
    await cut(work, org_id=org_id, start=start)
    await put(work, **given)
    await cover(work, [org_id], Span.folded(cursor), start=wide.start, end=wide.end)
    await _sum_again(work, org_id, wide, cursor)


async def _sum_again(work: SystemWork, org_id: UUID, within: Period, cursor: Position) -> None:
    given = {"org_id": org_id, "start": within.start, "end": within.end}
    await forget_totals(work, **given)
    upto = {"to_epoch": cursor.epoch, "to_tx": cursor.tx, "to_id": cursor.id}
    await count_again(work, **given, **upto)


def _around(one: Moment, billed: Period | None) -> Period:
    return billed if billed is not None and billed.holds(one.at) else month_of(one.at)
