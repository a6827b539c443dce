"""What is given adds up: plans by their reason, values instead of the plan's, values on top, each until its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from plan_kit import found, give, house_work, selling, uuid_of

from tenantry.foundation.domain import Registry
from tenantry.foundation.problems import NotFound, Problem
from tenantry.plans import actions, queries
from tenantry.plans.problems import BadValue, NothingGiven, UnknownFeature, UnknownPlan
from tenantry.testing import Client, Databases, HandClock, Installation


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file that the tests of this file share."""
    async with (
        databases.fresh() as url,
        selling(url, tmp_path_factory.mktemp("plans"), registry) as running,
    ):
        yield running


async def values(person: Client, org: str) -> dict[str, Any]:
    answer = await person.get(f"/v1/orgs/{org}/entitlements")
    assert answer.status == 200
    assert "reasons" not in answer.json["items"][0]
    return {"plan": answer.json["plan"]["key"]} | {one["feature_key"]: one["value"] for one in answer.json["items"]}


async def override(house: Installation, org: str, key: str, value: int | None, **rest: Any) -> None:
    async with house_work(house) as work:
        await actions.give_override(
            work, org_id=uuid_of(org), feature_key=key, value=value, **{"reason": "a trial"} | rest
        )


async def test_the_plans_are_told_to_everybody(house: Installation) -> None:
    answer = await house.client.get("/v1/plans")
    assert [item["key"] for item in answer.json["items"]] == ["free", "pro", "all"]
    free, pro, _ = answer.json["items"]
    assert free["price"] is None
    assert pro["price"] == {"amount": 1200, "currency": "eur", "interval": "month", "per_seat": True}
    assert (len(pro["prices"]), pro["limits"]["seats"], pro["trial_days"]) == (2, 10, 14)


async def test_whoever_was_given_nothing_is_on_the_default_plan(house: Installation) -> None:
    owner, org = await found(house)
    expected = {"plan": "free", "sso": False, "exports": False, "seats": 3, "projects": 2, "audit_days": None}
    assert await values(owner, org) == expected
    assert (await owner.get(f"/v1/orgs/{org}")).json["plan"] == "free"


async def test_a_grant_counts_before_a_subscription_and_that_before_a_trial(house: Installation) -> None:
    owner, org = await found(house)
    for plan, source, version in (("pro", "trial", 1), ("pro", "subscription", 2), ("all", "grant", 1)):
        await give(house, org, plan, source=source, version=version)
        assert (await owner.get(f"/v1/orgs/{org}")).json["plan"] == plan
    assert await values(owner, org) | {"exports": True} == await values(owner, org)
    assert (await values(owner, org))["projects"] is None
    async with house_work(house) as work:
        await actions.end_plan(work, org_id=uuid_of(org), source="grant")
    assert (await values(owner, org))["seats"] == 10
    async with house_work(house) as work:
        await actions.end_plan(work, org_id=uuid_of(org), source="subscription")
    assert (await values(owner, org))["seats"] == 5
    assert [item["plan"] for item in (await owner.get("/v1/orgs")).json["items"]] == ["pro"]


async def test_bought_seats_count_in_place_of_the_plans(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", seats=37)
    assert (await values(owner, org))["seats"] == 37


async def test_a_value_of_its_own_replaces_the_plans_and_an_add_on_comes_on_top(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro")
    await override(house, org, "projects", 3)
    await override(house, org, "projects", 4, source="add_on")
    await override(house, org, "sso", 0)
    await override(house, org, "seats", 5, source="add_on")
    assert await values(owner, org) | {"projects": 7, "sso": False, "seats": 15} == await values(owner, org)
    await override(house, org, "projects", None)
    assert (await values(owner, org))["projects"] is None
    async with house_work(house) as work:
        await actions.lift_override(work, org_id=uuid_of(org), feature_key="projects")
    assert (await values(owner, org))["projects"] == 54


async def test_each_value_says_where_it_comes_from(house: Installation) -> None:
    owner, org = await found(house)
    until = datetime(2100, 1, 1, tzinfo=UTC)
    await give(house, org, "pro", source="trial", valid_until=until)
    await override(house, org, "projects", 3)
    answer = await owner.get(f"/v1/orgs/{org}/entitlements?explain=1")
    told = {one["feature_key"]: one for one in answer.json["items"]}
    end = "2100-01-01T00:00:00Z"
    assert answer.json["plan"] == {"key": "pro", "name": "Pro", "version": 2, "valid_until": end}
    assert told["projects"]["reasons"] == [
        {"source": "trial", "value": 50, "valid_until": end, "counts": False},
        {"source": "override", "value": 3, "valid_until": None, "counts": True},
    ]
    assert (told["projects"]["source"], told["sso"]["source"], told["sso"]["kind"]) == ("override", "trial", "feature")
    assert told["sso"]["reasons"] == [{"source": "trial", "value": True, "valid_until": end, "counts": True}]


async def test_what_ends_counts_to_its_end_and_not_a_moment_longer(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> None:
    async with selling(database_url, tmp_path, registry, **clock.environ) as house:
        _, org = await found(house)
        [row] = await house.rows("select tenantry.now() as now")
        await give(house, org, "pro", source="trial", valid_until=row["now"] + timedelta(days=14))
        await override(house, org, "projects", 9, valid_until=row["now"] + timedelta(days=2))
        told = []
        for days in (1, 2, 12):
            clock.advance(days=days)
            async with house_work(house) as work:
                entitled = await queries.entitlements(work, uuid_of(org))
            told.append((entitled.plan.key, entitled.limit("projects")))
        assert told == [("pro", 9), ("pro", 50), ("free", 2)]


async def test_an_organizations_plan_is_seen_by_its_members_and_nobody_else(house: Installation) -> None:
    team = await house.team()
    await give(house, team.org, "pro")
    for person in (team.owner, team.admin, team.member):
        assert (await values(person, team.org))["plan"] == "pro"
    assert (await team.stranger.get(f"{team.path}/entitlements")).status == 404
    assert (await house.client.get(f"{team.path}/entitlements")).status == 401
    mine, own = await found(house, team.stranger)
    assert (await values(mine, own))["plan"] == "free"
    assert {item["id"]: item["plan"] for item in (await mine.get("/v1/orgs")).json["items"]} == {own: "free"}


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ({"plan": "gone"}, UnknownPlan),
        ({"plan": "pro", "version": 3}, UnknownPlan),
        ({"plan": "pro", "org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt"}, NotFound),
        ({"key": "gone", "value": 1}, UnknownFeature),
        ({"key": "sso", "value": 2}, BadValue),
        ({"key": "sso", "value": None}, BadValue),
        ({"key": "seats", "value": -1}, BadValue),
        ({"key": "seats", "value": 2**53}, BadValue),
        ({"key": "seats", "value": 1, "org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt"}, NotFound),
        ({"ends": "grant"}, NothingGiven),
        ({"lifts": "seats"}, NothingGiven),
    ],
)
async def test_what_makes_no_sense_is_refused_and_nothing_kept(
    house: Installation, refused: dict[str, Any], why: type[Problem]
) -> None:
    owner, org = await found(house)
    before = await house.rows("select count(*) from tenantry.events")
    with pytest.raises(why):
        await attempt(house, **{"org": org} | refused)
    assert await house.rows("select count(*) from tenantry.events") == before
    assert (await values(owner, org))["plan"] == "free"


async def attempt(house: Installation, *, org: str, **given: Any) -> None:
    place = uuid_of(org)
    async with house_work(house) as work:
        match given:
            case {"plan": _}:
                await actions.give_plan(work, org_id=place, source="grant", **given)
            case {"ends": source}:
                await actions.end_plan(work, org_id=place, source=source)
            case {"lifts": key}:
                await actions.lift_override(work, org_id=place, feature_key=key)
            case {"key": key, "value": value}:
                await actions.give_override(work, org_id=place, feature_key=key, value=value, reason="a trial")


async def test_members_can_read_and_never_write_what_they_are_entitled_to(house: Installation) -> None:
    [row] = await house.rows("""
        select bool_or(has_table_privilege('tenantry_app', 'tenantry.' || name, right_)) as writes
          from unnest(array['org_plans', 'plan_overrides']) as name
         cross join unnest(array['insert', 'update', 'delete', 'truncate']) as right_
    """)
    assert row["writes"] is False


async def test_a_change_of_plan_is_in_the_audit_log_with_what_it_is_now(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", source="grant")
    await override(house, org, "seats", 8, reason="they asked nicely")
    items = (await owner.get(f"/v1/orgs/{org}/audit-log?action=plans")).json["items"]
    assert [item["action"] for item in items] == ["plans:override:given", "plans:plan:given"]
    assert items[0]["after"] == {"feature_key": "seats", "source": "override", "value": 8, "valid_until": None}
    assert items[1]["after"]["plan"] == "pro"


async def test_a_purged_organization_leaves_nothing_of_its_plan(house: Installation) -> None:
    _, org = await found(house)
    await give(house, org, "pro")
    await override(house, org, "seats", 8)
    await house.rows("delete from tenantry.orgs where id = $1 returning id", uuid_of(org))
    left = "select from tenantry.{} where org_id = $1"
    for table in ("org_plans", "plan_overrides"):
        assert not await house.rows(left.format(table), uuid_of(org))
