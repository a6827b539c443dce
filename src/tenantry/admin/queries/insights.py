"""Reads of insights, in the generation that stands; what purged organizations counted for is in generation 0."""

from __future__ import annotations

from datetime import date, timedelta

from tenantry.admin.models.insights import Cohort, Count, Insights, Money, OnPlan, Progress, Total
from tenantry.foundation.data.sql import many, value
from tenantry.foundation.work import SystemWork

SHOWN_DAYS = timedelta(days=30)
"""The days that are shown unless somebody says which."""

today = value(date, "select (tenantry.now() at time zone 'UTC')::date")

# of what happened in an organization, `whose` are organizations; of everything else, people
counts = many(
    Count,
    """
    select day, measure, sum(count)::bigint as times, count(distinct user_id) as whose
      from tenantry.insight_people
     where generation = tenantry.generation('admin.fold_insights')
       and day >= :since and day < :until
     group by day, measure
     union all
    select day, measure, sum(count)::bigint, count(distinct org_id)
      from tenantry.insight_orgs
     where generation in (0, tenantry.generation('admin.fold_insights'))
       and day >= :since and day < :until
     group by day, measure
     order by day, measure
    """,
    not_null=("day", "measure", "times", "whose"),
)

totals = many(
    Total,
    """
    select measure, sum(count)::bigint as times, count(distinct user_id) as whose
      from tenantry.insight_people
     where generation = tenantry.generation('admin.fold_insights')
       and day >= :since and day < :until
     group by measure
     union all
    select measure, sum(count)::bigint, count(distinct org_id)
      from tenantry.insight_orgs
     where generation in (0, tenantry.generation('admin.fold_insights'))
       and day >= :since and day < :until
     group by measure
     order by measure
    """,
    not_null=("measure", "times", "whose"),
)

money = many(
    Money,
    """
    with paying as (
        select currency,
               coalesce(sum(amount) filter (where day < :since), 0) as at_start,
               sum(amount) as at_end,
               coalesce(sum(amount) filter (where day >= :since and sort = 'new'), 0) as new,
               coalesce(sum(amount) filter (where day >= :since and sort = 'expansion'), 0) as expansion,
               coalesce(sum(amount) filter (where day >= :since and sort = 'contraction'), 0) as contraction,
               coalesce(sum(amount) filter (where day >= :since and sort = 'churn'), 0) as churn,
               coalesce(sum(amount) filter (where day >= :since and sort = 'reactivation'), 0) as reactivation
          from tenantry.insight_movements
         where generation in (0, tenantry.generation('admin.fold_insights'))
           and day < :until
         group by currency, org_id
    )
    select currency, sum(at_start)::bigint as at_start, sum(at_end)::bigint as at_end,
           count(*) filter (where at_start > 0) as orgs_at_start, count(*) filter (where at_end > 0) as orgs_at_end,
           sum(new)::bigint as new, sum(expansion)::bigint as expansion, sum(contraction)::bigint as contraction,
           sum(churn)::bigint as churn, sum(reactivation)::bigint as reactivation,
           count(*) filter (where at_start > 0 and at_end = 0) as churned
      from paying
     group by currency
     order by currency
    """,
    not_null=(
        "at_start", "at_end", "orgs_at_start", "orgs_at_end", "new", "expansion", "contraction", "churn",
        "reactivation", "churned",
    ),
)  # fmt: skip

plans = many(
    OnPlan,
    """
    select plan, status, currency, count(distinct org_id) as orgs, sum(monthly)::bigint as monthly
      from tenantry.insight_subscriptions
     where generation = tenantry.generation('admin.fold_insights')
       and status not in ('canceled', 'incomplete_expired', '')
     group by plan, status, currency
     order by plan, status, currency
    """,
    not_null=("orgs", "monthly"),
)

retention = many(
    Cohort,
    """
    with joined as materialized (
        select user_id, date_trunc('week', day::timestamp)::date as week
          from tenantry.insight_people
         where generation = tenantry.generation('admin.fold_insights')
           and measure = 'signups'
           and day >= :since and day < :until
    ), sizes as (
        select week, count(*) as size
          from joined
         group by week
    )
    select week, size, (active.day - week) / 7 as weeks_later, count(distinct user_id) as active
      from joined
      join sizes using (week)
      join tenantry.insight_people as active using (user_id)
     where active.generation = tenantry.generation('admin.fold_insights')
       and active.measure = 'active_users'
       and active.day >= week
     group by week, size, (active.day - week) / 7
     order by week, weeks_later
    """,
    not_null=("week", "size", "weeks_later", "active"),
)

progress = many(
    Progress,
    """
    select place.generation, place.state, place.moved_at, ahead.count as ahead
      from tenantry.consumers as place
     cross join lateral (
           select count(*)
             from (select
                     from tenantry.events
                    where (epoch, tx, id) > (place.epoch, place.tx, place.id)
                    limit 100000) as next) as ahead
     where place.name = 'admin.fold_insights'
       and place.state <> 'retiring'
     order by place.generation
    """,
)


async def span(work: SystemWork, since: date | None, until: date | None) -> tuple[date, date]:
    """The days from `since` on and before `until`: until now, and of thirty days, where that is not said."""
    if until is None:
        now = await today(work)
        assert now is not None
        until = now + timedelta(days=1)
    return since or until - SHOWN_DAYS, until


async def figures(work: SystemWork, since: date, until: date) -> Insights:
    """Everything that is shown of a span of days."""
    days = {"since": since, "until": until}
    return Insights(
        since, until, await totals(work, **days), await money(work, **days), await plans(work),
        await retention(work, **days), await counts(work, **days), await progress(work),
    )  # fmt: skip
