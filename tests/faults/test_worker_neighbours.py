"""What a worker lives beside: a database that restarts, backends that are ended, no room, an ear that goes deaf."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from .app import PATIENCE, Stage, eventually
from .conftest import Mortal
from .toil import HEALED_WITHIN, all_done, assert_right, bring, milling, worker_of

ENDED = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like $1 and datname = $2"
ROOM = "select current_setting('max_connections')::int - (select count(*) from pg_stat_activity)::int"
STARTED_WITHIN = 5.0
Trouble = Callable[[Stage, Mortal], Awaitable[None]]


async def restarted(stage: Stage, mortal: Mortal) -> None:
    """PostgreSQL restarts, as an upgrade of it does."""
    await mortal.restarted(signal.SIGINT)


async def every_backend_ended(stage: Stage, mortal: Mortal) -> None:
    """An administrator ends every connection, three times."""
    for _ in range(3):
        await _ended(stage, mortal, "tenantry%")
        await asyncio.sleep(0.5)


async def no_room(stage: Stage, mortal: Mortal) -> None:
    """Others take all connections that there are, and the worker's are ended, so that it needs new ones."""
    async with AsyncExitStack() as crowd:
        for _ in range(int(await stage.value(ROOM))):
            try:
                connection = await asyncpg.connect(mortal.url, timeout=5)
            except asyncpg.TooManyConnectionsError:
                break
            crowd.push_async_callback(connection.close)
        stage.proxy.reset()
        await asyncio.sleep(3)


async def deaf(stage: Stage, mortal: Mortal) -> None:
    """The connection that listens is ended."""
    await _ended(stage, mortal, "tenantry jobs")


async def _ended(stage: Stage, mortal: Mortal, name: str) -> None:
    connection = await asyncpg.connect(stage.past, timeout=5)
    try:
        await connection.fetch(ENDED, name, await connection.fetchval("select current_database()"))
    finally:
        await connection.close()


@asynccontextmanager
async def bringing(stage: Stage) -> AsyncIterator[None]:
    """Grain is brought all the time; who cannot bring any, because the database is away, tries again."""
    leaving = asyncio.Event()

    async def keep_on() -> None:
        while not leaving.is_set():
            try:
                await bring(stage, 1)
            except Exception:  # noqa: BLE001  (a database that is away says so in many ways)
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(keep_on())
    try:
        yield
    finally:
        leaving.set()
        await asyncio.wait([task], timeout=PATIENCE)


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize("trouble", [restarted, every_backend_ended, no_room, deaf])
async def test_a_worker_heals_by_itself_and_has_lost_nothing(mortal: Mortal, tmp_path: Path, trouble: Trouble) -> None:
    async with milling(mortal.url, tmp_path) as stage:
        stage.command.start()
        await bring(stage)
        await eventually(lambda: all_done(stage), PATIENCE)
        async with bringing(stage):
            await trouble(stage, mortal)
        seconds = await eventually(lambda: all_done(stage), HEALED_WITHIN)
        print(f"healed {seconds:.1f} s after {trouble.__name__}")
        await assert_right(stage)


@pytest.mark.faults
async def test_a_worker_that_cannot_listen_starts_a_job_within_five_seconds(mortal: Mortal, tmp_path: Path) -> None:
    async with milling(mortal.url, tmp_path) as stage:
        nowhere = worker_of(
            stage, tmp_path, name="deaf", TENANTRY_DATABASE_DIRECT_URL="postgresql://nobody@127.0.0.1:9/"
        )
        try:
            nowhere.start()
            await nowhere.says("not listening")
            for _ in range(3):
                await bring(stage, 1)
                await eventually(lambda: all_done(stage), STARTED_WITHIN)
        finally:
            await nowhere.kill()
