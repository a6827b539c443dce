"""Rebuilding: insights are made anew from the beginning of the log, beside those that are read meanwhile."""

from __future__ import annotations

from tenantry.foundation.action import action
from tenantry.foundation.events import standing
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

CONSUMER = "admin.fold_insights"


@action(requires=HOUSE)
async def rebuild_insights(work: SystemWork) -> bool:
    """Have insights made anew; False where they are being made already, or nothing was ever read."""
    return await standing.rebuild(work, name=CONSUMER) > 0
