"""Gates: what a plan does not have is answered 402 and not done, also when everybody comes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import gated
import pytest
from gated import SCHEMA, make_export
from plan_kit import UPGRADE, found, give, selling, uuid_of

from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.work import OrgWork
from tenantry.plans import requires_feature
from tenantry.plans.problems import FeatureNeeded
from tenantry.testing import Client, Databases, Installation
from tenantry.testing.installation import installed


@pytest.fixture(scope="module")
def gated_registry() -> Registry:
    """Core's domains and the one whose operations ask the plan."""
    return Registry((*DOMAINS, gated.domain), jobs=housekeeping)


@pytest.fixture(scope="module")
async def house(
    databases: Databases, gated_registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file, and something to ask it about."""
    async with databases.fresh() as url:
        await prepare(url)
        async with selling(url, tmp_path_factory.mktemp("gates"), gated_registry) as running:
            yield running


async def prepare(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(SCHEMA)
    await connection.close()


async def test_a_feature_that_the_plan_has_not_is_answered_402_with_what_to_do(house: Installation) -> None:
    owner, org = await found(house)
    refused = await owner.post(f"/v1/orgs/{org}/sign-on")
    assert (refused.status, refused.headers["content-type"]) == (402, "application/problem+json")
    told = {key: refused.json[key] for key in ("code", "feature", "plan", "upgrade_url")}
    upgrade = UPGRADE.replace("{org}", org)
    assert told == {"code": "feature_needed", "feature": "sso", "plan": "free", "upgrade_url": upgrade}
    await give(house, org, "pro")
    assert (await owner.post(f"/v1/orgs/{org}/sign-on")).status == 200


async def test_a_feature_does_not_open_what_a_role_does_not(house: Installation) -> None:
    team = await house.team()
    await give(house, team.org, "all")
    assert (await team.stranger.post(f"{team.path}/sign-on")).status == 404
    assert (await team.member.post(f"{team.path}/sign-on")).status == 200


async def test_a_limit_is_kept_by_many_at_once(house: Installation) -> None:
    owner, org = await found(house)
    answers = await asyncio.gather(*(owner.post(f"/v1/orgs/{org}/projects") for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] * 2 + [402] * 8
    refused = next(answer.json for answer in answers if answer.status == 402)
    assert (refused["limit"], refused["allowed"], refused["used"]) == ("projects", 2, 2)
    await give(house, org, "all")
    assert (await owner.post(f"/v1/orgs/{org}/projects")).json == {"projects": 3}


async def test_a_limit_counts_for_each_organization_alone(house: Installation) -> None:
    owner, org = await found(house)
    _, other = await found(house, owner)
    for _ in range(2):
        await owner.post(f"/v1/orgs/{org}/projects")
    assert (await owner.post(f"/v1/orgs/{other}/projects")).json == {"projects": 1}


async def test_a_verb_asks_for_its_feature_wherever_it_is_called(house: Installation) -> None:
    owner, org = await found(house)
    with pytest.raises(FeatureNeeded):
        async with await _work(house, owner, org) as work:
            await make_export(work)
    assert not await house.rows("select from projects.projects where org_id = $1", uuid_of(org))
    await give(house, org, "pro")
    async with await _work(house, owner, org) as work:
        await make_export(work)
    assert await house.rows("select from projects.projects where org_id = $1", uuid_of(org))


async def test_only_what_happens_in_an_organization_can_ask_for_a_feature() -> None:
    @requires_feature("sso")
    async def anywhere(call: str) -> None: ...

    with pytest.raises(TypeError, match="OrgWork"):
        await anywhere("a call")


async def test_the_refusal_is_in_the_description_of_the_operation(house: Installation) -> None:
    document = (await house.client.get("/openapi.json")).json
    assert "402" in document["paths"]["/v1/orgs/{org}/sign-on"]["post"]["responses"]
    assert "402" in document["paths"]["/v1/orgs/{org}/invites"]["post"]["responses"]


async def test_without_a_plan_file_everything_is_open(
    databases: Databases, gated_registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with databases.fresh() as url:
        await prepare(url)
        async with installed(url, tmp_path_factory.mktemp("open"), registry=gated_registry) as house:
            owner, org = await found(house)
            assert (await owner.post(f"/v1/orgs/{org}/sign-on")).status == 200
            assert [(await owner.post(f"/v1/orgs/{org}/projects")).status for _ in range(5)] == [200] * 5
            plans = (await house.client.get("/v1/plans")).json["items"]
            assert [(plan["key"], plan["features"]) for plan in plans] == [("free", ["*"])]


async def _work(house: Installation, person: Client, org: str) -> OrgWork:
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", person=USER_ID.read(person.user_id), session=SESSION_ID.read(claims.sid))
    return OrgWork(Call(house.runtime, actor, "a-trial"), uuid_of(org))
