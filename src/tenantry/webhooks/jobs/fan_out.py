"""Fanning out: the event log is read for all endpoints of all organizations."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.foundation.events.consumer import ConsumerWork, Logged, consumer
from tenantry.webhooks import actions
from tenantry.webhooks.models import is_told


# from the beginning, because an endpoint may be there before anybody reads: no endpoint is told what was before it
@consumer(picks=is_told, stops=False)
async def fan_out(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Put what happened where it waits to be sent to the endpoints that want to hear of it."""
    await actions.fan_out(work, happened=happened)
