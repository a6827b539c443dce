"""Nobody gives a key more than they hold; what its maker loses it loses; and a personal key ends with its person."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from key_kit import as_house, keys_path, make, opens, program, set_role, uuid_of, work_of

from tenantry.accounts import actions as accounts
from tenantry.api_keys import actions
from tenantry.api_keys.problems import ScopeAboveYou
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, HandClock, Installation
from tenantry.testing.installation import PASSWORD
from tenantry.testing.team import add_member


async def test_nobody_makes_or_widens_a_key_above_their_own_role(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.member, team.org)
    for answer in (
        await team.member.post(keys_path(team.org), {"name": "x", "scopes": ["members:read", "members:write"]}),
        await team.member.patch(made.path, {"scopes": ["members:write"]}),
    ):
        assert (answer.status, answer.code) == (403, "scope_above_you")
        assert answer.json["scopes"] == ["members:write"]
    assert (await team.member.get(made.path)).json["scopes"] == ["members:read"]


async def test_whoever_was_demoted_takes_over_no_key_that_can_do_more(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, "members:read", "members:invite")
    assert (await made.program.get(f"{team.path}/invites")).status == 200
    await set_role(house, team.org, team.admin, "member")
    # at the very next request
    refused = await made.program.get(f"{team.path}/invites")
    assert (refused.status, refused.code) == (403, "forbidden")
    assert await opens(team, made.program)
    for answer in (
        await team.admin.patch(made.path, {"name": "Other"}),
        await team.admin.patch(made.path, {"addresses": []}),
        await team.admin.post(f"{made.path}/rotation"),
    ):
        assert (answer.status, answer.code) == (403, "scope_above_you")
    assert (await team.admin.patch(made.path, {"scopes": ["members:read"]})).status == 200
    assert (await team.admin.post(f"{made.path}/rotation")).status == 200
    await set_role(house, team.org, team.admin, "admin")
    assert (await made.program.get(f"{team.path}/invites")).status == 403, "what was given up does not come back"


async def test_a_demoted_admin_may_no_more_look_after_service_keys(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, kind="service")
    await set_role(house, team.org, team.admin, "member")
    assert (await team.admin.delete(made.path)).status == 404
    assert await opens(team, made.program), "the key is the organization's"
    assert (await team.owner.post(f"{made.path}/rotation")).status == 200


@pytest.mark.parametrize("how", ["removed", "left", "closed", "disabled"])
async def test_a_personal_key_is_dead_at_once_when_its_person_is_gone(house: Installation, how: str) -> None:
    team = await house.team()
    own = await make(house, team.admin, team.org)
    service = await make(house, team.admin, team.org, "members:read", "members:invite", kind="service")
    if how == "removed":
        assert (await team.owner.delete(f"{team.path}/members/{team.admin.user_id}")).status == 204
    elif how == "left":
        assert (await team.admin.delete(f"{team.path}/members/me")).status == 204
    elif how == "closed":
        assert (await team.admin.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200
    else:
        given = USER_ID.read(team.admin.user_id)
        await house.rows("update tenantry.users set disabled_at = tenantry.now() where id = $1", given)
    assert not await opens(team, own.program)
    assert (await service.program.get(f"{team.path}/invites")).status == 200, "it stays with the organization"


async def test_a_personal_key_does_not_come_to_life_when_its_person_returns(house: Installation) -> None:
    team = await house.team()
    own = await make(house, team.member, team.org)
    service = await make(house, team.admin, team.org, kind="service")
    for who in (team.member, team.admin):
        assert (await who.delete(f"{team.path}/members/me")).status == 204
    await house.drain_jobs()
    for who in (team.member, team.admin):
        await add_member(house.runtime, team.org, who, "member")
    assert not await opens(team, own.program)
    assert (await team.member.get(own.path)).json["status"] == "revoked"
    assert await opens(team, service.program)
    await house.assert_recorded("api_keys.key_revoked", key_id=_uuid(own.id), why="left")


async def test_a_key_made_after_a_return_is_not_revoked_for_the_leaving_before(house: Installation) -> None:
    team = await house.team()
    old = await make(house, team.member, team.org)
    assert (await team.member.delete(f"{team.path}/members/me")).status == 204
    # the job comes later than they do
    await add_member(house.runtime, team.org, team.member, "member")
    assert not await opens(team, old.program), "nor does it open for as long"
    new = await make(house, team.member, team.org)
    await house.drain_jobs()
    assert not await opens(team, old.program)
    assert await opens(team, new.program)


def _uuid(key: str) -> str:
    return str(uuid_of(key))


@pytest.mark.parametrize("how", ["leaves", "is removed"])
async def test_a_service_key_gains_nothing_when_its_demoted_maker_goes(house: Installation, how: str) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, "members:read", "members:invite", kind="service")
    await set_role(house, team.org, team.admin, "member")
    who, path = (team.admin, "me") if how == "leaves" else (team.owner, team.admin.user_id)
    assert (await who.delete(f"{team.path}/members/{path}")).status == 204
    answer = await made.program.post(f"{team.path}/invites", {"email": "eve@example.com", "role": "admin"})
    assert (answer.status, answer.code) == (403, "forbidden"), answer
    assert await opens(team, made.program)


async def test_a_service_key_whose_maker_left_sees_and_renames_the_organization(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, "org:read", "org:write", kind="service")
    assert (await team.admin.delete(f"{team.path}/members/me")).status == 204
    seen = await made.program.get(team.path)
    assert (seen.status, seen.json["role"]) == (200, "admin"), seen
    renamed = await made.program.patch(team.path, {"name": "Renamed"}, headers={"if-match": seen.headers["etag"]})
    assert (renamed.status, renamed.json["name"], renamed.json["role"]) == (200, "Renamed", "admin"), renamed


async def test_a_service_key_gains_nothing_by_passing_to_an_owner(clocked: Installation, clock: HandClock) -> None:
    house = clocked
    team = await house.team()
    made = await make(house, team.admin, team.org, "members:write", kind="service")
    assert (await team.admin.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200
    clock.advance(days=31)
    await _tick(house, "accounts.ask_for_purges")
    await house.assert_recorded("api_keys.key_passed", key_id=_uuid(made.id))
    path, headers = f"{team.path}/members/{team.member.user_id}", {"if-match": "*"}
    answer = await made.program.patch(path, {"role": "owner"}, headers=headers)
    assert (answer.status, answer.code) == (403, "above_you"), answer
    assert (await made.program.patch(path, {"role": "admin"}, headers=headers)).status == 200


# purging


async def test_a_purged_persons_keys_go_and_the_organizations_pass_to_an_owner(
    clocked: Installation, clock: HandClock
) -> None:
    house = clocked
    team = await house.team()
    own = await make(house, team.admin, team.org)
    service = await make(house, team.admin, team.org, "members:read", kind="service")
    gone_before = await make(house, team.member, team.org, kind="personal")
    for who in (team.admin, team.member):
        assert (await who.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200
    clock.advance(days=31)
    await _tick(house, "accounts.ask_for_purges")
    rows = await house.rows("select id, kind, created_by from tenantry.api_keys")
    assert [(str(row["id"]), row["kind"], row["created_by"]) for row in rows] == [
        (_uuid(service.id), "service", USER_ID.read(team.owner.user_id))
    ]
    assert await opens(team, service.program)
    for made in (own, gone_before):
        assert not await opens(team, made.program)
        await house.assert_recorded("api_keys.key_forgotten", key_id=_uuid(made.id), why="purged")
    await house.assert_recorded("api_keys.key_passed", key_id=_uuid(service.id))


async def _tick(house: Installation, kind: str) -> None:
    await house.ask(NewJob(kind))
    await house.drain_jobs()


async def test_an_export_of_a_person_names_the_keys_that_they_made(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, name="My laptop")
    async with SystemWork(as_house(house), reason="a test", reading=True) as work:
        person = USER_ID.read(team.admin.user_id)
        assert person is not None
        held = await accounts.what_is_held.ask(work, person)
    assert [(one["name"], one["kind"]) for one in held["api_keys"]] == [("My laptop", "personal")]
    assert made.secret.split("_")[3][:20] not in str(held)


async def test_what_ended_long_ago_is_removed(clocked: Installation, clock: HandClock) -> None:
    house = clocked
    team = await house.team()
    ended = await make(house, team.owner, team.org, kind="service")
    living = await make(house, team.owner, team.org, kind="service")
    expired = await make(house, team.owner, team.org)
    await team.owner.delete(ended.path)
    clock.advance(days=89)
    await _tick(house, "api_keys.forget_keys")
    assert len(await house.rows("select from tenantry.api_keys")) == 3
    clock.advance(days=2)
    await _tick(house, "api_keys.forget_keys")
    left = [str(row["id"]) for row in await house.rows("select id from tenantry.api_keys order by id")]
    assert left == [_uuid(living.id), _uuid(expired.id)]
    clock.advance(days=90)
    await _tick(house, "api_keys.forget_keys")
    assert len(await house.rows("select from tenantry.api_keys")) == 1
    assert len(await house.rows("select from tenantry.api_key_secrets")) == 1


async def test_an_organization_that_is_purged_takes_its_keys_along(clocked: Installation, clock: HandClock) -> None:
    house = clocked
    team = await house.team()
    made = await make(house, team.owner, team.org, kind="service")
    slug = (await team.owner.get(team.path)).json["slug"]
    assert (await team.owner.post(f"{team.path}/closure", {"slug": slug})).status == 200
    answer = await made.program.get(f"{team.path}/members")
    assert (answer.status, answer.code) == (403, "org_closed")
    clock.advance(days=31)
    await _tick(house, "orgs.ask_for_purges")
    assert not await house.rows("select from tenantry.api_keys")
    assert not await house.rows("select from tenantry.api_key_secrets")
    assert (await made.program.get(f"{team.path}/members")).status == 401


# races


async def test_of_many_keys_made_at_once_no_more_live_than_may(house: Installation) -> None:
    team = await house.team()
    body = {"name": "Job", "scopes": ["members:read"], "kind": "service"}
    gone = await make(house, team.owner, team.org)
    await team.owner.delete(gone.path)
    for _ in range(9):
        answers = await asyncio.gather(*(team.owner.post(keys_path(team.org), body) for _ in range(10)))
        assert {answer.status for answer in answers} == {201}
    people: list[Client] = [team.owner, team.admin]
    asked = [people[place % 2].post(keys_path(team.org), body) for place in range(20)]
    counted = Counter((answer.status, answer.code) for answer in await asyncio.gather(*asked))
    assert counted == {(201, None): 10, (409, "too_many_api_keys"): 10}
    listed: dict[str, Any] = (await team.owner.get(f"{keys_path(team.org)}?status=live&limit=100")).json
    assert (len(listed["items"]), listed["next"]) == (100, None)
    assert (await team.owner.delete(f"{keys_path(team.org)}/{listed['items'][0]['id']}")).status == 204
    assert (await team.owner.post(keys_path(team.org), body)).status == 201


async def test_of_rotations_at_once_each_gives_a_secret_that_opens(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    answers = await asyncio.gather(*(team.owner.post(f"{made.path}/rotation") for _ in range(6)))
    assert Counter(answer.status for answer in answers) == {200: 4, 409: 2}
    secrets = {answer.json["secret"] for answer in answers if answer.status == 200}
    assert len(secrets) == 4
    for secret in (made.secret, *secrets):
        assert await opens(team, program(house, secret))
    newest = "select from tenantry.api_key_secrets where ends_at is null and key_id = $1"
    assert len(await house.rows(newest, _uuid(made.id))) == 1


async def test_whoever_is_demoted_while_they_make_a_key_makes_none_above_their_role(house: Installation) -> None:
    team = await house.team()
    async with await work_of(house, team.org, team.admin) as work:
        # since the gate let them in
        await set_role(house, team.org, team.admin, "member")
        with pytest.raises(ScopeAboveYou):
            await actions.create_key(work, name="x", scopes=["members:write"])


async def test_the_houses_verbs_are_closed_to_members_and_theirs_to_the_house(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    key_id, org_id, user_id = uuid_of(made.id), ORG_ID.read(team.org), USER_ID.read(team.member.user_id)
    assert org_id is not None
    assert user_id is not None
    async with await work_of(house, team.org, team.owner) as work:
        for asked in (
            actions.revoke_any_key(work, key_id=key_id),  # type: ignore[arg-type]
            actions.revoke_leaked_key(work, digest=b""),  # type: ignore[arg-type]
            actions.revoke_keys_of(work, org_id=org_id, user_id=user_id),  # type: ignore[arg-type]
            actions.forget_ended_keys(work, most=1),  # type: ignore[arg-type]
            actions.part_with(work, user_id, ""),  # type: ignore[arg-type]
        ):
            with pytest.raises(Forbidden):
                await asked
    async with SystemWork(as_house(house), reason="a test") as work:
        for theirs in (
            actions.create_key(work, name="x", scopes=["members:read"]),  # type: ignore[arg-type]
            actions.change_key(work, key_id=key_id, name="x"),  # type: ignore[arg-type]
            actions.rotate_key(work, key_id=key_id),  # type: ignore[arg-type]
            actions.revoke_key(work, key_id=key_id),  # type: ignore[arg-type]
        ):
            with pytest.raises(Forbidden):
                await theirs
    assert await opens(team, made.program)
