"""How an organization stands with every quota, in few statements however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from tenantry.foundation.quota import Quota
from tenantry.foundation.work import OrgWork
from tenantry.plans.queries import entitlements
from tenantry.usage import queries
from tenantry.usage.actions.periods import period_of
from tenantry.usage.models.periods import Period
from tenantry.usage.models.quotas import Balance, balance, day_of


async def balances(work: OrgWork) -> list[Balance]:
    """What the work's organization has used of each quota, and how much of it there is, as declared one after another.

    Of a meter that is limited its counter says it; of one that is not, the sums of what was used.
    """
    found = await entitlements(work, work.org)
    quotas = tuple(work.runtime.quotas.values())
    periods = await _periods(work, quotas)
    used = await _things(work, quotas) | await _counted(work, periods)
    used |= await _summed(work, {limit: period for limit, period in periods.items() if limit not in used})
    return [balance(quota, found, used[quota.limit], periods.get(quota.limit)) for quota in quotas]


async def _periods(work: OrgWork, quotas: Sequence[Quota]) -> dict[str, Period]:
    metered = [quota for quota in quotas if quota.meter is not None]
    if not metered:
        return {}
    day, current = day_of(work.runtime.clock.now()), await period_of(work, work.org)
    return {quota.limit: day if quota.per == "day" else current for quota in metered}


async def _things(work: OrgWork, quotas: tuple[Quota, ...]) -> dict[str, int]:
    counted = tuple(quota for quota in quotas if quota.used is not None)
    row = await work.connection.fetchrow(_counts(counted)) if counted else ()
    return {quota.limit: many or 0 for quota, many in zip(counted, row or (), strict=True)}


@cache
def _counts(quotas: tuple[Quota, ...]) -> str:
    """The statements that count things, as one."""
    return "select " + ", ".join(f"({quota.used.sql})" for quota in quotas if quota.used is not None)


async def _counted(work: OrgWork, periods: Mapping[str, Period]) -> dict[str, int]:
    starts = [period.start for period in periods.values()]
    rows = await queries.counters(work, org_id=work.org, limits=list(periods), starts=starts) if periods else []
    return {row.limit_key: row.used for row in rows}


async def _summed(work: OrgWork, periods: Mapping[str, Period]) -> dict[str, int]:
    if not periods:
        return {}
    meters = [quota.meter.key for limit in periods if (quota := work.runtime.quotas[limit]).meter is not None]
    sums = await queries.used_of_each(
        work, org_id=work.org, meters=meters, starts=[one.start for one in periods.values()],
        ends=[one.end for one in periods.values()],
    )  # fmt: skip
    return dict(zip(periods, sums, strict=True))
