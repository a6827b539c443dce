"""Members see what flags give them: values and no rules, their own organization's, and none of it theirs to say."""

from __future__ import annotations

from typing import Any

from flag_kit import act, put, uuid_of

from tenantry.testing import Client, Installation
from tenantry.testing.team import Team

ROUTE = "flags"


async def told(person: Client, team: Team, **rest: Any) -> dict[str, Any]:
    """What a member reads, by key."""
    answer = await person.get(f"{team.path}/flags", **rest)
    assert answer.status == 200, answer
    return {one["key"]: one for one in answer.json["items"]}


async def test_members_see_what_visible_flags_give_them_and_no_rules(house: Installation) -> None:
    team = await house.team()
    owners = [{"variant": "on", "when": [{"about": "role", "values": ["owner"]}], "note": "a secret"}]
    await put(house, "shown", visible=True, rules=owners, description="a secret")
    await put(house, "colour", visible=True, kind="object", variants={"red": {"hex": "f00"}}, default="red", off=None)
    await put(house, "hidden", rules=owners)
    found = await told(team.owner, team)
    assert found["shown"] == {
        "key": "shown", "kind": "boolean", "value": True, "variant": "on", "reason": "TARGETING_MATCH",
    }  # fmt: skip
    assert found["colour"]["value"] == {"hex": "f00"}
    assert "hidden" not in found
    assert (await told(team.member, team))["shown"]["value"] is False
    answer = await team.member.get(f"{team.path}/flags")
    assert b"secret" not in answer.body
    assert b"owner" not in answer.body


async def test_an_override_is_seen_by_its_own_organization_only(house: Installation) -> None:
    ours, theirs = await house.team(), await house.team()
    await put(house, "theirs_alone", visible=True)
    await act(house, "override_flag", org_id=uuid_of(theirs.org), key="theirs_alone", variant="on", reason="asked")
    assert (await told(theirs.member, theirs))["theirs_alone"]["value"] is True
    assert (await told(ours.owner, ours))["theirs_alone"]["value"] is False
    assert (await theirs.stranger.get(f"{theirs.path}/flags")).status == 404
    foreign = await ours.owner.get(f"{theirs.path}/flags")
    unknown = await ours.owner.get("/v1/orgs/org_01jd4w2q8nf6v9m3x5c7b1r0kt/flags")
    assert (foreign.status, foreign.json["code"]) == (unknown.status, unknown.json["code"]) == (404, "not_found")
    assert (await house.client.get(f"{ours.path}/flags")).status == 401


async def test_nothing_that_a_client_sends_changes_what_it_has(house: Installation) -> None:
    team = await house.team()
    rules = [
        {"variant": "on", "when": [{"about": "plan", "values": ["pro"]}]},
        {"variant": "on", "when": [{"about": "country", "values": ["de"]}]},
        {"variant": "on", "when": [{"about": "role", "values": ["owner"]}]},
    ]
    await put(house, "earned", visible=True, rules=rules)
    lies = {"plan": "pro", "country": "de", "role": "owner", "x-flags": "earned=on", "x-plan": "pro", "x-country": "de"}
    assert (await told(team.member, team, headers=lies))["earned"]["value"] is False
    for query in ("plan=pro", "country=de", "earned=on", "role=owner"):
        assert (await team.member.get(f"{team.path}/flags?{query}")).status == 422


async def test_only_operators_write_so_there_is_no_way_in_to_write_to(house: Installation) -> None:
    team = await house.team()
    await put(house, "fixed", visible=True)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await team.owner.request(method, f"{team.path}/flags", body={"key": "fixed", "value": True})
        assert answer.status == 405
        assert (await team.owner.request(method, f"{team.path}/flags/fixed", body={})).status == 404
    assert (await told(team.owner, team))["fixed"]["value"] is False
    assert [one.method for one in house.registry.routes if one.path.endswith(ROUTE)] == ["GET"]
