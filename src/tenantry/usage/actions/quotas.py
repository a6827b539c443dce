"""Quotas on meters: what is used is counted in the commit that uses it, and refused where the plan allows no more.

One row counts a limit of an organization in one of its periods. Whoever uses something changes it by one statement and
keeps it until the commit, so nobody finds room that somebody else is about to take, and what is rolled back was never
used. Only organizations that have such a limit have such a row; the first use under a limit begins it with what was
used before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tenantry.foundation.data.sql import maybe, one, run, value
from tenantry.foundation.meter import Meter, check_usage, usage_digest
from tenantry.foundation.quota import Quota
from tenantry.foundation.work import Work
from tenantry.plans.actions import hold_count, offer
from tenantry.plans.models import Entitled
from tenantry.plans.queries import entitlements
from tenantry.usage import queries
from tenantry.usage.actions.crossings import tell_crossings
from tenantry.usage.actions.periods import period_of
from tenantry.usage.models.periods import Period
from tenantry.usage.models.quotas import Counted, Limited, Standing, day_of
from tenantry.usage.problems import QuotaReached

TRIES = 6
"""How often a use looks for its counter: in the wrong period, where none is, where somebody has just begun one."""


async def use(work: Work, meter: Meter, *, quantity: int = 1, key: str | None = None) -> None:
    """Use so much of a meter, within what the plan allows: QuotaReached, answered 402, where that is less.

    What is used again under the same key within 35 days is not counted again, and not refused.
    """
    check_usage(quantity, key)
    org_id, quotas = work.call.actor.org, limiting(work, [meter.key])
    if org_id is None or not quotas:
        work.meter(meter, quantity, key=key, counted=True)
    elif key is None and len(quotas) == 1:
        await _count(work, org_id, quotas, quantity)
        work.meter(meter, quantity, counted=True)
    else:
        # what was written before a quota refuses is to be gone, even if somebody forgives the refusal
        async with work.apart():
            if key is not None:
                await _use_once(work, org_id, quotas, meter=meter, quantity=quantity, key=key)
            else:
                await _count(work, org_id, quotas, quantity)
                work.meter(meter, quantity, counted=True)


def limiting(work: Work, meters: Collection[str]) -> list[Quota]:
    """The quotas on these meters, those too that the plan file does not know: another one may, now or later."""
    declared = work.runtime.quotas.values()
    return [one for one in declared if one.meter is not None and one.meter.key in meters]


# at once: only who has the key may count, and of two who come with it the second waits for the first to commit
take_key = value(
    bool,
    """
    insert into tenantry.usage_keys as known (org_id, digest)
    values (:org_id, :digest)
        on conflict (org_id, digest) do update set at = tenantry.now()
     where known.at <= tenantry.now() - interval '35 days'
 returning true
    """,
)
# after it is counted: whoever begins to count counts what is written
keep_keyed = run("""
    insert into tenantry.usage_events (org_id, meter, quantity, key, request_id)
    values (:org_id, :meter, :quantity, :key, :request_id)
""")


async def _use_once(
    work: Work, org_id: UUID, quotas: Sequence[Quota], *, meter: Meter, quantity: int, key: str
) -> None:
    if await take_key(work, org_id=org_id, digest=usage_digest(meter.key, key)):
        await _count(work, org_id, quotas, quantity)
        await keep_keyed(
            work, org_id=org_id, meter=meter.key, quantity=quantity, key=key, request_id=work.call.request_id
        )


async def _count(work: Work, org_id: UUID, quotas: Sequence[Quota], quantity: int) -> None:
    found = await _entitled(work, org_id, quotas)
    for quota in quotas:
        limited = Limited.of(org_id, quota, found)
        if limited is not None:
            await _take(work, limited, quantity, found)
        else:
            await take_freely(work, org_id=org_id, limit_key=quota.limit, quantity=quantity)


hold_uncounted = run("select pg_advisory_xact_lock_shared(hashtextextended(:what, 0))")


async def _entitled(work: Work, org_id: UUID, quotas: Sequence[Quota]) -> Entitled:
    """What the organization may use. Who is free of a limit leaves no count, and is waited for by who begins one."""
    found = await entitlements(work, org_id)
    free = [quota for quota in quotas if found.limit(quota.limit) is None]
    if not free:
        return found
    await hold_free(work, org_id, free)
    # the plan as it is now: whoever began to count in the meantime was given a limit before
    return await entitlements(work, org_id)


async def hold_free(work: Work, org_id: UUID, quotas: Sequence[Quota]) -> None:
    """Keep anybody from beginning to count these until the commit."""
    for quota in quotas:
        await hold_uncounted(work, what=_uncounted(org_id, quota.limit))


def _uncounted(org_id: UUID, limit: str) -> str:
    return f"usage.uncounted {limit} {org_id}"


# whoever was limited before in this period may be again, and is to find what was used meanwhile
take_freely = run("""
    update tenantry.usage_counters
       set used = least(used + :quantity, 9007199254740991)
     where org_id = :org_id
       and limit_key = :limit_key
       and period_start <= tenantry.now()
       and period_end > tenantry.now()
""")

# who waits for the row sees what the one before has left in it
take = maybe(
    Counted,
    """
    update tenantry.usage_counters
       set used = least(used + :quantity, 9007199254740991), period_end = :period_end
     where org_id = :org_id
       and limit_key = :limit_key
       and period_start = :period_start
       and tenantry.now() >= :period_start
       and tenantry.now() < :period_end
       and (:most::bigint is null or used + :quantity <= :most)
 returning used, told, told_of
    """,
)

standing = one(
    Standing,
    """
    select tenantry.now() as at,
           (select used
              from tenantry.usage_counters
             where org_id = :org_id and limit_key = :limit_key and period_start = :period_start) as used
    """,
    not_null=("at",),
)


async def counting(work: Work, limited: Limited) -> Period:
    """Have a counter of the period that it is, and say which."""
    row = {"org_id": limited.org_id, "limit_key": limited.quota.limit}
    period = await stretch_of(work, limited.org_id, limited.quota, work.runtime.clock.now())
    there = await standing(work, **row, period_start=period.start)
    if not period.holds(there.at):
        period = await stretch_of(work, limited.org_id, limited.quota, there.at)
        there = await standing(work, **row, period_start=period.start)
    if there.used is None:
        await _begin(work, limited, period)
    return period


async def _take(work: Work, limited: Limited, quantity: int, found: Entitled) -> None:
    period = await stretch_of(work, limited.org_id, limited.quota, work.runtime.clock.now())
    for _ in range(TRIES):
        row = {"org_id": limited.org_id, "limit_key": limited.quota.limit, "period_start": period.start}
        counted = await take(work, **row, period_end=period.end, quantity=quantity, most=limited.most)
        if counted is not None:
            await tell(work, limited, period.start, counted)
            return
        there = await standing(work, **row)
        if not period.holds(there.at):
            # the moment of a transaction is its beginning, which may lie in the period before
            period = await stretch_of(work, limited.org_id, limited.quota, there.at)
        elif there.used is None:
            await _begin(work, limited, period)
        elif limited.refuses(there.used + quantity):
            told = {"limit": limited.quota.limit, "allowed": limited.allowed, "used": there.used}
            raise QuotaReached(more=told | {"reset": period.end} | await offer(work, limited.org_id, found))
    raise LookupError(f"no counter of {limited.quota.limit} for {limited.org_id}")


async def stretch_of(work: Work, org_id: UUID, quota: Quota, at: datetime) -> Period:
    """The stretch of time that a quota counts in at a moment."""
    return day_of(at) if quota.per == "day" else await period_of(work, org_id, at)


# One that lies across goes on no more, as its period does not: whoever has it is waited for, and whose period it
# becomes again begins it anew. What this work itself has used is written at its commit.
forget_across = run("""
    delete from tenantry.usage_counters
     where org_id = :org_id
       and limit_key = :limit_key
       and period_start <> :start
       and period_start < :end
       and period_end > :start
""")
_BEGIN = """
    insert into tenantry.usage_counters (org_id, limit_key, period_start, period_end, used)
    select :org_id, :limit_key, :start, :end, least(coalesce(sum(quantity), 0) + :unwritten::bigint, 9007199254740991)
      from ({used}) as counted
        on conflict (org_id, limit_key, period_start) do nothing
"""
begin_counting = run(
    _BEGIN.format(used=queries.used_between(org_id=":org_id", meter=":meter", start=":start", end=":end"))
)


async def _begin(work: Work, limited: Limited, period: Period) -> None:
    """Count what was used before anybody counted; a statement after the locks, that sees those it has waited for."""
    row: dict[str, Any] = {"org_id": limited.org_id, "limit_key": limited.quota.limit}
    await hold_count(work, what=_uncounted(limited.org_id, limited.quota.limit))
    await forget_across(work, **row, start=period.start, end=period.end)
    unwritten = work.unwritten(limited.org_id, limited.meter)
    await begin_counting(
        work, **row, meter=limited.meter, start=period.start, end=period.end, unwritten=unwritten
    )  # fmt: skip


set_told = run("""
    update tenantry.usage_counters
       set told = :told, told_of = :told_of
     where org_id = :org_id
       and limit_key = :limit_key
       and period_start = :period_start
""")


async def tell(work: Work, limited: Limited, since: datetime, counted: Counted) -> None:
    """Say which shares of a limit a counter has reached, and that it was said."""
    org_id, limit, allowed = limited.org_id, limited.quota.limit, limited.allowed
    shares = counted.untold(allowed)
    if shares:
        await set_told(work, org_id=org_id, limit_key=limit, period_start=since, told=shares[-1], told_of=allowed)
        await tell_crossings(work, org_id, limit=limit, shares=shares, since=since, used=counted.used, allowed=allowed)
