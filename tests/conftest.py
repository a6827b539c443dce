"""What every test can ask for: a PostgreSQL for the session, a database and an installation of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tenantry.assemble import registry as build_registry
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, HandClock, Installation, installed

# tests that may be skipped in CI, by a part of their name, each with its reason
MAY_BE_SKIPPED: dict[str, str] = {
    "behind-pgbouncer": "PgBouncer is no Python package: what needs it runs where the machine has it",
    "tests/browser/": "Chromium is no Python package: what needs it runs where the machine has it",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-faults", action="store_true", help="kill at every point instead of a sample")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A number instead of a long text: tokens are made anew in each worker, which must name a test alike."""
    return argname if isinstance(val, str | bytes) and len(val) > 30 else None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure, unless it is listed with its reason."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    skipped = [report.nodeid for report in reporter.stats.get("skipped", ())]
    unlisted = [name for name in skipped if not any(part in name for part in MAY_BE_SKIPPED)]
    if unlisted and session.exitstatus == 0:
        reporter.write_line(f"skipped without a listed reason: {', '.join(unlisted)}", red=True)
        session.exitstatus = 1


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


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation that the tests of one file share."""
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("house"), registry=registry) as running,
    ):
        yield running


@pytest.fixture
def clock(tmp_path: Path) -> HandClock:
    """A clock to be set by hand."""
    return HandClock(tmp_path / "clock")


@pytest.fixture
async def narrow(database_url: str, registry: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation with a single connection, so that whatever is left on it is met again."""
    async with installed(database_url, tmp_path, registry=registry, environ={"TENANTRY_DATABASE_POOL": "1"}) as one:
        yield one


@pytest.fixture
async def clocked(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation that follows the clock set by hand."""
    async with installed(database_url, tmp_path, registry=registry, environ=clock.environ) as running:
        yield running
