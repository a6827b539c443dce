"""What an organization's keys were at any instant comes back from its events, and what is personal can be erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
from key_kit import as_house, make

from tenantry.api_keys import actions, history
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.events.folding import fold
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation
from tenantry.testing.team import Team


async def test_every_column_of_the_keys_comes_back_or_is_named(house: Installation) -> None:
    owner = await asyncpg.connect(house.runtime.database.url)
    assert {one.table for one in history.FOLDS} == set(actions.TABLES) - {"api_key_secrets"}
    for one in history.FOLDS:
        found = await owner.fetch(
            "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped",
            f"tenantry.{one.table}",
        )
        assert {row["attname"] for row in found} == {*one.row.__struct_fields__, *one.left_out}
    await owner.close()


async def _now(house: Installation, team: Team) -> tuple[datetime, list[dict[str, Any]]]:
    [moment] = await house.rows("select tenantry.tick() as now")
    rows = await house.rows("select * from tenantry.api_keys where org_id = $1 order by id", ORG_ID.read(team.org))
    names = history.KeyThen.__struct_fields__
    return moment["now"], [{name: row[name] for name in names} for row in rows]


async def _then(house: Installation, team: Team, at: datetime) -> list[dict[str, Any]]:
    org_id = ORG_ID.read(team.org)
    assert org_id is not None
    async with SystemWork(as_house(house), reason="a test", reading=True) as work:
        tables = await fold(work, house.registry.folds, org_id=org_id, at=at)
    names = history.KeyThen.__struct_fields__
    found = [{name: getattr(row, name) for name in names} for row in tables["api_keys"]]
    return sorted(found, key=lambda row: str(row["id"]))


async def test_keys_are_folded_as_they_stood(installation: Installation) -> None:
    house = installation
    team = await house.team()
    instants = [await _now(house, team)]
    first = await make(house, team.member, team.org, addresses=["192.0.2.0/24", "127.0.0.0/8"])
    instants.append(await _now(house, team))
    second = await make(house, team.admin, team.org, "members:read", "org:read", kind="service")
    for who, method, path, body in (
        (team.member, "PATCH", first.path, {"name": "Other", "scopes": ["org:read"]}),
        (team.admin, "PATCH", second.path, {"addresses": ["::1"], "expires_at": None}),
        (team.admin, "POST", f"{second.path}/rotation", None),
        (team.member, "DELETE", first.path, None),
        (team.admin, "DELETE", f"{team.path}/members/{team.member.user_id}", None),
    ):
        assert (await who.request(method, path, body=body)).status in {200, 204}
        instants.append(await _now(house, team))
    await _purged(house, team)
    instants.append(await _now(house, team))
    assert [len(rows) for _, rows in instants] == [0, 1, 2, 2, 2, 2, 2, 1]
    for at, rows in instants:
        assert await _then(house, team, at) == rows


async def _purged(house: Installation, team: Team) -> None:
    """As the purges of the member and of the admin do it, but for what else they do."""
    for who in (team.member, team.admin):
        person = USER_ID.read(who.user_id)
        assert person is not None
        async with SystemWork(as_house(house), reason="a test") as work:
            await actions.part_with(work, person, who.email)


async def test_a_use_leaves_no_trace_in_the_history(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    before = len(await house.rows("select from tenantry.events"))
    assert (await made.program.get(f"{team.path}/members")).status == 200
    assert len(await house.rows("select from tenantry.events")) == before
