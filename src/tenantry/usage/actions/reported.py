"""What is reported from outside counts towards quotas as well: past a hard one too, because it has happened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from tenantry.foundation.data.sql import many, value
from tenantry.foundation.quota import Quota
from tenantry.foundation.work import Work
from tenantry.plans.queries import entitlements
from tenantry.usage.actions.quotas import counting, hold_free, limiting, tell
from tenantry.usage.models.periods import Period
from tenantry.usage.models.quotas import Limited, Recounted

last_of_work = value(
    int,
    """
    select coalesce(max(id), 0)
      from tenantry.usage_events
     where org_id = :org_id and epoch = tenantry.epoch() and tx = pg_current_xact_id()
    """,
)

# the rows in order, as all hold them; late ones count for their own period
count_again = many(
    Recounted,
    """
    with held as materialized (
        select period_start, period_end
          from tenantry.usage_counters
         where org_id = :org_id and limit_key = :limit_key
         order by period_start
           for update
    ), reported as (
        select period_start, sum(quantity)::bigint as quantity
          from held
          join tenantry.usage_events on at >= period_start and at < period_end
         where org_id = :org_id
           and epoch = tenantry.epoch()
           and tx = pg_current_xact_id()
           and id > :after
           and meter = :meter
         group by period_start
    )
    update tenantry.usage_counters as counter
       set used = least(used + reported.quantity, 9007199254740991)
      from reported
     where counter.org_id = :org_id
       and counter.limit_key = :limit_key
       and counter.period_start = reported.period_start
 returning counter.period_start, counter.used, counter.told, counter.told_of
    """,
)


@asynccontextmanager
async def counting_reports(work: Work, org_id: UUID, meters: Collection[str]) -> AsyncIterator[None]:
    """Count towards the quotas on these meters what is written as used by whoever comes here."""
    quotas = limiting(work, meters)
    if not quotas:
        yield
        return
    periods = await _counting(work, org_id, quotas)
    await hold_free(work, org_id, quotas)
    after = await last_of_work(work, org_id=org_id) or 0
    yield
    found = await entitlements(work, org_id)
    for quota in quotas:
        rows = await _count_again(work, org_id, quota, after)
        limited, period = Limited.of(org_id, quota, found), periods.get(quota.limit)
        for row in rows:
            if limited is not None and period is not None and row.period_start == period.start:
                await tell(work, limited, row.period_start, row.counted)


async def _counting(work: Work, org_id: UUID, quotas: Sequence[Quota]) -> dict[str, Period]:
    """Have counters of what is limited, which may be used by no other way; each limit's period."""
    found = await entitlements(work, org_id)
    limits = (limited for quota in quotas if (limited := Limited.of(org_id, quota, found)) is not None)
    return {limited.quota.limit: await counting(work, limited) for limited in limits}


async def _count_again(work: Work, org_id: UUID, quota: Quota, after: int) -> Sequence[Recounted]:
    assert quota.meter is not None
    return await count_again(work, org_id=org_id, limit_key=quota.limit, meter=quota.meter.key, after=after)
