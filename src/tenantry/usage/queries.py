"""Reads of usage: sums, each with what is not folded into it yet, in one look, so that nothing is in both."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.data.months import USAGE_KEPT
from tenantry.foundation.data.sql import many, values
from tenantry.foundation.work import Work
from tenantry.usage.models.periods import Period
from tenantry.usage.models.quotas import Kept
from tenantry.usage.models.rollups import LENGTHS, Asked, Differs, Sum

# behind the cursor, as this look sees both: what is read here is in no sum
_TAIL = """
    (usage_events.epoch, usage_events.tx, usage_events.id)
        > ((select epoch from tenantry.usage_cursor), (select tx from tenantry.usage_cursor),
           (select id from tenantry.usage_cursor))
"""
_BY_CLOCK = """
    select meter, date_trunc(:by, start, 'UTC') as start,
           date_trunc(:by, start, 'UTC') + :seconds::integer * interval '1 second' as "end",
           least(sum(quantity), 9007199254740991)::bigint as quantity
      from (select meter, {bucket} as start, quantity
              from tenantry.usage_{bucket}s
             where org_id = :org_id
               and (:meter::text is null or meter = :meter)
               and {bucket} >= :since
               and {bucket} < :until
             union all
            select meter, at, quantity
              from tenantry.usage_events
             where org_id = :org_id
               and (:meter::text is null or meter = :meter)
               and at >= :since
               and at < :until
               and {tail}) as counted
     group by 1, 2
     order by 1, 2
"""
_NEVER_NULL = ("start", "end", "quantity")

by_minute = many(Sum, _BY_CLOCK.format(bucket="minute", tail=_TAIL), not_null=_NEVER_NULL)
by_hour = many(Sum, _BY_CLOCK.format(bucket="hour", tail=_TAIL), not_null=_NEVER_NULL)

# what is in no period that is kept lies in the one that is told of, or in a month of the calendar
_BY_PERIOD = """
    select meter, start, "end", least(sum(quantity), 9007199254740991)::bigint as quantity
      from (select usage_totals.meter, started_at as start, ended_at as "end", usage_totals.quantity
              from tenantry.usage_totals
              join tenantry.usage_periods using (org_id, started_at)
             where org_id = :org_id
             union all
            select usage_events.meter,
                   coalesce(started_at, case when at >= :start and at < :end then :start
                                             else date_trunc('month', at, 'UTC') end),
                   coalesce(ended_at, case when at >= :start and at < :end then :end
                                           else (date_trunc('month', at at time zone 'UTC') + interval '1 month')
                                                at time zone 'UTC' end),
                   usage_events.quantity
              from tenantry.usage_events
              left join tenantry.usage_periods as known
                on known.org_id = usage_events.org_id
               and known.started_at <= at
               and known.ended_at > at
             where usage_events.org_id = :org_id
               and {tail}) as counted
     where (:meter::text is null or meter = :meter)
       and "end" > :since
       and start < :until
     group by 1, 2, 3
     order by 1, 2
"""
by_period = many(Sum, _BY_PERIOD.format(tail=_TAIL), not_null=("meter", *_NEVER_NULL))


async def sums(work: Work, org_id: UUID, asked: Asked, *, current: Period) -> list[Sum]:
    """What an organization used, by bucket; `current` is the billing period that it is in."""
    given = {"org_id": org_id, "meter": asked.meter, "since": asked.within.start, "until": asked.within.end}
    if asked.by == "period":
        return await by_period(work, **given, start=current.start, end=current.end)
    seconds = int(LENGTHS[asked.by].total_seconds())
    return await (by_minute if asked.by == "minute" else by_hour)(work, **given, by=asked.by, seconds=seconds)


orgs_after = values(UUID, "select id from tenantry.orgs where id > :after order by id limit :most")

# Sums and events as one look sees them, up to the cursor. Minutes and hours only as far back as they are kept, and
# nothing that began before the first month of which events are kept whole.
_FOLDED = """
    (usage_events.epoch, usage_events.tx, usage_events.id)
        <= ((select epoch from tenantry.usage_cursor), (select tx from tenantry.usage_cursor),
            (select id from tenantry.usage_cursor))
"""
_EVENTS_KEPT = f"""
    (date_trunc('month', tenantry.now() at time zone 'UTC') - interval '{USAGE_KEPT} months') at time zone 'UTC'
"""
_DIFFERING = """
    with kept as (
        select org_id, meter, {start} as start, quantity
          from {sums}
         where org_id = any (:orgs::uuid[])
           and {start} >= {since}
    ), counted as (
        select usage_events.org_id, meter, {bucket} as start,
               least(sum(quantity), 9007199254740991)::bigint as quantity
          from tenantry.usage_events
          {periods}
         where usage_events.org_id = any (:orgs::uuid[])
           and {bucket} >= {since}
           and {folded}
         group by 1, 2, 3
    )
    select org_id, '{by}' as by, meter, start, kept.quantity as kept, counted.quantity as counted
      from kept
      full join counted using (org_id, meter, start)
     where kept.quantity is distinct from counted.quantity
     order by org_id, meter, start
"""
_TOLD = ("org_id", "by", "meter", "start")


def _by_clock(by: str, hours: int) -> str:
    since = f"greatest(date_trunc('hour', tenantry.now(), 'UTC') - interval '{hours} hours', {_EVENTS_KEPT})"
    return _DIFFERING.format(
        by=by, start=by, sums=f"tenantry.usage_{by}s", bucket=f"date_trunc('{by}', at, 'UTC')", since=since, periods="",
        folded=_FOLDED,
    )  # fmt: skip


differing_minutes = many(Differs, _by_clock("minute", 168), not_null=_TOLD)
differing_hours = many(Differs, _by_clock("hour", 9600), not_null=_TOLD)
# what lies in no period would be in no total: it counts as one of the beginning of its month
differing_totals = many(
    Differs,
    _DIFFERING.format(
        by="period", start="started_at", sums="tenantry.usage_totals",
        bucket="coalesce(started_at, date_trunc('month', at, 'UTC'))", since=_EVENTS_KEPT, folded=_FOLDED,
        periods="""left join tenantry.usage_periods as period
                  on period.org_id = usage_events.org_id and started_at <= at and ended_at > at""",
    ),
    not_null=_TOLD,
)  # fmt: skip
DIFFERENCES = (differing_minutes, differing_hours, differing_totals)


_BETWEEN = """
    select quantity
      from tenantry.usage_hours
     where org_id = {org_id} and meter = {meter} and hour >= {start} and hour + interval '1 hour' <= {end}
     union all
    select quantity
      from tenantry.usage_events
     where org_id = {org_id} and meter = {meter} and at >= {start} and at < {end} and {tail}
     union all
    select quantity
      from tenantry.usage_events
     where org_id = {org_id} and meter = {meter} and at >= {start} and at < {end} and not {tail}
       and (at >= date_trunc('hour', {end}, 'UTC')
            or date_trunc('hour', {start}, 'UTC') <> {start}
               and at < date_trunc('hour', {start}, 'UTC') + interval '1 hour')
"""


def used_between(*, org_id: str, meter: str, start: str, end: str) -> str:
    """What was used between two moments, as SQL: whole hours, what is not folded yet, and the edges of what is."""
    return _BETWEEN.format(org_id=org_id, meter=meter, start=start, end=end, tail=_TAIL)


counters = many(
    Kept,
    """
    select limit_key, period_start, used
      from tenantry.usage_counters
     where org_id = :org_id
       and (limit_key, period_start) in (select limit_key, started_at
                                           from unnest(:limits::text[], :starts::timestamptz[])
                                             as asked (limit_key, started_at))
    """,
)

_OF_EACH = """
    select quantity
      from unnest(:meters::text[], :starts::timestamptz[], :ends::timestamptz[]) with ordinality
        as asked (meter, started_at, ended_at, place)
     cross join lateral (select least(coalesce(sum(quantity), 0), 9007199254740991)::bigint as quantity
                           from ({used}) as counted) as whole
     order by place
"""
# of what nobody counts because nobody limits it
used_of_each = values(
    int,
    _OF_EACH.format(
        used=used_between(org_id=":org_id", meter="asked.meter", start="asked.started_at", end="asked.ended_at")
    ),
)
