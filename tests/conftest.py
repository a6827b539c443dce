"""What every test can ask for: a PostgreSQL for the session, a database and an installation of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tenantry.assemble import registry as build_registry
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation, installed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-faults", action="store_true", help="kill at every point instead of a sample")


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The owner's URL of a PostgreSQL: the one that TENANTRY_TEST_DATABASE_URL names, or an embedded one."""
    if given := os.environ.get("TENANTRY_TEST_DATABASE_URL"):
        yield given
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False)
    url = server.start()
    yield url
    server.stop()


@pytest.fixture(scope="session")
async def databases(server_url: str) -> AsyncIterator[Databases]:
    """Migrated databases, one for each who asks."""
    databases = Databases(server_url)
    await databases.prepare()
    yield databases
    await databases.forget()


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Everything that core's domains bring."""
    return build_registry()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database of one's own."""
    async with databases.fresh() as url:
        yield url


@pytest.fixture
async def installation(database_url: str, registry: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    """A running installation of one's own."""
    async with installed(database_url, tmp_path, registry=registry) as running:
        yield running
