"""Disabled and enabled: nothing more is sent to an endpoint, and again what waited and what happens."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork, Work
from tenantry.webhooks.actions.standing import hold_endpoint
from tenantry.webhooks.events import EndpointDisabled, EndpointEnabled
from tenantry.webhooks.models import WhyDisabled

# the lane first, as whoever changes how an endpoint stands holds it before the endpoint
quiet_lane = run("""
    update tenantry.webhook_lanes
       set due_at = null
     where org_id = :org_id
       and endpoint_id = :endpoint_id
""")
set_disabled = value(
    int,
    """
    update tenantry.webhook_endpoints
       set disabled_at = tenantry.now(), disabled_why = :why, version = version + 1
     where org_id = :org_id
       and id = :endpoint_id
       and disabled_at is null
       and deleted_at is null
 returning version
    """,
)


@action(requires=HOUSE, records=EndpointDisabled)
async def disable_endpoint(work: SystemWork, org_id: UUID, endpoint_id: UUID, why: WhyDisabled) -> bool:
    """Send nothing to an endpoint any more; whether it is this that disabled it."""
    return await put_out(work, org_id, endpoint_id, why)


async def put_out(work: Work, org_id: UUID, endpoint_id: UUID, why: WhyDisabled) -> bool:
    """Disable an endpoint, unless it is disabled or deleted."""
    await quiet_lane(work, org_id=org_id, endpoint_id=endpoint_id)
    version = await set_disabled(work, org_id=org_id, endpoint_id=endpoint_id, why=why)
    if version is None:
        return False
    work.record(EndpointDisabled(org_id=org_id, endpoint_id=endpoint_id, why=why, version_after=version))
    return True


set_enabled = value(
    int,
    """
    update tenantry.webhook_endpoints
       set disabled_at = null, disabled_why = null, version = version + 1
     where org_id = :org_id
       and id = :endpoint_id
       and disabled_at is not null
 returning version
    """,
)
# whoever puts more where it waits meanwhile waits for the lane, and says when that is due
fare_anew = run("""
    update tenantry.webhook_lanes
       set failures = 0, failing_since = null, paused_until = null,
           due_at = (select min(due.due_at)
                       from tenantry.webhook_due as due
                      where due.org_id = :org_id and due.endpoint_id = :endpoint_id)
     where org_id = :org_id
       and endpoint_id = :endpoint_id
""")


@action(requires=HOUSE, records=EndpointEnabled)
async def enable_endpoint(work: SystemWork, *, org_id: UUID, endpoint_id: UUID) -> bool:
    """Send to an endpoint again what waited for it and what happens; whether it was disabled."""
    await hold_endpoint(work, org_id, endpoint_id)
    return await begin_again(work, org_id, endpoint_id)


async def begin_again(work: Work, org_id: UUID, endpoint_id: UUID) -> bool:
    """Enable an endpoint that is held; as if it had never failed."""
    version = await set_enabled(work, org_id=org_id, endpoint_id=endpoint_id)
    if version is None:
        return False
    await fare_anew(work, org_id=org_id, endpoint_id=endpoint_id)
    work.record(EndpointEnabled(org_id=org_id, endpoint_id=endpoint_id, version_after=version))
    work.ring()
    return True
