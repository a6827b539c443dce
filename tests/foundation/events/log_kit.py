"""What the tests of the log stand on: a runtime with the trial domain, events put in by hand, and waiting."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import log_trial

from tenantry.assemble import build_runtime
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.events.following import begin_all
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading, Settings

REGISTRY = Registry([Domain(name="log_trial", events=log_trial, jobs=log_trial)])
CONSUMERS = {one.name: one for one in REGISTRY.consumers}
TALLY, BESIDE, LATE = (CONSUMERS[f"log_trial.{name}"] for name in ("tally", "beside", "late"))
INSERT = """
    insert into tenantry.events (public_id, kind, version, payload, actor, request_id)
    select gen_random_uuid(), $1, $2, payload::jsonb, '{}', 'req' from unnest($3::text[]) as payload
    returning id
"""


def runtime_on(dsn: str, **settings: Any) -> Runtime:
    """The equipment of a process on this database."""
    keys = Secret("one:" + base64.b64encode(bytes(range(32))).decode())
    told = Settings(environment="development", database_url=Secret(dsn), master_keys=keys, **settings)
    return build_runtime(Reading(settings=told, sections={}, sources={}, unknown=()), REGISTRY)


def work_on(runtime: Runtime, **rest: Any) -> SystemWork:
    """A work of the house."""
    return SystemWork(Call(runtime, NOBODY, "req"), reason="a test", **rest)


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """A connection that may put events in, whose transactions are the test's own."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("set role tenantry_system")
    try:
        yield connection
    finally:
        await connection.close()


async def put(
    connection: asyncpg.Connection[Any], payloads: Iterable[str], *, kind: str = "log_trial.added", version: int = 1
) -> list[int]:
    """Put events in; their numbers."""
    return [row["id"] for row in await connection.fetch(INSERT, kind, version, list(payloads))]


def added(*numbers: int) -> list[str]:
    """Payloads of numbers added."""
    return [f'{{"n": {number}}}' for number in numbers]


class Looks:
    """What stands in the tables, seen with the house's eyes."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def __call__(self, sql: str, *values: Any) -> list[Any]:
        async with writing(self.dsn) as connection:
            return list(await connection.fetch(sql, *values))

    async def tally(self, consumer: str = "log_trial.tally", generation: int = 1) -> list[int]:
        """The numbers that a consumer kept, in order."""
        kept = "select n from tenantry.tally where consumer = $1 and generation = $2 order by n"
        return [row["n"] for row in await self(kept, consumer, generation)]

    async def place(self, consumer: str = "log_trial.tally", generation: int = 1) -> Any:
        """A consumer's row."""
        found = await self("select * from tenantry.consumers where name = $1 and generation = $2", consumer, generation)
        return found[0] if found else None


async def begun(runtime: Runtime) -> None:
    """Give every consumer its place."""
    await begin_all(runtime, CONSUMERS)


def month_away(moment: datetime, ahead: int = 0) -> datetime:
    """The first instant of the month so many months away."""
    years, number = divmod(moment.month - 1 + ahead, 12)
    return datetime(moment.year + years, number + 1, 1, tzinfo=UTC)
