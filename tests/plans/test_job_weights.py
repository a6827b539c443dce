"""A plan says how much of the job queue its organizations get, and says it to the queue in the commit that gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from plan_kit import PLANS, found, give, house_work, selling, uuid_of

from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.plans import actions
from tenantry.plans.models import MOST_WEIGHT
from tenantry.testing import Databases, Installation

WEIGHED = PLANS.replace('projects = "Projects"', 'projects = "Projects"\njob_weight = "Part of the queue"', 1).replace(
    "projects = 50, audit_days = 7", "projects = 50, audit_days = 7, job_weight = 5"
)
WEIGHT = "select weight, until from tenantry.job_weights where org_id = $1"


@pytest.fixture
async def shop(databases: Databases, tmp_path: Path, registry: Registry) -> AsyncIterator[Installation]:
    async with databases.fresh() as url, selling(url, tmp_path, registry, WEIGHED) as house:
        yield house


async def weight_of(house: Installation, org: str) -> int:
    """How much the queue takes it to weigh now."""
    [row] = await house.rows("select tenantry.job_weight($1) as weight", uuid_of(org))
    return int(row["weight"])


async def test_an_organization_weighs_one_until_its_plan_says_otherwise(shop: Installation) -> None:
    _, org = await found(shop)
    assert await weight_of(shop, org) == 1
    await give(shop, org, "pro")
    assert await weight_of(shop, org) == 5
    async with house_work(shop) as work:
        await actions.end_plan(work, org_id=uuid_of(org), source="subscription")
    assert await weight_of(shop, org) == 1
    assert await shop.rows(WEIGHT, uuid_of(org)) == []


async def test_a_value_of_its_own_counts_as_ever_and_within_reason(shop: Installation) -> None:
    _, org = await found(shop)
    given = {"org_id": uuid_of(org), "feature_key": "job_weight"}
    async with house_work(shop) as work:
        await actions.give_override(work, **given, value=1_000, reason="a launch")
    assert await weight_of(shop, org) == MOST_WEIGHT
    async with house_work(shop) as work:
        await actions.lift_override(work, **given)
    assert await weight_of(shop, org) == 1


async def test_what_a_plan_gave_for_a_while_ends_with_it(shop: Installation) -> None:
    _, org = await found(shop)
    await give(shop, org, "pro", valid_until=shop.runtime.clock.now() + timedelta(days=1))
    [row] = await shop.rows(WEIGHT, uuid_of(org))
    assert (row["weight"], row["until"] is not None) == (5, True)
    await shop.rows("update tenantry.job_weights set until = tenantry.now() returning weight")
    assert await weight_of(shop, org) == 1


async def test_a_plan_that_was_not_given_leaves_no_weight(shop: Installation) -> None:
    _, org = await found(shop)
    with suppress(ZeroDivisionError):
        async with house_work(shop) as work:
            await actions.give_plan(work, org_id=uuid_of(org), plan="pro", source="grant")
            raise ZeroDivisionError
    assert await weight_of(shop, org) == 1


async def test_a_plan_file_that_changed_is_gone_through(
    databases: Databases, tmp_path: Path, registry: Registry
) -> None:
    async with databases.fresh() as url:
        async with selling(url, tmp_path, registry, WEIGHED) as before:
            _, org = await found(before)
            await give(before, org, "pro")
        # a process reads its plan file once
        (later := tmp_path / "later").mkdir()
        async with selling(url, later, registry, WEIGHED.replace("job_weight = 5", "job_weight = 9")) as after:
            assert await weight_of(after, org) == 5
            await after.ask(NewJob("plans.weigh_orgs"))
            await after.drain_jobs()
            assert await weight_of(after, org) == 9


async def test_organizations_are_gone_through_a_part_at_a_time(shop: Installation) -> None:
    owner, first = await found(shop)
    _, second = await found(shop, owner)
    for org in (first, second):
        await give(shop, org, "pro")
    await shop.rows("update tenantry.job_weights set weight = 50 returning weight")
    low, high = sorted([first, second], key=uuid_of)
    async with house_work(shop) as work:
        after = await actions.weigh_orgs(work, after=uuid_of("org_00000000000000000000000000"), most=1)
    assert (after, await weight_of(shop, low), await weight_of(shop, high)) == (uuid_of(low), 5, 50)
    async with house_work(shop) as work:
        await actions.weigh_orgs(work, after=uuid_of(low), most=200)
    assert await weight_of(shop, high) == 5
