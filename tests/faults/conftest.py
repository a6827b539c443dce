"""What the fault tests share: stages, a PostgreSQL that may be killed, and how many points are visited."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases

from .app import READY_WITHIN, Stage, eventually, staged
from .crash_points import Point, process_tree, sample

SHARE = 0.15
SEED = "TENANTRY_TEST_SEED"
Chosen = Callable[[Sequence[Point]], list[Point]]


@pytest.fixture
def chosen(request: pytest.FixtureRequest) -> Chosen:
    """The points to visit: each with --all-faults, else a sample that TENANTRY_TEST_SEED repeats."""
    if request.config.getoption("--all-faults"):
        return list
    seed = int(os.environ[SEED]) if SEED in os.environ else None
    return lambda points: sample(points, SHARE, seed)


@pytest.fixture
async def stage(databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on the PostgreSQL of the session, which must not be killed."""
    async with staged(databases, registry, tmp_path) as made:
        yield made


class Mortal:
    """A PostgreSQL of the fault tests' own, which comes back by itself when it is killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder, durable=False)
        self.url = self.server.start()

    async def kill(self) -> None:
        """Kill -9 the postmaster and every backend."""
        await process_tree(self._postmaster)()

    async def restarted(self, number: signal.Signals) -> None:
        """Signal the postmaster, and wait until another one answers."""
        before = self._postmaster
        os.kill(before, number)

        async def answers() -> bool:
            file = self.folder / "postgres/postmaster.pid"
            return file.exists() and self._postmaster != before and self.server.alive()

        await eventually(answers, READY_WITHIN)

    @property
    def _postmaster(self) -> int:
        return int((self.folder / "postgres/postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="session")
def mortal() -> Iterator[Mortal]:
    """A PostgreSQL that may be killed."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        mortal = Mortal(Path(folder))
        yield mortal
        mortal.server.stop()


@pytest.fixture
async def mortal_stage(mortal: Mortal, registry: Registry, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on the PostgreSQL that may be killed."""
    databases = Databases(mortal.url)
    await databases.prepare()
    try:
        async with staged(databases, registry, tmp_path) as made:
            yield made
    finally:
        await databases.forget()
