"""For the rules: a schema to compare statements with, on a PostgreSQL that can be asked about nullability."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

import tenantry
from rules.sizes import medians
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.testing import Databases

# run as programs, by path: importing one would start it
PROGRAMS = {"tenantry.__main__", "tenantry.foundation.data.embedded.launch"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(medians())


@pytest.fixture(scope="session")
def every_module() -> None:
    """Every module of the product imported, so that whatever is declared anywhere is known."""
    for found in pkgutil.walk_packages(tenantry.__path__, "tenantry."):
        if found.name not in PROGRAMS and ".migrations." not in found.name:
            importlib.import_module(found.name)


@pytest.fixture(scope="session")
async def embedded_databases(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Databases]:
    """Migrated databases on the embedded PostgreSQL even where the suite runs on another one.

    What a join nulls is said from PostgreSQL 16 on; the suite also runs on 15.
    """
    if not os.environ.get("TENANTRY_TEST_DATABASE_URL"):
        yield databases
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("embedded"), durable=False)
    apart = Databases(server.start())
    await apart.prepare()
    yield apart
    server.stop()


@pytest.fixture
async def owner(embedded_databases: Databases) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The owner's connection to a migrated database."""
    async with embedded_databases.fresh() as url:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()
