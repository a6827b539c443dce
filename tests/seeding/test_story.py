"""`tenantry seed`: the small demo, which has a past of three months."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from commands import run
from tenantry.foundation.domain import Registry
from tenantry.foundation.story import DAYS, DEMO, DEMO_PASSWORD
from tenantry.testing import Databases, HandClock, Installation, installed


@pytest.fixture(scope="module")
async def told(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Installation, list[str]]]:
    """An installation with the small demo, and what was said when it was made."""
    folder = tmp_path_factory.mktemp("told")
    async with databases.fresh() as url, installed(url, folder, registry=registry) as house:
        yield house, await _seed(house)


async def _seed(house: Installation, **environ: str) -> list[str]:
    done = await run([sys.executable, "-m", "tenantry", "seed"], house, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


Told = tuple[Installation, list[str]]


async def test_whoever_tries_it_finds_two_organizations_with_people_in_them(told: Told) -> None:
    house, said = told
    assert said[0] == f"sign in as {DEMO} with the password: {DEMO_PASSWORD}"
    login = await house.client.post("/v1/auth/login", {"email": DEMO, "password": DEMO_PASSWORD})
    demo = house.client.signed_in(login.json)
    orgs = {one["slug"]: one for one in (await demo.get("/v1/orgs")).json["items"]}
    assert {slug: one["role"] for slug, one in orgs.items()} == {"harbour-lights": "owner", "quiet-cove": "member"}
    members = (await demo.get(f"/v1/orgs/{orgs['harbour-lights']['id']}/members")).json["items"]
    assert len(members) == 8
    assert {"owner", "admin", "member"} == {one["role"] for one in members}


async def test_others_can_be_tried_out_too(told: Told) -> None:
    house, said = told
    assert said[1] == "ruth@example.com, lin@example.com, amara@example.com and others have the same password"
    login = await house.client.post("/v1/auth/login", {"email": "ruth@example.com", "password": DEMO_PASSWORD})
    assert login.status == 200


async def test_what_happened_is_spread_over_three_months_in_rows_and_in_the_log(told: Told) -> None:
    house, _ = told
    [span] = await house.rows("select min(created_at) as first, max(created_at) as last, count(*) from tenantry.users")
    assert timedelta(days=DAYS - 5) < span["last"] - span["first"] < timedelta(days=DAYS)
    [apart] = await house.rows("""
        select count(*) as members, count(distinct joined_at::date) as days
          from tenantry.members
    """)
    assert apart["days"] > apart["members"] / 2
    # the log says the same instants as the rows
    [differing] = await house.rows("""
        select count(*) as rows
          from tenantry.users
         where not exists (select from tenantry.events where kind = 'accounts.user_joined' and at = users.created_at)
    """)
    assert differing["rows"] == 0


async def test_seeding_again_changes_nothing(told: Told) -> None:
    house, said = told
    counts = "select (select count(*) from tenantry.users) as users, (select count(*) from tenantry.events) as events"
    before = await house.rows(counts)
    assert await _seed(house) == said[:1]
    assert await house.rows(counts) == before


async def test_with_a_test_clock_it_ends_at_that_instant(clocked: Installation, clock: HandClock) -> None:
    clock.set(clock.now + timedelta(days=400))
    await _seed(clocked, **clock.environ)
    [span] = await clocked.rows("select max(joined_at) as last from tenantry.members")
    assert timedelta(0) < clock.now - span["last"] < timedelta(days=7)
