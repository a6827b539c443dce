"""Quotas on things that there are: as many as the plan says, whoever makes them and however many at once."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rationed import (
    RUNS,
    InJob,
    founded,
    give,
    make_thing,
    member_work,
    org_call,
    posted,
    quotas,
    rationing,
    things,
    told,
    uuid_of,
)

from tenantry import Domain, Quota, require_room
from tenantry.foundation.domain import BadDomains, Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.work import SystemWork
from tenantry.plans.problems import LimitReached
from tenantry.testing import Client, Databases, Installation

PROCESS = Path(__file__).with_name("rationed_process.py")


@pytest.fixture(scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plan file is."""
    return tmp_path_factory.mktemp("rationed")


@pytest.fixture(scope="module")
async def house(databases: Databases, place: Path) -> AsyncIterator[Installation]:
    """An installation whose free plan has room for a hundred things."""
    async with databases.fresh() as url, rationing(url, place) as running:
        yield running


async def _post(owner: Client, org: str) -> int:
    return await posted(owner, f"/v1/orgs/{org}/things")


async def _directly(house: Installation, owner: Client, org: str) -> int:
    for _ in range(20):
        try:
            async with await member_work(house, owner, org) as work:
                await make_thing(work)
        except LimitReached:
            return 402
        except Unavailable:
            continue
        return 201
    return 503


async def _by_job(house: Installation, org: str, many: int) -> None:
    for _ in range(many):
        async with SystemWork(org_call(house.runtime, uuid_of(org)), reason="a test") as work:
            work.enqueue(NewJob.of("rationed.do", InJob("things"), max_attempts=1))


async def test_three_hundred_at_once_by_every_way_make_exactly_as_many_as_the_plan_has_room_for(
    house: Installation, place: Path
) -> None:
    owner, org = await founded(house)
    await _by_job(house, org, 100)
    worker = await asyncio.create_subprocess_exec(
        sys.executable, str(PROCESS), "work", house.runtime.database.url, str(place), stdout=PIPE
    )
    async with asyncio.timeout(100):
        answers = await asyncio.gather(
            *(_post(owner, org) for _ in range(100)), *(_directly(house, owner, org) for _ in range(100))
        )
        assert await worker.wait() == 0
    [row] = await house.rows("select count(*) from rationed.things where org_id = $1", uuid_of(org))
    assert row["count"] == 100
    assert set(answers) <= {201, 402}
    [by_jobs] = await house.rows("select count(*) from tenantry.dead_letters where org_id = $1", uuid_of(org))
    assert answers.count(201) + 100 - by_jobs["count"] == 100
    assert sorted(await told(house, org, "things")) == [(50, 100), (80, 100), (100, 100)]


async def test_throwing_one_away_makes_room_for_one(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    made = [await owner.post(f"/v1/orgs/{org}/things") for _ in range(3)]
    assert [answer.status for answer in made] == [201, 201, 402]
    assert (await owner.delete(f"/v1/orgs/{org}/things/{made[0].json['id']}")).status == 204
    assert [await _post(owner, org) for _ in range(2)] == [201, 402]


async def test_a_share_that_is_reached_again_in_the_same_period_is_told_once(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    for _ in range(3):
        made = await owner.post(f"/v1/orgs/{org}/things")
        assert made.status == 201
        assert (await owner.delete(f"/v1/orgs/{org}/things/{made.json['id']}")).status == 204
    assert await told(house, org, "things") == [(50, 2)]


async def test_what_is_not_committed_crosses_nothing(house: Installation) -> None:
    owner, org = await founded(house)
    await give(house, org, "soft")
    opened = await member_work(house, owner, org)
    work = await opened.__aenter__()
    await make_thing(work)
    await opened.__aexit__(ValueError, ValueError(), None)
    assert not await told(house, org, "things")
    assert (await quotas(owner, org))["things"]["used"] == 0


async def test_seats_are_a_quota_as_well(house: Installation) -> None:
    owner, org = await founded(house)
    for number in range(3):
        body = {"email": f"seat{number}{org[-6:]}@example.com", "role": "member"}
        assert (await owner.post(f"/v1/orgs/{org}/invites", body)).status == 201
    assert await told(house, org, "seats") == [(50, 4), (80, 4), (100, 4)]
    seats = (await quotas(owner, org))["seats"]
    assert (seats["used"], seats["allowed"], seats["remaining"], seats["reset"]) == (4, 4, 0, None)


def test_a_quota_is_on_a_thing_or_on_a_meter_that_somebody_declares() -> None:
    for wrong in ({}, {"used": things, "meter": RUNS}, {"used": things, "hard": False}):
        with pytest.raises(TypeError, match="quota things"):
            Quota(limit="things", title="Things", **wrong)  # type: ignore[arg-type]
    for quotas_of in (
        (Quota(limit="runs", title="Runs", meter=RUNS),),
        (Quota(limit="a", title="A", used=things),) * 2,
    ):
        with pytest.raises(BadDomains):
            Registry((Domain(name="one", quotas=quotas_of),))


async def test_room_is_asked_for_in_an_organization_and_by_something_that_counts(house: Installation) -> None:
    owner, org = await founded(house)
    with pytest.raises(TypeError, match="org_work"):
        async with SystemWork(org_call(house.runtime, uuid_of(org)), reason="a test") as work:
            await require_room(work, "things")
    with pytest.raises(TypeError, match="how to count"):
        async with await member_work(house, owner, org) as own:
            await require_room(own, "runs")
