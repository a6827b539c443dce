"""Webhook endpoints of a tenant, and what was sent to them: no example makes one, for its URL leads nowhere."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.data.ids import EVENT_ID, ORG_ID, USER_ID, new_id
from tenantry.testing.installation import Installation
from tenantry.webhooks.models import ENDPOINT_ID

KEEP_ENDPOINT = """
    with made as (
        insert into tenantry.webhook_endpoints (org_id, id, url, description, payload_version, created_by)
        values ($1, $2, 'https://hooks.example.com/' || $3, $3, '2026-01-02', $4)
        returning org_id, id
    )
    insert into tenantry.webhook_lanes (org_id, endpoint_id) select org_id, id from made
"""
KEEP_DELIVERY = """
    with told as (
        insert into tenantry.webhook_messages (at, org_id, event_id, version, type, body, request_id)
        values (tenantry.now(), $1, $3, 1, 'member.joined', $4, $4)
        returning at, org_id, event_id, version, type
    ), tried as (
        insert into tenantry.webhook_attempts (at, org_id, endpoint_id, event_id, number, status, took_ms, answer)
        select at, org_id, $2, event_id, 1, 500, 1, $4 from told
    )
    insert into tenantry.webhook_deliveries (at, org_id, endpoint_id, event_id, version, type, attempts, failed_at)
    select at, org_id, $2, event_id, version, type, 1, at from told
"""


async def hooks(installation: Installation, org: str, owner: str, canary: str, many: int) -> dict[str, list[str]]:
    """So many endpoints, and as many deliveries of the first, which failed; their ids by what they name."""
    org_id, user_id, endpoints, events = ORG_ID.read(org), USER_ID.read(owner), _new(many), _new(many)
    for endpoint in endpoints:
        await installation.rows(KEEP_ENDPOINT, org_id, endpoint, canary, user_id)
    for event in events:
        await installation.rows(KEEP_DELIVERY, org_id, endpoints[0], event, canary)
    return {
        ENDPOINT_ID.prefix: [ENDPOINT_ID.text(one) for one in endpoints],
        EVENT_ID.prefix: [EVENT_ID.text(one) for one in events],
    }


def _new(many: int) -> list[UUID]:
    return [new_id() for _ in range(many)]
