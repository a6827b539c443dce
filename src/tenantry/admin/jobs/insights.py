"""Insights follow the log: whatever happened is counted once, in the commit that moves on behind it."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.admin import actions
from tenantry.foundation.events.consumer import ConsumerWork, Logged, consumer


# every kind of event, those of plugins too: somebody was there who did it
@consumer(clear=actions.clear_insights)
async def fold_insights(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Count sign-ups, activity and trials by day, and what organizations pay by the month."""
    await actions.fold_insights(work, happened=happened)
