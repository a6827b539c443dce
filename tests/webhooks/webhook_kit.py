"""Endpoints of tests: made through the front door, on an address that the installation lets be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from receiving import Receiver, receiving

from tenantry.foundation.data.ids import EVENT_ID, ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.event import Event
from tenantry.testing import Client, Installation, Team, installed
from tenantry.testing.team import add_member
from tenantry.webhooks.models import ENDPOINT_ID


@dataclass(frozen=True)
class Hook:
    """An endpoint that was just made: what was answered, where it is, and who made it."""

    house: Installation
    who: Client
    org: str
    said: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.said["id"])

    @property
    def path(self) -> str:
        return f"{hooks_path(self.org)}/{self.id}"

    @property
    def secret(self) -> str:
        return str(self.said["secret"])

    @property
    def uuid(self) -> UUID:
        found = ENDPOINT_ID.read(self.id)
        assert found is not None
        return found

    @property
    def org_uuid(self) -> UUID:
        found = ORG_ID.read(self.org)
        assert found is not None
        return found

    async def seen(self) -> dict[str, Any]:
        """How it stands now."""
        answer = await self.who.get(self.path)
        assert answer.status == 200, answer
        return dict(answer.json)

    async def deliveries(self, query: str = "") -> list[dict[str, Any]]:
        """What was to be told to it, the newest first."""
        answer = await self.who.get(f"{self.path}/deliveries{query}")
        assert answer.status == 200, answer
        return list(answer.json["items"])

    async def states(self, query: str = "") -> list[str]:
        """How each of those stands."""
        return [one["state"] for one in await self.deliveries(query)]

    async def lane(self) -> Any:
        """Its lane."""
        [row] = await self.house.rows("select * from tenantry.webhook_lanes where endpoint_id = $1", self.uuid)
        return row

    async def count(self, table: str) -> int:
        """How many rows of a table are about it."""
        [[found]] = await self.house.rows(f"select count(*) from tenantry.{table} where endpoint_id = $1", self.uuid)
        return int(found)

    async def by_hand(self, statement: str, *rest: Any) -> None:
        """Change something about it as the house: `$1` is the organization, `$2` the endpoint."""
        await self.house.rows(statement, self.org_uuid, self.uuid, *rest)


def hooks_path(org: str) -> str:
    """Where an organization's endpoints are."""
    return f"/v1/orgs/{org}/webhook-endpoints"


@asynccontextmanager
async def hooked(
    url: str, folder: Path, registry: Registry, **environ: str
) -> AsyncIterator[tuple[Installation, Receiver]]:
    """An installation, and a receiver that it may reach."""
    async with receiving() as receiver:
        allowed = {"TENANTRY_EGRESS_ALLOW": receiver.place}
        async with installed(url, folder, registry=registry, environ=allowed | environ) as house:
            yield house, receiver


async def make_hook(house: Installation, who: Client, org: str, url: str, **rest: Any) -> Hook:
    """An endpoint of somebody's in an organization."""
    answer = await who.post(hooks_path(org), {"url": url} | rest)
    assert answer.status == 201, answer
    return Hook(house, who, org, answer.json)


async def happen(house: Installation, team: Team, many: int = 1) -> list[str]:
    """Have people join, so that `member.joined` is told; the ids of these deliveries, the first first."""
    for _ in range(many):
        await add_member(house.runtime, team.org, await house.person(), "member")
    rows = await house.rows(
        "select public_id from tenantry.events where org_id = $1 and kind = 'orgs.member_joined' order by id desc"
        " limit $2",
        ORG_ID.read(team.org),
        many,
    )
    return [EVENT_ID.text(row["public_id"]) for row in reversed(rows)]


async def recorded_about(house: Installation, kind: type[Event], hook: Hook) -> list[dict[str, Any]]:
    """The events of a kind about an endpoint."""
    return [one for one in await house.recorded(kind.kind) if one["endpoint_id"] == str(hook.uuid)]
