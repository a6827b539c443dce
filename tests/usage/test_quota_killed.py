"""Counters and rows stay equal, whoever is killed in the middle of using something."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from rationed import differing, founded, give, rationing, uuid_of

from patience import until
from tenantry.testing import Databases, Installation

PROCESS = Path(__file__).with_name("rationed_process.py")


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plan file is."""
    return tmp_path_factory.mktemp("rationed")


@pytest.fixture(scope="module")
async def house(databases: Databases, place: Path) -> AsyncIterator[Installation]:
    """An installation whose plans limit what is used."""
    async with databases.fresh() as url, rationing(url, place) as running:
        yield running


@asynccontextmanager
async def _using(house: Installation, place: Path, *orgs: str) -> AsyncIterator[Process]:
    """A process that uses something of these organizations, on and on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), "use", house.runtime.database.url, str(place), *map(str, map(uuid_of, orgs))
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _metered(house: Installation) -> int:
    [row] = await house.rows("select count(*) from tenantry.usage_events")
    return int(row["count"])


async def test_two_processes_that_are_killed_leave_every_counter_equal_to_its_rows(
    house: Installation, place: Path
) -> None:
    orgs = [(await founded(house))[1] for _ in range(2)]
    for org in orgs:
        await give(house, org, "soft")
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(_using(house, place, *orgs)) for _ in range(2)]
        for killed in (first, second):
            before = await _metered(house)

            async def went_on(since: int = before) -> bool:
                return await _metered(house) > since + 60

            await until(went_on, within=30)
            assert killed.returncode is None
            killed.kill()
            await killed.wait()
            assert not await differing(house, "runs", "runs")
    counters = await house.rows("select used from tenantry.usage_counters where limit_key = 'runs'")
    assert len(counters) == 2
    assert not await differing(house, "runs", "runs")
