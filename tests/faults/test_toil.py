"""Jobs, schedules, consumers and audit rows: each exactly once, wherever worker, connection or database dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from .app import Stage
from .conftest import Mortal
from .crash_points import Point, Victim, cut, enumerate_points, sample, visit_all
from .toil import Toil, milling

SHARE = 0.012
# what must be among the points, by a word of its statement
STEPS = {
    "claim": "with recursive waiting",
    "limited claim": "tenantry.job_queues",
    "complete": "delete from tenantry.job_runs",
    "bundle of event and audit row": "as (insert into tenantry.events",
    "cron tick": "tenantry.job_schedules",
    "consumer": "tenantry.consumers",
    "progress": "tenantry.job_reports",
    "commit": "commit",
}


@pytest.fixture
def few(request: pytest.FixtureRequest) -> Callable[[Sequence[Point]], list[Point]]:
    """Each point with --all-faults, else a few: each costs a start of a worker or two."""
    return list if request.config.getoption("--all-faults") else lambda points: sample(points, SHARE)


@pytest.fixture
async def mill_stage(server_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """The mill on the PostgreSQL of the session, which must not be killed."""
    async with milling(server_url, tmp_path) as stage:
        yield stage


@pytest.fixture
async def mortal_mill_stage(mortal: Mortal, tmp_path: Path) -> AsyncIterator[Stage]:
    """The mill on the PostgreSQL that may be killed."""
    async with milling(mortal.url, tmp_path) as stage:
        yield stage


async def hold(stage: Stage, few: Callable[[Sequence[Point]], list[Point]], victim: Victim | None = None) -> None:
    points = await enumerate_points(Toil(stage))
    said = [point.unit.sql for point in points]
    assert not [step for step, words in STEPS.items() if not any(words in sql for sql in said)]
    await visit_all(Toil(stage, victim), few(points))


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_all_is_done_once_wherever_the_worker_is_killed(
    mill_stage: Stage, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    await hold(mill_stage, few)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_all_is_done_once_wherever_the_workers_connection_is_cut(
    mill_stage: Stage, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    await hold(mill_stage, few, cut)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_all_is_done_once_wherever_the_database_is_killed(
    mortal_mill_stage: Stage, mortal: Mortal, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    await hold(mortal_mill_stage, few, mortal.kill)
