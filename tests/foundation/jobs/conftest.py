"""A runtime on a database of its own, with the queue in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import queue_trial
from queue_kit import Rows, renamed, runtime_on, statement

from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.data.migrations import migrate
from tenantry.foundation.runtime import Runtime

TEMPLATE = "queue_template"
TRIAL = """
create table tenantry.trial (name text not null);
grant select, insert on tenantry.trial to tenantry_system;
"""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("queue"), durable=False)
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    await statement(postgres, f"create database {TEMPLATE}")
    await migrate(renamed(postgres, TEMPLATE), test_clock=True)
    await statement(renamed(postgres, TEMPLATE), TRIAL)
    return postgres


@pytest.fixture
async def dsn(template: str) -> AsyncIterator[str]:
    name = f"queue_{os.urandom(6).hex()}"
    await statement(template, f"create database {name} template {TEMPLATE}")
    yield renamed(template, name)
    await statement(template, f"drop database {name} with (force)")


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
