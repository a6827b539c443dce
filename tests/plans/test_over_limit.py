"""A plan that becomes smaller deletes nothing: what it has no room for can be read and deleted, and not be changed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import gated
import pytest
from gated import SCHEMA
from plan_kit import UPGRADE, found, give, house_work, selling, uuid_of

from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.domain import Registry
from tenantry.plans import actions
from tenantry.testing import Client, Databases, Installation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation whose default plan has room for two projects, with something to make them."""
    async with databases.fresh() as url:
        connection = await asyncpg.connect(url)
        await connection.execute(SCHEMA)
        await connection.close()
        known = Registry((*DOMAINS, gated.domain), jobs=housekeeping)
        async with selling(url, tmp_path_factory.mktemp("over"), known) as running:
            yield running


async def lapsed(house: Installation) -> tuple[Client, str, list[str]]:
    """Somebody whose organization made four projects on a large plan and is back on the default; the oldest first."""
    owner, org = await found(house)
    await give(house, org, "pro")
    for _ in range(4):
        assert (await owner.post(f"/v1/orgs/{org}/projects")).status == 200
    async with house_work(house) as work:
        await actions.end_plan(work, org_id=uuid_of(org), source="subscription")
    return owner, org, await projects(owner, org)


async def projects(owner: Client, org: str) -> list[str]:
    return [one["id"] for one in (await owner.get(f"/v1/orgs/{org}/projects")).json["items"]]


async def renamed(owner: Client, org: str, project: str) -> tuple[int, str]:
    answer = await owner.patch(f"/v1/orgs/{org}/projects/{project}", {"name": "other"})
    return answer.status, answer.json["code"] if answer.status >= 400 else ""


async def test_what_the_smaller_plan_has_no_room_for_is_there_and_cannot_be_changed(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    assert len(all_four) == 4
    asked = [await renamed(owner, org, project) for project in all_four]
    assert asked == [(204, ""), (204, ""), (402, "over_limit"), (402, "over_limit")]
    kept = await house.rows("select name from projects.projects where org_id = $1 order by created_at", uuid_of(org))
    assert [row["name"] for row in kept] == ["other", "other", "new", "new"]
    refused = (await owner.patch(f"/v1/orgs/{org}/projects/{all_four[3]}", {"name": "other"})).json
    told = {key: refused[key] for key in ("limit", "allowed", "place", "plan", "upgrade_url")}
    upgrade = UPGRADE.replace("{org}", org)
    assert told == {"limit": "projects", "allowed": 2, "place": 4, "plan": "free", "upgrade_url": upgrade}


async def test_no_more_can_be_added_until_there_is_room(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    assert (await owner.post(f"/v1/orgs/{org}/projects")).json["code"] == "limit_reached"
    for project in all_four[1:]:
        assert (await owner.post(f"/v1/orgs/{org}/projects")).status == 402
        assert (await owner.delete(f"/v1/orgs/{org}/projects/{project}")).status == 204
    assert (await owner.post(f"/v1/orgs/{org}/projects")).status == 200


async def test_what_is_left_when_an_older_one_is_deleted_can_be_changed(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    assert (await owner.delete(f"/v1/orgs/{org}/projects/{all_four[0]}")).status == 204
    assert [(await renamed(owner, org, project))[0] for project in all_four[1:]] == [204, 204, 402]


async def test_after_paying_again_all_can_be_changed(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    await give(house, org, "pro")
    assert [await renamed(owner, org, project) for project in all_four] == [(204, "")] * 4
    assert (await owner.post(f"/v1/orgs/{org}/projects")).status == 200


async def test_where_the_plan_has_no_limit_all_can_be_changed(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    await give(house, org, "all")
    assert [await renamed(owner, org, project) for project in all_four] == [(204, "")] * 4


async def test_other_organizations_take_nobodys_place(house: Installation) -> None:
    await lapsed(house)
    owner, org = await found(house)
    await owner.post(f"/v1/orgs/{org}/projects")
    assert await renamed(owner, org, (await projects(owner, org))[0]) == (204, "")


async def test_what_is_not_there_is_not_found_and_not_refused_for_a_plan(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    await owner.delete(f"/v1/orgs/{org}/projects/{all_four[3]}")
    assert await renamed(owner, org, all_four[3]) == (404, "not_found")


async def test_of_changes_and_deletions_at_once_none_is_held_up_or_let_through_beyond(house: Installation) -> None:
    owner, org, all_four = await lapsed(house)
    gone, *answers = await asyncio.gather(
        owner.delete(f"/v1/orgs/{org}/projects/{all_four[0]}"),
        *(renamed(owner, org, project) for project in all_four[1:]),
    )
    assert gone.status == 204
    # the third is within the limit once the first is gone, whoever was faster
    assert (answers[0][0], answers[2][0]) == (204, 402)
    assert answers[1] in [(204, ""), (402, "over_limit")]


def test_the_guides_example_is_the_one_that_is_tried_here() -> None:
    guide = (ROOT / "docs/howto/plans.md").read_text(encoding="utf-8")
    [example] = [one for one in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "await require_within(" in one]
    tried = Path(gated.__file__).read_text(encoding="utf-8")
    assert example in tried
