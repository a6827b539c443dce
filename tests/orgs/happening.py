"""Something that happens in an organization, committed as late as a test likes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tenantry.foundation.data.ids import ORG_ID
from tenantry.testing import Installation

RECORD = """
    insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)
    values (gen_random_uuid(), $1, 'tests.happened', 1, $2, '{"kind": "job"}', 'request-of-a-test')
"""


@asynccontextmanager
async def writer(house: Installation) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A transaction of the house's that is committed at the end, as late as one likes."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    try:
        async with connection.transaction():
            await connection.execute("set local role tenantry_system")
            yield connection
    finally:
        await connection.close()


async def happens(house: Installation, org: str, what: str) -> None:
    """Something happens in an organization."""
    async with writer(house) as connection:
        await connection.execute(RECORD, ORG_ID.read(org), json.dumps({"what": what}))
