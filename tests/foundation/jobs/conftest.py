"""A runtime on a database of its own, with the queue and a table of the trial domain in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import queue_trial
from queue_kit import Rows, runtime_on, statement

from tenantry.foundation.runtime import Runtime

TRIAL = """
create table tenantry.trial (name text not null);
grant select, insert on tenantry.trial to tenantry_system;
"""


@pytest.fixture
async def dsn(database_url: str) -> str:
    await statement(database_url, TRIAL)
    return database_url


@pytest.fixture
async def runtime(dsn: str) -> AsyncIterator[Runtime]:
    async with opened(dsn) as made:
        yield made


@pytest.fixture
async def another(dsn: str) -> AsyncIterator[Runtime]:
    """The equipment of a second process on the same database."""
    async with opened(dsn) as made:
        yield made


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Runtime]:
    made = runtime_on(dsn)
    yield made
    await made.bell.close()
    made.database.close()


@pytest.fixture
def rows(dsn: str) -> Rows:
    return Rows(dsn)


@pytest.fixture(autouse=True)
def seen() -> queue_trial.Seen:
    queue_trial.seen = queue_trial.Seen()
    return queue_trial.seen
