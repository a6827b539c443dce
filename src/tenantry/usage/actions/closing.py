"""The end of billing periods: from some time after it on, what comes late for one is an adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, values
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.usage.actions.calendar import align
from tenantry.usage.actions.folding import hold_cursor

GRACE = 3600
"""Seconds after its end until a billing period is closed."""
CLOSED_AT_ONCE = 500
"""Organizations whose periods are closed in one transaction."""

orgs_due = values(
    UUID,
    """
    select distinct org_id
      from tenantry.usage_periods
     where closed_at is null
       and ended_at <= tenantry.now() - :grace::integer * interval '1 second'
     limit :most
    """,
)

close = run("""
    update tenantry.usage_periods
       set closed_at = tenantry.now()
     where org_id = any (:orgs::uuid[])
       and closed_at is null
       and ended_at <= tenantry.now() - :grace::integer * interval '1 second'
""")


@action(requires=HOUSE)
async def close_periods(work: SystemWork) -> int:
    """Close billing periods that are over, once they are as whoever bills says; how many were closed."""
    cursor = await hold_cursor(work)
    orgs: Sequence[UUID] = [] if cursor is None else await orgs_due(work, grace=GRACE, most=CLOSED_AT_ONCE)
    if cursor is None or not orgs:
        return 0
    await align(work, orgs, cursor)
    return await close(work, orgs=orgs, grace=GRACE)
