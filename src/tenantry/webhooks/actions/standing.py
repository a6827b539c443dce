"""What every verb about an endpoint begins with: is it there, is it enabled, and who else changes it at this moment.

Who changes how an endpoint stands holds its lane and then its own row, in this order, as the sender does.
"""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.data.sql import maybe, value
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import Work
from tenantry.webhooks import queries
from tenantry.webhooks.models import Endpoint, EndpointShown
from tenantry.webhooks.problems import EndpointIsDisabled

# of one that is deleted nothing is held: whoever removes it would be waited for, and waits for this
hold_lane = value(
    UUID,
    """
    select lane.endpoint_id
      from tenantry.webhook_lanes as lane
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and exists (select
                     from tenantry.webhook_endpoints as endpoints
                    where endpoints.org_id = :org_id and id = :endpoint_id and deleted_at is null)
       for no key update
    """,
)

hold_row = maybe(
    Endpoint,
    """
    select id, url, description, events, header_names, ordered, payload_version, created_by, created_at, disabled_at,
           disabled_why, version
      from tenantry.webhook_endpoints
     where org_id = :org_id
       and id = :endpoint_id
       and deleted_at is null
       for no key update
    """,
)

# what is put where it waits is there before whoever removes a deleted endpoint looks for it
is_enabled = value(
    bool,
    """
    select disabled_at is null
      from tenantry.webhook_endpoints
     where org_id = :org_id
       and id = :endpoint_id
       and deleted_at is null
       for key share
    """,
)


async def hold_endpoint(work: Work, org_id: UUID, endpoint_id: UUID) -> Endpoint:
    """An endpoint that is there, held until the commit; NotFound for one that is not."""
    await hold_lane(work, org_id=org_id, endpoint_id=endpoint_id)
    held = await hold_row(work, org_id=org_id, endpoint_id=endpoint_id)
    if held is None:
        raise NotFound
    return held


async def require_enabled(work: Work, org_id: UUID, endpoint_id: UUID) -> None:
    """Go on only for an endpoint that is there and enabled."""
    enabled = await is_enabled(work, org_id=org_id, endpoint_id=endpoint_id)
    if enabled is None:
        raise NotFound
    if not enabled:
        raise EndpointIsDisabled


async def shown(work: Work, org_id: UUID, endpoint_id: UUID) -> EndpointShown:
    """An endpoint that was just made or changed."""
    endpoint = await queries.endpoint_if_any(work, org_id=org_id, endpoint_id=endpoint_id)
    if endpoint is None:
        raise LookupError("an endpoint was changed that is not there")
    return endpoint
