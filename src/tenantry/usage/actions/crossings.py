"""Crossings: which share of a limit was reached is told once a period, in the commit that reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import values
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import Work
from tenantry.plans.models import Taking
from tenantry.usage.actions.periods import period_of
from tenantry.usage.events import QuotaCrossed
from tenantry.usage.models.quotas import crossed

# no lock: the key decides, and who comes second tells nothing
keep_crossings = values(
    int,
    """
    insert into tenantry.quota_crossings (org_id, limit_key, period_start, allowed, share, used)
    select :org_id, :limit_key, :period_start, :allowed, share, :used
      from unnest(:shares::smallint[]) as share
        on conflict (org_id, limit_key, period_start, allowed, share) do nothing
 returning share
    """,
)


@action(requires=ANYONE, records=QuotaCrossed)
async def tell_crossings(
    work: Work, org_id: UUID, *, limit: str, shares: Sequence[int], since: datetime, used: int, allowed: int
) -> None:
    """Say which shares of a limit are reached in the period that began then; what was said in it is not said again."""
    kept = await keep_crossings(
        work, org_id=org_id, limit_key=limit, period_start=since, allowed=allowed, shares=shares, used=used
    )
    for share in sorted(kept):
        work.record(
            QuotaCrossed(org_id=org_id, limit=limit, share=share, period_start=since, allowed=allowed, used=used)
        )


async def tell_room_taken(work: Work, org_id: UUID, taking: Taking) -> None:
    """Say which shares of a limit on a thing are reached by what is added."""
    shares = crossed(taking.before, taking.after, taking.allowed)
    if shares:
        period = await period_of(work, org_id)
        await tell_crossings(
            work, org_id, limit=taking.limit, shares=shares, since=period.start, used=taking.after,
            allowed=taking.allowed,
        )  # fmt: skip
