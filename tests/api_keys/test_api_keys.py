"""The life of an API key over HTTP: made, used, changed, rotated, revoked."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from key_kit import keys_path, make, opens, program

from tenantry.foundation.security.api_keys import read_key
from tenantry.testing import Installation
from tenantry.testing.team import Team


@pytest.fixture(scope="module")
async def team(house: Installation) -> Team:
    """An organization with somebody in each role."""
    return await house.team()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_key_opens_what_its_scopes_name_until_it_is_revoked(house: Installation, team: Team) -> None:
    made = await make(house, team.admin, team.org, "members:read")
    assert re.fullmatch(r"key_[0-9a-z]{26}", made.id)
    assert re.fullmatch(r"tnt_personal_test_[0-9A-Za-z]{50}", made.secret)
    assert made.said["scopes"] == ["members:read"]
    assert made.said["hint"] == made.secret[-11:-7]
    assert made.said["created_by"] == team.admin.user_id
    assert (await made.program.get(f"{team.path}/members")).status == 200
    refused = await made.program.get(f"{team.path}/invites")
    assert (refused.status, refused.code) == (403, "forbidden")
    assert (await team.admin.delete(made.path)).status == 204
    assert (await team.admin.delete(made.path)).status == 204
    refused = await made.program.get(f"{team.path}/members")
    assert (refused.status, refused.code) == (401, "invalid_api_key")
    assert (await team.admin.get(made.path)).json["status"] == "revoked"


async def test_a_secret_is_shown_once_and_stands_nowhere(house: Installation, team: Team) -> None:
    made = await make(house, team.owner, team.org)
    rotated = (await team.owner.post(f"{made.path}/rotation")).json
    listed = await team.owner.get(keys_path(team.org))
    one = await team.owner.get(made.path)
    changed = await team.owner.patch(made.path, {"name": "Other"})
    for answer in (listed, one, changed):
        assert answer.status == 200
        assert '"secret"' not in json.dumps(answer.json)
    for secret in (made.secret, rotated["secret"]):
        chance = secret.split("_")[3]
        for table in ("api_keys", "api_key_secrets", "events", "audit_log", "details", "jobs"):
            rows = await house.rows(f"select to_jsonb(one)::text as said from tenantry.{table} as one")
            assert not [row for row in rows if chance[:40] in row["said"]], table
        [row] = await house.rows("select digest from tenantry.api_key_secrets where digest = $1", read_key(secret))
        assert len(row["digest"]) == 32


async def test_a_personal_key_ends_after_90_days_and_a_service_key_when_it_says_so(
    house: Installation, team: Team
) -> None:
    personal = await make(house, team.member, team.org)
    life = _instant(personal.said["expires_at"]) - _instant(personal.said["created_at"])
    assert (personal.said["kind"], life) == ("personal", timedelta(days=90))
    service = await make(house, team.admin, team.org, kind="service")
    assert (service.said["kind"], service.said["expires_at"]) == ("service", None)
    soon = datetime.now(UTC) + timedelta(days=3)
    chosen = await make(house, team.member, team.org, expires_at=soon.isoformat())
    assert _instant(chosen.said["expires_at"]) == soon


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"scopes": ["members:read", "members:eat"]}, "body.scopes[1]"),
        ({"scopes": ["api_keys:own"]}, "body.scopes[0]"),
        ({"scopes": ["oneself"]}, "body.scopes[0]"),
        ({"scopes": []}, "body.scopes"),
        ({"name": ""}, "body.name"),
        ({"name": "n" * 81}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"addresses": ["192.0.2.1/8"]}, "body.addresses[0]"),
        ({"addresses": ["192.0.2.1", "::ffff:192.0.2.0/120"]}, "body.addresses[1]"),
        ({"expires_at": None}, "body.expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "body.expires_at"),
        ({"expires_at": (datetime.now(UTC) + timedelta(days=366)).isoformat()}, "body.expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "body.expires_at"),
        ({"user_id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"}, "body.user_id"),
        ({"created_by": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt"}, "body.created_by"),
    ],
)
async def test_what_no_key_can_be_is_refused_when_it_is_made_and_when_it_is_changed(
    house: Installation, team: Team, change: dict[str, Any], at: str
) -> None:
    refused = await team.owner.post(keys_path(team.org), {"name": "Job", "scopes": ["members:read"]} | change)
    assert (refused.status, refused.json["errors"][0]["at"][: len(at)]) == (422, at), refused
    made = await make(house, team.owner, team.org)
    refused = await team.owner.patch(made.path, change)
    assert (refused.status, refused.json["errors"][0]["at"][: len(at)]) == (422, at), refused
    assert (await team.owner.get(made.path)).json["scopes"] == ["members:read"]
    assert (await team.owner.delete(made.path)).status == 204


async def test_a_key_is_changed_as_a_version_of_it(house: Installation, team: Team) -> None:
    made = await make(house, team.admin, team.org)
    read = await team.admin.get(made.path)
    body = {"name": "Weekly", "scopes": ["org:read", "org:read"], "addresses": ["127.0.0.0/8", "2001:db8::/32"]}
    changed = await team.admin.patch(made.path, body, headers={"if-match": read.headers["etag"]})
    assert changed.status == 200, changed
    assert (changed.json["name"], changed.json["scopes"]) == ("Weekly", ["org:read"])
    assert changed.json["addresses"] == ["127.0.0.0/8", "2001:db8::/32"]
    stale = {"headers": {"if-match": read.headers["etag"]}}
    assert (await team.admin.patch(made.path, {"name": "Late"}, **stale)).status == 412
    assert (await made.program.get(team.path)).status == 200
    assert (await made.program.get(f"{team.path}/members")).status == 403
    assert (await team.admin.patch(made.path, {})).status == 422


async def test_a_rotated_key_has_two_secrets_until_the_overlap_is_over(house: Installation, team: Team) -> None:
    made = await make(house, team.admin, team.org)
    rotated = await team.admin.post(f"{made.path}/rotation")
    assert rotated.status == 200, rotated
    assert rotated.json["id"] == made.id
    ends = _instant(rotated.json["old_secret_ends_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < ends <= timedelta(hours=24)
    newer = program(house, rotated.json["secret"])
    assert await opens(team, made.program)
    assert await opens(team, newer)
    again = await team.admin.post(f"{made.path}/rotation", {"overlap_seconds": 0})
    assert not await opens(team, made.program)
    assert not await opens(team, newer)
    assert await opens(team, program(house, again.json["secret"]))
    assert (await team.admin.post(f"{made.path}/rotation", {"overlap_seconds": 7 * 86_400 + 1})).status == 422


async def test_of_one_key_five_secrets_open_something_at_most(house: Installation, team: Team) -> None:
    made = await make(house, team.admin, team.org)
    for _ in range(4):
        assert (await team.admin.post(f"{made.path}/rotation")).status == 200
    refused = await team.admin.post(f"{made.path}/rotation")
    assert (refused.status, refused.code) == (409, "too_many_secrets")
    assert await opens(team, made.program)
    assert (await team.admin.post(f"{made.path}/rotation", {"overlap_seconds": 0})).status == 200


async def test_what_has_ended_stays_as_it_is(clocked: Installation, clock: Any) -> None:
    team = await clocked.team()
    soon = (clock.now + timedelta(minutes=2)).isoformat()
    made = await make(clocked, team.owner, team.org, expires_at=soon)
    assert await opens(team, made.program)
    clock.advance(minutes=2)
    assert not await opens(team, made.program)
    for answer in (
        await team.owner.patch(made.path, {"expires_at": (clock.now + timedelta(days=1)).isoformat()}),
        await team.owner.post(f"{made.path}/rotation"),
    ):
        assert (answer.status, answer.code) == (409, "key_ended")
    assert (await team.owner.get(made.path)).json["status"] == "expired"
    listed = await team.owner.get(f"{keys_path(team.org)}?status=live")
    assert listed.json["items"] == []


async def test_members_see_their_own_keys_and_admins_see_all(house: Installation) -> None:
    team = await house.team()
    own = await make(house, team.member, team.org)
    service = await make(house, team.admin, team.org, kind="service")
    theirs = await make(house, team.owner, team.org)
    path = keys_path(team.org)
    assert [one["id"] for one in (await team.member.get(path)).json["items"]] == [own.id]
    assert [one["id"] for one in (await team.admin.get(path)).json["items"]] == [theirs.id, service.id, own.id]
    assert [one["id"] for one in (await team.admin.get(f"{path}?kind=service")).json["items"]] == [service.id]
    for made in (service, theirs):
        for answer in (
            await team.member.get(made.path),
            await team.member.patch(made.path, {"name": "Mine"}),
            await team.member.post(f"{made.path}/rotation"),
            await team.member.delete(made.path),
        ):
            assert (answer.status, answer.code) == (404, "not_found")
    # an admin ends what they may not take over
    for answer in (
        await team.admin.patch(own.path, {"name": "Mine"}),
        await team.admin.post(f"{own.path}/rotation"),
    ):
        assert (answer.status, answer.code) == (403, "anothers_key")
    assert (await team.admin.delete(own.path)).status == 204
    assert not await opens(team, own.program)
    body = {"name": "Job", "scopes": ["members:read"], "kind": "service"}
    refused = await team.member.post(path, body)
    assert (refused.status, refused.json["permission"]) == (403, "api_keys:write")


async def test_no_list_and_no_id_reaches_another_organization(house: Installation, team: Team) -> None:
    other = await house.team()
    made = await make(house, team.owner, team.org)
    elsewhere = made.path.replace(team.org, other.org)
    for answer in (
        await other.owner.get(made.path),
        await other.owner.get(elsewhere),
        await other.owner.patch(elsewhere, {"name": "Mine"}),
        await other.owner.delete(elsewhere),
        await other.owner.post(f"{elsewhere}/rotation"),
        await made.program.get(f"{other.path}/members"),
    ):
        assert (answer.status, answer.code) == (404, "not_found")
    assert await opens(team, made.program)


async def test_what_is_done_with_keys_is_in_the_audit_log(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    await team.owner.patch(made.path, {"scopes": ["org:read"]})
    await team.owner.post(f"{made.path}/rotation")
    await team.owner.delete(made.path)
    entries = (await team.owner.get(f"{team.path}/audit-log?action=api_keys:key")).json["items"]
    assert [one["action"] for one in entries] == [
        f"api_keys:key:{what}" for what in ("revoked", "rotated", "changed", "created")
    ]
    assert {one["target"]["id"] for one in entries} == {made.id}
    assert entries[2]["before"]["scopes"] == ["members:read"]
    assert entries[2]["after"]["scopes"] == ["org:read"]


@pytest.mark.parametrize("what", ["", "/rotation"])
async def test_a_secret_is_not_shown_again_under_the_same_idempotency_key(
    house: Installation, team: Team, what: str
) -> None:
    made = await make(house, team.owner, team.org)
    path = made.path + what if what else keys_path(team.org)
    body = None if what else {"name": "Job", "scopes": ["members:read"]}
    once = {"headers": {"idempotency-key": f"once{what}"}}
    first = await team.owner.post(path, body, **once)
    assert first.status in {200, 201}
    again = await team.owner.post(path, body, **once)
    assert (again.status, again.code, again.json["id"]) == (409, "secret_already_shown", first.json["id"])
    assert first.json["secret"][-20:] not in again.body.decode()
    assert await opens(team, program(house, first.json["secret"])), "it happened once, and stays"
