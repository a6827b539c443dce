"""Endpoints of a bench, and deliveries that wait for them, put there without what usually does it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.sealing import place

BODY = (
    '{"id":"evt_01jd4w2q8nf6v9m3x5c7b1r0kt","type":"member.joined","version":1,"timestamp":"2026-01-02T03:04:05.678901Z",'
    '"data":{"org_id":"org_01jd4w2q8nf6v9m3x5c7b1r0kt","user_id":"usr_01jd4w2q8nf6v9m3x5c7b1r0kt","role":"member",'
    '"joined_from":"an invite, with words as long as those of most events are, which is some three hundred bytes"}}'
)
ENDPOINT = """
    insert into tenantry.webhook_endpoints (org_id, id, url, events, payload_version, created_by)
    values ($1, $2, $3, $4, '2026-01-01', $2)
"""
SECRET = "insert into tenantry.webhook_secrets (org_id, endpoint_id, id, sealed_secret) values ($1, $2, $3, $4)"
LANE = "insert into tenantry.webhook_lanes (org_id, endpoint_id) values ($1, $2)"
MESSAGES = """
    insert into tenantry.webhook_messages (at, org_id, event_id, version, type, body, request_id)
    select $3, $1, event, 1, 'member.joined', $4, $5 from unnest($2::uuid[]) as event
"""
DELIVERIES = """
    insert into tenantry.webhook_deliveries (at, org_id, endpoint_id, event_id, version, type)
    select $4, $1, $2, event, 1, 'member.joined' from unnest($3::uuid[]) as event
"""
DUE = """
    insert into tenantry.webhook_due (org_id, endpoint_id, event_id, at, version)
    select $1, $2, event, $4, 1 from unnest($3::uuid[]) as event
"""
RAISED = "update tenantry.webhook_lanes set due_at = tenantry.now() where org_id = $1 and endpoint_id = $2"


async def endpoint(runtime: Runtime, org: UUID, url: str, events: list[str]) -> UUID:
    """An endpoint of an organization, with a secret."""
    id, secret = new_id(), new_id()
    sealed = runtime.sealer.seal(os.urandom(32), aad=place("webhook_secrets", "sealed_secret", org=org, row=secret))
    async with _house(runtime) as connection:
        await connection.execute(ENDPOINT, org, id, url, events)
        await connection.execute(SECRET, org, id, secret, sealed)
        await connection.execute(LANE, org, id)
    return id


async def fill(runtime: Runtime, endpoints: list[tuple[UUID, UUID]], each: int) -> None:
    """So many deliveries for each of these, due at once."""
    for org, id in endpoints:
        events, at = [new_id() for _ in range(each)], datetime.now(UTC)
        async with _house(runtime) as connection:
            await connection.execute(MESSAGES, org, events, at, BODY, str(new_id()))
            await connection.execute(DELIVERIES, org, id, events, at)
            await connection.execute(DUE, org, id, events, at)
            await connection.execute(RAISED, org, id)


async def forget(runtime: Runtime) -> None:
    """Nothing is due to anybody any more."""
    async with _house(runtime) as connection:
        await connection.execute("delete from tenantry.webhook_due")
        await connection.execute("update tenantry.webhook_lanes set due_at = null")


class _house:
    """A transaction as the house."""

    def __init__(self, runtime: Runtime) -> None:
        self.url = runtime.database.url

    async def __aenter__(self) -> asyncpg.Connection[Any]:
        self.connection = await asyncpg.connect(self.url, timeout=10)
        self.transaction = self.connection.transaction()
        await self.transaction.start()
        await self.connection.execute("set local role tenantry_system")
        return self.connection

    async def __aexit__(self, kind: object, *_: object) -> None:
        await (self.transaction.rollback() if kind else self.transaction.commit())
        await self.connection.close()
