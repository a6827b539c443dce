"""Forgetting: what is left of a deleted endpoint is removed in batches, and at last the endpoint itself.

Whoever put something where it waits while the endpoint was deleted had locked the endpoint or its lane. Here both are
locked before anything is looked for, so that nothing comes behind it.
"""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.webhooks.events import EndpointForgotten

hold_deleted = value(
    UUID,
    """
    select id
      from tenantry.webhook_endpoints
     where org_id = :org_id
       and id = :endpoint_id
       and deleted_at is not null
       for update
    """,
)
hold_its_lane = run("""
    select from tenantry.webhook_lanes where org_id = :org_id and endpoint_id = :endpoint_id for update
""")

forget_due = run("""
    delete from tenantry.webhook_due
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id in (select event_id
                          from tenantry.webhook_due
                         where org_id = :org_id and endpoint_id = :endpoint_id
                         limit :most)
""")
forget_attempts = run("""
    delete from tenantry.webhook_attempts
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and (event_id, number, at) in (select event_id, number, at
                                        from tenantry.webhook_attempts
                                       where org_id = :org_id and endpoint_id = :endpoint_id
                                       limit :most)
""")
forget_deliveries = run("""
    delete from tenantry.webhook_deliveries
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and (event_id, at) in (select event_id, at
                                from tenantry.webhook_deliveries
                               where org_id = :org_id and endpoint_id = :endpoint_id
                               limit :most)
""")
forget_endpoint = run("delete from tenantry.webhook_endpoints where org_id = :org_id and id = :endpoint_id")


@action(requires=HOUSE, records=EndpointForgotten)
async def forget_some_of(work: SystemWork, *, org_id: UUID, endpoint_id: UUID, most: int) -> bool:
    """Remove a batch of what is left of a deleted endpoint; whether there may be more."""
    which = {"org_id": org_id, "endpoint_id": endpoint_id}
    if await hold_deleted(work, **which) is None:
        return False
    await hold_its_lane(work, **which)
    for forget in (forget_due, forget_deliveries, forget_attempts):
        if await forget(work, **which, most=most):
            return True
    await forget_endpoint(work, **which)
    work.record(EndpointForgotten(org_id=org_id, endpoint_id=endpoint_id))
    return False
