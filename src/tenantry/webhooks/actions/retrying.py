"""Retrying: one delivery again, now, its schedule from the beginning.

What waits is held before the delivery and its lane, in the order in which the sender writes down what came of it.
"""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import OrgWork, SystemWork, Work
from tenantry.webhooks import queries
from tenantry.webhooks.actions.standing import require_enabled
from tenantry.webhooks.events import DeliveryRetried
from tenantry.webhooks.models import Delivery
from tenantry.webhooks.permissions import WEBHOOKS_WRITE

# whoever writes down its last attempt at this moment is waited for: how many there were is read after that
hold_due = run("""
    select
      from tenantry.webhook_due
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id = :event_id
       for update
""")
put_due = run("""
    insert into tenantry.webhook_due (org_id, endpoint_id, event_id, at, version, attempts)
    select org_id, endpoint_id, event_id, at, version, attempts
      from tenantry.webhook_deliveries
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id = :event_id
        on conflict (org_id, endpoint_id, event_id) do update
       set tries = 0, due_at = tenantry.now()
""")
forget_end = run("""
    update tenantry.webhook_deliveries
       set delivered_at = null, failed_at = null
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id = :event_id
""")
# somebody who asks for it knows better than the failures before
raise_lane = run("""
    update tenantry.webhook_lanes
       set due_at = least(due_at, tenantry.now()), paused_until = null
     where org_id = :org_id
       and endpoint_id = :endpoint_id
""")


@action(requires=WEBHOOKS_WRITE, records=DeliveryRetried)
async def retry_delivery(work: OrgWork, *, endpoint_id: UUID, event_id: UUID) -> Delivery:
    """Have a delivery attempted now, whatever came of it before; its schedule begins anew."""
    return await _retry(work, org_id=work.org, endpoint_id=endpoint_id, event_id=event_id)


@action(requires=HOUSE, records=DeliveryRetried)
async def retry_any_delivery(work: SystemWork, *, org_id: UUID, endpoint_id: UUID, event_id: UUID) -> Delivery:
    """Have a delivery of whichever organization attempted now, as its members can."""
    return await _retry(work, org_id=org_id, endpoint_id=endpoint_id, event_id=event_id)


async def _retry(work: Work, *, org_id: UUID, endpoint_id: UUID, event_id: UUID) -> Delivery:
    await require_enabled(work, org_id, endpoint_id)
    which = {"org_id": org_id, "endpoint_id": endpoint_id, "event_id": event_id}
    await hold_due(work, **which)
    if not await put_due(work, **which):
        raise NotFound
    await forget_end(work, **which)
    await raise_lane(work, org_id=org_id, endpoint_id=endpoint_id)
    work.record(DeliveryRetried(**which))
    work.ring()
    found = await queries.delivery_if_any(work, **which)
    if found is None:
        raise LookupError("a delivery was put where it waits that is not there")
    return found
