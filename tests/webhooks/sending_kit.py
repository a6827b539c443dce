"""Endpoints and what waits for them, put there by hand, so that the sender is tested without what fills its tables."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from receiving import Receiver, receiving

from tenantry.foundation.data.ids import ORG_ID, new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.sealing import place
from tenantry.testing import Installation, installed

BODY = '{"id":"evt","type":"thing.happened","version":1,"timestamp":"2026-01-02T03:04:05Z","data":{}}'


class Put(NamedTuple):
    """An endpoint that a test put there."""

    org: UUID
    id: UUID
    secret: bytes

    @property
    def shown(self) -> str:
        """Its secret as its owner knows it."""
        return "whsec_" + base64.b64encode(self.secret).decode()


@asynccontextmanager
async def receivers_of(
    url: str, folder: Path, registry: Registry, many: int = 1, **environ: str
) -> AsyncIterator[tuple[Installation, list[Receiver]]]:
    """An installation, and receivers that it may reach."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(receiving()) for _ in range(many)]
        allowed = {"TENANTRY_EGRESS_ALLOW": ",".join(one.place for one in found), "TENANTRY_RATE_LIMITS": "off"}
        yield (
            await stack.enter_async_context(installed(url, folder, registry=registry, environ=allowed | environ)),
            found,
        )


async def nothing_waits(house: Installation, receivers: Sequence[Receiver]) -> None:
    """Forget what tests before left waiting, and how their receivers were to answer."""
    await by_hand(house, "delete from tenantry.webhook_due")
    await by_hand(
        house, "update tenantry.webhook_lanes set due_at = null, holder = null, held_until = null, hold = hold + 1"
    )
    for receiver in receivers:
        receiver.heard.clear()
        receiver.answers.clear()
        receiver.always, receiver.meanwhile, receiver.most_at_once = (200, {}), None, 0


async def an_org(house: Installation) -> UUID:
    """A new organization."""
    owner = await house.person()
    founded = await owner.post("/v1/orgs", {"name": "Acme"})
    found = ORG_ID.read(str(founded.json["id"]))
    assert found is not None
    return found


async def put_endpoint(
    house: Installation, org: UUID, url: str, *, ordered: bool = False, headers: dict[str, str] | None = None
) -> Put:
    """An endpoint with one secret."""
    endpoint, secret, secret_id = new_id(), os.urandom(32), new_id()
    seal = house.runtime.sealer.seal
    sealed = seal(secret, aad=place("webhook_secrets", "sealed_secret", org=org, row=secret_id))
    sealed_headers = None
    if headers is not None:
        where = place("webhook_endpoints", "sealed_headers", org=org, row=endpoint)
        sealed_headers = seal(json.dumps(headers).encode(), aad=where)
    await by_hand(
        house,
        """insert into tenantry.webhook_endpoints
                  (org_id, id, url, ordered, sealed_headers, payload_version, created_by)
           values ($1, $2, $3, $4, $5, '2026-01-01', $2)""",
        org, endpoint, url, ordered, sealed_headers,
    )  # fmt: skip
    await by_hand(
        house,
        "insert into tenantry.webhook_secrets (org_id, endpoint_id, id, sealed_secret) values ($1, $2, $3, $4)",
        org, endpoint, secret_id, sealed,
    )  # fmt: skip
    await by_hand(house, "insert into tenantry.webhook_lanes (org_id, endpoint_id) values ($1, $2)", org, endpoint)
    return Put(org, endpoint, secret)


async def queue_events(house: Installation, put: Put, many: int = 1, *, body: str = BODY) -> list[UUID]:
    """So many messages for an endpoint, due now; the ids of their events, in their order."""
    events = sorted(new_id() for _ in range(many))
    at = datetime.now(UTC)
    for statement, arguments in (
        ("""insert into tenantry.webhook_messages (at, org_id, event_id, version, type, body, request_id)
            select $3, $1, event, 1, 'thing.happened', $4, $5 from unnest($2::uuid[]) as event""",
         (put.org, events, at, body, str(new_id()))),
        ("""insert into tenantry.webhook_deliveries (at, org_id, endpoint_id, event_id, version, type)
            select $4, $1, $2, event, 1, 'thing.happened' from unnest($3::uuid[]) as event""",
         (put.org, put.id, events, at)),
        ("""insert into tenantry.webhook_due (org_id, endpoint_id, event_id, at, version)
            select $1, $2, event, $4, 1 from unnest($3::uuid[]) with ordinality as one (event, n) order by n""",
         (put.org, put.id, events, at)),
        ("update tenantry.webhook_lanes set due_at = tenantry.now() where org_id = $1 and endpoint_id = $2",
         (put.org, put.id)),
    ):  # fmt: skip
        await by_hand(house, statement, *arguments)
    return events


async def by_hand(house: Installation, statement: str, *arguments: Any) -> None:
    """Change something as the house."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    try:
        async with connection.transaction():
            await connection.execute("set local role tenantry_system")
            await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def make_due(house: Installation, put: Put) -> None:
    """Let what waits for an endpoint be due now, whatever was to be waited for."""
    await by_hand(
        house,
        "update tenantry.webhook_due set due_at = tenantry.now() where org_id = $1 and endpoint_id = $2",
        put.org, put.id,
    )  # fmt: skip
    await by_hand(
        house,
        """update tenantry.webhook_lanes set due_at = tenantry.now(), paused_until = null
            where org_id = $1 and endpoint_id = $2""",
        put.org, put.id,
    )  # fmt: skip


async def waits(house: Installation, put: Put) -> Sequence[float]:
    """In how many seconds what waits is due, the soonest first."""
    rows = await house.rows(
        """select extract(epoch from due_at - tenantry.now()) as wait from tenantry.webhook_due
            where endpoint_id = $1 order by due_at""",
        put.id,
    )
    return [float(row["wait"]) for row in rows]


async def attempts(house: Installation, put: Put) -> list[dict[str, Any]]:
    """Every attempt at an endpoint, the first first."""
    rows = await house.rows(
        "select * from tenantry.webhook_attempts where endpoint_id = $1 order by at, number", put.id
    )
    return [dict(row) for row in rows]


async def delivery(house: Installation, event: UUID) -> dict[str, Any]:
    """How a delivery stands."""
    [row] = await house.rows("select * from tenantry.webhook_deliveries where event_id = $1", event)
    return dict(row)


async def lane(house: Installation, put: Put) -> dict[str, Any]:
    """How an endpoint stands."""
    [row] = await house.rows("select * from tenantry.webhook_lanes where endpoint_id = $1", put.id)
    return dict(row)
