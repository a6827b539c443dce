"""How often an organization may ask: its plan says, on every process, within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from rates_kit import counting, items, limited

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.rates.known import FRESH, IN_USE, Known, org_policy
from tenantry.foundation.work import SystemWork
from tenantry.plans import actions
from tenantry.testing import Client, Installation, Team

PLANS = """
default = "free"

[limits]
api_per_minute = "Requests a minute"

[[plans]]
key = "free"
name = "Free"
limits = { api_per_minute = 20 }

[[plans]]
key = "team"
name = "Team"
limits = { api_per_minute = 600 }

[[plans]]
key = "none"
name = "None at all"
limits = { api_per_minute = 0 }

[[plans]]
key = "business"
name = "Business"
"""


@pytest.fixture
async def settings(tmp_path: Path) -> dict[str, str]:
    """Plans that say how often an organization may ask; the setting says otherwise."""
    file = tmp_path / "plans.toml"
    file.write_text(PLANS)
    return {"PLAN_FILE": str(file), "API_RATE": "900", "SOURCE_RATE": "5000"}


@pytest.fixture
async def house(
    database_url: str, registry: Registry, tmp_path: Path, settings: dict[str, str]
) -> AsyncIterator[Installation]:
    """An installation that goes by them."""
    async with counting(database_url, tmp_path, registry, **settings) as running:
        yield running


def _uuid(org: str) -> UUID:
    found = ORG_ID.read(org)
    assert found is not None
    return found


async def _give(house: Installation, org: str, plan: str) -> None:
    async with SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test") as work:
        await actions.give_plan(work, org_id=_uuid(org), plan=plan, source="subscription")


async def _override(house: Installation, org: str, times: int) -> None:
    async with SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test") as work:
        await actions.give_override(work, org_id=_uuid(org), feature_key="api_per_minute", value=times, reason="a test")


async def _rate(client: Client, org: str) -> int | None:
    """How often an organization may ask, as an answer says; None without end."""
    answer = await client.get(f"/v1/orgs/{org}/members", headers={"x-forwarded-for": "192.0.2.1"})
    assert answer.status in {200, 429}
    return items(answer.headers["ratelimit-policy"]).get("org", {"q": None})["q"]


async def _becomes(client: Client, org: str, rate: int | None, *, since: float) -> float:
    """The seconds until every answer says so."""
    while await _rate(client, org) != rate:
        assert time.monotonic() - since < 10
        await asyncio.sleep(0.02)
    return time.monotonic() - since


async def test_the_first_request_of_all_goes_by_the_plan(house: Installation) -> None:
    team = await house.team()
    assert await _rate(team.owner, team.org) == 20
    # so it does without waiting for anything, with what the plan of another says
    other = await house.team("Other")
    await _give(house, other.org, "team")
    assert await _rate(other.owner, other.org) == 600


async def test_a_plan_change_is_seen_by_every_process_within_a_second(
    house: Installation, database_url: str, registry: Registry, tmp_path: Path, settings: dict[str, str]
) -> None:
    team = await house.team()
    async with counting(database_url, tmp_path / "second", registry, **settings, PUBLIC_URL=house.origin) as second:
        there = Client(second._http, second.origin, tokens=team.owner.tokens)
        for client in (team.owner, there):
            assert await _rate(client, team.org) == 20
        for plan, rate in (("team", 600), ("business", None), ("team", 600)):
            await _give(house, team.org, plan)
            changed = time.monotonic()
            for took in await asyncio.gather(
                *(_becomes(client, team.org, rate, since=changed) for client in (team.owner, there))
            ):
                assert took < FRESH + 0.5
        await _override(house, team.org, 77)
        assert await _becomes(there, team.org, 77, since=time.monotonic()) < FRESH + 0.5


async def test_whose_plan_names_no_rate_may_ask_as_often_as_they_like(house: Installation) -> None:
    team = await house.team()
    await _give(house, team.org, "business")
    assert await _rate(team.owner, team.org) is None


async def test_who_may_ask_not_once_may_ask_once_a_minute_to_change_that(house: Installation) -> None:
    team = await house.team()
    await _give(house, team.org, "none")
    path = f"{team.path}/members"
    assert (await team.owner.get(path)).status == 200
    refused = await team.owner.get(path)
    assert limited(refused)
    assert refused.json["violated-policies"] == ["org"]


async def test_one_organization_over_its_rate_slows_no_other(house: Installation) -> None:
    noisy, quiet = await house.team("Noisy"), await house.team("Quiet")
    answers = await asyncio.gather(*(noisy.owner.get(f"{noisy.path}/members") for _ in range(60)))
    assert 20 <= sum(not limited(answer) for answer in answers) <= 22
    assert (await quiet.owner.get(f"{quiet.path}/members")).status == 200


async def test_a_plans_rate_holds_on_a_developers_own_machine_too(
    database_url: str, registry: Registry, tmp_path: Path, settings: dict[str, str]
) -> None:
    async with counting(
        database_url, tmp_path, registry, **settings, RATE_LIMITS="remote", TRUSTED_PROXIES=""
    ) as house:
        team: Team = await house.team()
        answers = [await team.owner.get(f"{team.path}/members") for _ in range(25)]
    assert 20 <= sum(not limited(answer) for answer in answers) <= 22
    assert list(items(answers[0].headers["ratelimit"])) == ["org"]


async def test_where_no_plan_knows_the_limit_the_setting_says(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    async with counting(database_url, tmp_path, registry, API_RATE="123") as house:
        team = await house.team()
        assert await _rate(team.owner, team.org) == 123


def test_what_is_known_of_a_rate_is_believed_for_a_second_and_heard_again_while_it_is_in_use() -> None:
    known, org, other = Known(org_policy(600)), uuid4(), uuid4()
    assert known.of(org, 0.0) is None
    known.hear([org, other], {org: 20}, at=100.0)
    heard, usual = known.of(org, 100.1), known.of(other, 100.1)
    assert heard is not None
    assert usual is not None
    assert heard.policy is org_policy(20)
    assert usual.policy is not None
    assert usual.policy.times == 600
    assert list(known.in_use(100.2)) == []
    # of what nobody says there is nothing to hear again
    assert list(known.in_use(100.9)) == [org]
    assert known.of(org, 100.0 + FRESH + 0.1) is None
    assert list(known.in_use(100.1 + IN_USE + timedelta(seconds=1).total_seconds())) == []


def test_no_more_organizations_are_kept_in_mind_than_there_is_room_for_and_those_in_use_stay() -> None:
    known = Known(org_policy(600), most=80)
    old = [uuid4() for _ in range(80)]
    known.hear(old, {}, at=100.0)
    for org in old[:10]:
        assert known.of(org, 100.5) is not None
    known.hear([uuid4()], {}, at=100.6)
    assert len(known) <= 80
    assert all(known.of(org, 100.7) for org in old[:10])
