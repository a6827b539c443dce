"""What the tests of what is told stand on: a house with the trial domain, endpoints put in by hand, and looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import told_trial

from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import EVENT_ID, ORG_ID, new_id
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.events.event import Event
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation, Team

TRIAL = Domain(name="told_trial", needs=("orgs",), events=told_trial)
WITH_TRIAL = Registry((*DOMAINS, TRIAL), jobs=housekeeping)
PUT = """
    with endpoint as (
        insert into tenantry.webhook_endpoints (org_id, id, url, events, payload_version, created_by, created_at,
                                                disabled_at, disabled_why, deleted_at)
        values ($1, $2, 'https://example.com/', $3, $4, $5, tenantry.now() + $6 * interval '1 second',
                case when $7 then tenantry.now() end, case when $7 then 'asked' end,
                case when $8 then tenantry.now() end)
        returning org_id, id
    )
    insert into tenantry.webhook_lanes (org_id, endpoint_id) select org_id, id from endpoint
"""
WRITTEN = """
    insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)
    values ($1, $2, $3, $4, $5::text::jsonb, '{"kind": "cli"}', 'req')
"""


def org_of(team: Team) -> UUID:
    """The organization's id as it stands in the tables."""
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


class Telling:
    """A house, and an organization in it that is told things."""

    def __init__(self, house: Installation, team: Team) -> None:
        self.house = house
        self.team = team
        self.org = org_of(team)

    async def as_house(self, statement: str, *arguments: Any) -> None:
        """Write something as the house does."""
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self.house.runtime.database.url)
        try:
            await connection.execute("set role tenantry_system")
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    async def endpoint(
        self,
        *events: str,
        day: date = date(2030, 1, 1),
        made_in: float = -3600.0,
        disabled: bool = False,
        deleted: bool = False,
    ) -> UUID:
        """An endpoint of the organization, made an hour ago."""
        made = new_id()
        await self.as_house(PUT, self.org, made, list(events), day, uuid4(), made_in, disabled, deleted)
        return made

    async def say(self, *events: Event) -> None:
        """Have it happen, all in one commit."""
        async with SystemWork(Call(self.house.runtime, Actor("cli"), "req-of-a-test"), reason="a test") as work:
            await told_trial.say(work, events=events)

    async def written(self, kind: str, version: int, payload: dict[str, Any]) -> UUID:
        """Have it be written in the log as another release may have."""
        event = new_id()
        await self.as_house(WRITTEN, event, self.org, kind, version, json.dumps(payload))
        return event

    async def fanned_out(self) -> int:
        """Have everything that is committed be fanned out."""
        return await self.house.drain_consumers()

    async def told(self, endpoint: UUID) -> list[dict[str, Any]]:
        """What waits to be sent to an endpoint, in the order in which it is sent."""
        found = await self.house.rows(
            """
            select body from tenantry.webhook_due as due
              join tenantry.webhook_messages as message using (org_id, event_id, version, at)
             where endpoint_id = $1
             order by due_at, seq
            """,
            endpoint,
        )
        return [json.loads(row["body"]) for row in found]

    async def types(self, endpoint: UUID) -> list[str]:
        """The types of what waits to be sent to an endpoint."""
        return [str(one["type"]) for one in await self.told(endpoint)]

    async def deliveries(self, endpoint: UUID) -> Sequence[Any]:
        """The rows of what was to be told to an endpoint."""
        return await self.house.rows(
            "select * from tenantry.webhook_deliveries where endpoint_id = $1 order by event_id", endpoint
        )

    async def due(self, endpoint: UUID) -> Sequence[Any]:
        """The rows of what waits."""
        return await self.house.rows("select * from tenantry.webhook_due where endpoint_id = $1 order by seq", endpoint)

    async def lane(self, endpoint: UUID) -> Any:
        """The endpoint's lane."""
        found = await self.house.rows("select * from tenantry.webhook_lanes where endpoint_id = $1", endpoint)
        return found[0]


def public(event: UUID) -> str:
    """An event's id as it is sent."""
    return EVENT_ID.text(event)
