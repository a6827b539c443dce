"""A runtime on a database of its own, with the trial domain's table in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import log_trial
import pytest
from log_kit import Looks, runtime_on, writing

from tenantry.foundation.runtime import Runtime


@pytest.fixture
async def dsn(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(log_trial.TABLES)
    finally:
        await connection.close()
    return database_url


async def _opened(dsn: str) -> AsyncIterator[Runtime]:
    made = runtime_on(dsn)
    yield made
    await made.bell.close()
    made.database.close()


@pytest.fixture
async def runtime(dsn: str) -> AsyncIterator[Runtime]:
    async for made in _opened(dsn):
        yield made


@pytest.fixture
async def another(dsn: str) -> AsyncIterator[Runtime]:
    """The equipment of a second process on the same database."""
    async for made in _opened(dsn):
        yield made


@pytest.fixture
async def writer(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    async with writing(dsn) as connection:
        yield connection


@pytest.fixture
def looks(dsn: str) -> Looks:
    return Looks(dsn)


@pytest.fixture(autouse=True)
def behaviour() -> log_trial.Behaviour:
    log_trial.behaviour = log_trial.Behaviour()
    return log_trial.behaviour
