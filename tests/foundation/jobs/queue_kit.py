"""What the queue's tests stand on: a runtime, the queue's tables read with the house's eyes, and waiting."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import queue_trial
from queue_trial import Named

from tenantry.assemble import build_runtime
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Pace, Worker
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading, Settings

REGISTRY = Registry([Domain(name="queue_trial", jobs=queue_trial)])
HANDLERS: tuple[Handler, ...] = REGISTRY.handlers


def runtime_on(dsn: str, *, test_clock: str | None = None) -> Runtime:
    keys = Secret("one:" + base64.b64encode(bytes(range(32))).decode())
    settings = Settings(environment="development", database_url=Secret(dsn), master_keys=keys, test_clock=test_clock)
    return build_runtime(Reading(settings=settings, sections={}, sources={}, unknown=()), REGISTRY)


async def ask(runtime: Runtime, *jobs: NewJob) -> None:
    """Have jobs asked for in one commit."""
    async with SystemWork(Call(runtime, NOBODY, "req-1"), reason="a test") as work:
        for job in jobs:
            work.enqueue(job)


async def ask_in(runtime: Runtime, org: int | None, *jobs: NewJob) -> list[UUID]:
    """Have jobs asked for in one commit, by somebody in an organization."""
    actor = Actor("person", org=None if org is None else UUID(int=org))
    async with SystemWork(Call(runtime, actor, "req-1"), reason="a test") as work:
        return [work.enqueue(job) for job in jobs]


def stand(queue: str, name: str, **rest: Any) -> NewJob:
    """A job of the trial's limited queues."""
    return NewJob.of(f"queue_trial.{queue}", Named(name), queue=queue, **rest)


@asynccontextmanager
async def working(runtime: Runtime, pace: Pace | None = None, *, concurrency: int = 10) -> AsyncIterator[Worker]:
    """A worker at work."""
    stop = asyncio.Event()
    worker = Worker(runtime, HANDLERS, concurrency=concurrency, pace=pace or Pace(grace=0.1, parting=1.0))
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await task


async def statement(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def cut_every_connection(dsn: str) -> None:
    await statement(
        dsn,
        """select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()""",
    )


class Rows:
    """What stands in the queue's tables, read with the house's eyes."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    async def __call__(self, sql: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.dsn)
        try:
            async with connection.transaction():
                await connection.execute("set local role tenantry_system")
                return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    async def count(self, table: str) -> int:
        return (await self(f"select count(*) from tenantry.{table}"))[0][0]
