"""Members and roles: nobody reaches above themselves, an owner always remains, and what ends holds at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from tenantry.accounts.actions import purge_person
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.permission import Role
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions
from tenantry.testing import Client, Installation, Response


@dataclass(frozen=True)
class Team:
    """An organization and its people, by role."""

    house: Installation
    id: str
    owner: Client
    admin: Client
    member: Client
    second: Client

    async def list(self) -> dict[str, str]:
        """Who has which role, asked by its owner."""
        items = (await self.owner.get(f"/v1/orgs/{self.id}/members")).json["items"]
        return {item["user_id"]: item["role"] for item in items}

    async def set_role(self, by: Client, whose: Client, role: Role, match: str = "*") -> Response:
        """Somebody gives somebody a role."""
        path = f"/v1/orgs/{self.id}/members/{whose.user_id}"
        return await by.patch(path, {"role": role}, headers={"if-match": match})

    async def remove(self, by: Client, whose: Client) -> Response:
        """Somebody removes somebody."""
        return await by.delete(f"/v1/orgs/{self.id}/members/{whose.user_id}")

    async def leave(self, who: Client) -> Response:
        """Somebody leaves."""
        return await who.delete(f"/v1/orgs/{self.id}/members/me")

    async def transfer(self, by: Client, to: Client) -> Response:
        """Somebody hands their ownership on."""
        return await by.post(f"/v1/orgs/{self.id}/ownership-transfer", {"user_id": to.user_id})

    async def add(self, who: Client, role: Role) -> None:
        """Make somebody a member, as an invite would."""
        org_id, user_id = ORG_ID.read(self.id), USER_ID.read(who.user_id)
        assert org_id is not None
        assert user_id is not None
        call = Call(self.house.runtime, Actor("cli"), "0123456789")
        async with SystemWork(call, reason="a test of members") as work:
            await actions.add_member(work, org_id=org_id, user_id=user_id, role=role)


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization of four."""
    owner, admin, member, second = [await house.person() for _ in range(4)]
    org = (await owner.post("/v1/orgs", {"name": "Acme"})).json["id"]
    team = Team(house, org, owner, admin, member, second)
    await team.add(admin, "admin")
    await team.add(member, "member")
    await team.add(second, "member")
    return team


# what each may do to each: by whom, to whom, with which answer
ROLES: list[tuple[str, str, Role, int, str | None]] = [
    ("owner", "member", "owner", 200, None),
    ("owner", "admin", "member", 200, None),
    ("admin", "member", "admin", 200, None),
    ("admin", "admin", "member", 200, None),
    ("admin", "member", "owner", 403, "above_you"),
    ("admin", "admin", "owner", 403, "above_you"),
    ("admin", "owner", "member", 403, "above_you"),
    ("admin", "owner", "owner", 403, "above_you"),
    ("member", "second", "member", 403, "forbidden"),
    ("member", "member", "owner", 403, "forbidden"),
    ("member", "owner", "member", 403, "forbidden"),
    ("owner", "owner", "admin", 409, "last_owner"),
    ("owner", "owner", "owner", 200, None),
]


@pytest.mark.parametrize(("by", "whose", "role", "status", "code"), ROLES)
async def test_nobody_reaches_above_themselves(
    team: Team, by: str, whose: str, role: Role, status: int, code: str | None
) -> None:
    before = await team.list()
    answer = await team.set_role(getattr(team, by), getattr(team, whose), role)
    assert (answer.status, answer.code) == (status, code)
    changed = {getattr(team, whose).user_id: role} if status == 200 else {}
    assert await team.list() == before | changed


@pytest.mark.parametrize(
    ("by", "whose", "status", "code"),
    [
        ("owner", "admin", 204, None),
        ("admin", "member", 204, None),
        ("admin", "admin", 204, None),
        ("admin", "owner", 403, "above_you"),
        ("member", "second", 403, "forbidden"),
        ("member", "member", 403, "forbidden"),
        ("owner", "owner", 409, "last_owner"),
    ],
)
async def test_who_may_remove_whom(team: Team, by: str, whose: str, status: int, code: str | None) -> None:
    answer = await team.remove(getattr(team, by), getattr(team, whose))
    assert (answer.status, answer.code) == (status, code)
    assert (getattr(team, whose).user_id in await team.list()) is (status != 204)


async def test_a_removed_member_is_refused_at_once_here_and_nowhere_else(team: Team) -> None:
    elsewhere = (await team.member.post("/v1/orgs", {"name": "Mine"})).json["id"]
    assert (await team.member.get(f"/v1/orgs/{team.id}")).status == 200
    assert (await team.remove(team.admin, team.member)).status == 204
    assert (await team.member.get(f"/v1/orgs/{team.id}")).code == "not_found"
    assert (await team.member.get(f"/v1/orgs/{elsewhere}")).status == 200
    assert (await team.remove(team.admin, team.member)).code == "not_found"


async def test_a_demoted_admin_governs_nobody_from_the_next_request_on(team: Team) -> None:
    assert (await team.set_role(team.owner, team.admin, "member")).status == 200
    assert (await team.set_role(team.admin, team.member, "admin")).code == "forbidden"
    assert (await team.remove(team.admin, team.member)).code == "forbidden"


async def test_everybody_but_the_last_owner_may_leave(team: Team) -> None:
    assert (await team.leave(team.owner)).code == "last_owner"
    for person in (team.admin, team.member, team.second):
        assert (await team.leave(person)).status == 204
        assert (await team.leave(person)).code == "not_found"
    assert await team.list() == {team.owner.user_id: "owner"}


async def test_of_two_owners_who_leave_at_once_one_stays(team: Team) -> None:
    for _ in range(5):
        assert (await team.set_role(team.owner, team.admin, "owner")).status == 200
        answers = await asyncio.gather(team.leave(team.owner), team.leave(team.admin))
        assert sorted(answer.status for answer in answers) == [204, 409]
        left, stays = (team.owner, team.admin) if answers[0].status == 204 else (team.admin, team.owner)
        found = await team.house.rows(
            "select role from tenantry.members where org_id = $1 and role = 'owner'", ORG_ID.read(team.id)
        )
        assert len(found) == 1
        await team.add(left, "member")
        if stays is team.admin:
            assert (await team.transfer(team.admin, team.owner)).status == 200


async def test_of_two_owners_who_demote_each_other_at_once_one_stays(team: Team) -> None:
    assert (await team.set_role(team.owner, team.admin, "owner")).status == 200
    answers = await asyncio.gather(
        team.set_role(team.owner, team.admin, "member"), team.set_role(team.admin, team.owner, "member")
    )
    assert sorted(answer.status for answer in answers) == [200, 403]
    roles = sorted(
        row["role"]
        for row in await team.house.rows("select role from tenantry.members where org_id = $1", ORG_ID.read(team.id))
    )
    assert roles == ["member", "member", "member", "owner"]


async def test_an_owner_who_leaves_while_the_other_closes_their_account_is_kept(team: Team) -> None:
    assert (await team.set_role(team.owner, team.admin, "owner")).status == 200
    closing = team.admin.post("/v1/users/me/closure", {"password": "correct horse battery staple"})
    answers = await asyncio.gather(team.leave(team.owner), closing)
    assert sorted(answer.status for answer in answers) in ([200, 409], [204, 409])


async def test_the_only_owner_cannot_close_their_account_and_is_told_why(team: Team) -> None:
    password = {"password": "correct horse battery staple"}
    answer = await team.owner.post("/v1/users/me/closure", password)
    assert answer.code == "closure_blocked"
    assert answer.json["blockers"] == [
        {"code": "sole_owner", "message": "You are the only owner of Acme.", "id": team.id}
    ]
    assert (await team.transfer(team.owner, team.admin)).status == 200
    assert (await team.owner.post("/v1/users/me/closure", password)).status == 200


async def test_ownership_is_handed_on(team: Team) -> None:
    answer = await team.transfer(team.owner, team.member)
    assert (answer.status, answer.json["role"]) == (200, "owner")
    assert (await team.member.get(f"/v1/orgs/{team.id}")).json["role"] == "owner"
    assert (await team.owner.get(f"/v1/orgs/{team.id}")).json["role"] == "admin"
    assert (await team.transfer(team.owner, team.second)).code == "forbidden"


async def test_ownership_handed_on_twice_at_once_goes_to_one(team: Team) -> None:
    answers = await asyncio.gather(team.transfer(team.owner, team.admin), team.transfer(team.owner, team.member))
    assert sorted(answer.status for answer in answers) in ([200, 403], [200, 409])
    owners = await team.house.rows(
        "select from tenantry.members where org_id = $1 and role = 'owner'", ORG_ID.read(team.id)
    )
    assert len(owners) == 1


@pytest.mark.parametrize("to", ["oneself", "a stranger", "nobody", "no id"])
async def test_ownership_goes_to_another_member_only(team: Team, house: Installation, to: str) -> None:
    stranger = await house.person()
    names = {
        "oneself": team.owner.user_id,
        "a stranger": stranger.user_id,
        "nobody": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
        "no id": "usr_x",
    }
    answer = await team.owner.post(f"/v1/orgs/{team.id}/ownership-transfer", {"user_id": names[to]})
    assert answer.status == (404 if to in {"a stranger", "nobody"} else 422)
    assert (await team.list())[team.owner.user_id] == "owner"


async def test_a_role_is_changed_only_by_who_says_which_version(team: Team) -> None:
    path = f"/v1/orgs/{team.id}/members/{team.member.user_id}"
    assert (await team.owner.patch(path, {"role": "admin"})).code == "match_needed"
    tag = (await team.owner.get(path)).headers["etag"]
    assert (await team.owner.patch(path, {"role": "admin"}, headers={"if-match": tag})).status == 200
    stale = await team.owner.patch(path, {"role": "member"}, headers={"if-match": tag})
    assert stale.code == "version_mismatch"
    assert (await team.list())[team.member.user_id] == "admin"


async def test_members_are_listed_in_the_order_they_joined_and_to_members_only(team: Team) -> None:
    people = [team.owner, team.admin, team.member, team.second]
    seen: list[str] = []
    after = ""
    while True:
        part = (await team.member.get(f"/v1/orgs/{team.id}/members?limit=3{after}")).json
        seen += [item["user_id"] for item in part["items"]]
        if part["next"] is None:
            break
        after = f"&after={part['next']}"
    assert seen == [person.user_id for person in people]
    newest = (await team.member.get(f"/v1/orgs/{team.id}/members?order=-joined_at")).json["items"]
    assert [item["user_id"] for item in newest] == seen[::-1]


async def test_a_cursor_of_one_organization_is_none_in_another(team: Team) -> None:
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    cursor = (await team.owner.get(f"/v1/orgs/{team.id}/members?limit=1")).json["next"]
    assert (await team.owner.get(f"/v1/orgs/{other}/members?limit=1&after={cursor}")).code == "bad_cursor"


async def test_a_purged_person_belongs_nowhere(team: Team) -> None:
    user_id = USER_ID.read(team.member.user_id)
    assert (await team.member.post("/v1/users/me/closure", {"password": "correct horse battery staple"})).status == 200
    await team.house.rows("update tenantry.users set purge_at = tenantry.now() where id = $1", user_id)
    call = Call(team.house.runtime, Actor("cli"), "0123456789")
    async with SystemWork(call, reason="a test of members") as work:
        await purge_person(work, user_id=user_id)
    assert team.member.user_id not in await team.list()
