"""Seats: members and invites that wait share them, whoever is faster; nobody loses theirs by a smaller plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from plan_kit import found, give, selling, uuid_of

from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Installation
from tenantry.testing.team import add_member

MOVE = "update tenantry.invites set expires_at = tenantry.now() - interval '1 hour' where org_id = $1 returning id"


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file, whose free plan has three seats."""
    async with (
        databases.fresh() as url,
        selling(url, tmp_path_factory.mktemp("seats"), registry) as running,
    ):
        yield running


async def invite(owner: Client, org: str, email: str) -> Any:
    return await owner.post(f"/v1/orgs/{org}/invites", {"email": email, "role": "member"})


async def test_an_invite_past_the_seats_is_refused_with_where_to_get_more(house: Installation) -> None:
    owner, org = await found(house)
    assert [(await invite(owner, org, f"seat{n}@example.com")).status for n in range(2)] == [201, 201]
    refused = await invite(owner, org, "seat3@example.com")
    assert (refused.status, refused.json["code"]) == (402, "limit_reached")
    told = {key: refused.json[key] for key in ("limit", "allowed", "used", "plan", "upgrade_url")}
    upgrade = f"https://app.example.com/upgrade?org={org}"
    assert told == {"limit": "seats", "allowed": 3, "used": 3, "plan": "free", "upgrade_url": upgrade}
    assert len((await owner.get(f"/v1/orgs/{org}/invites")).json["items"]) == 2
    await give(house, org, "pro")
    assert (await invite(owner, org, "seat3@example.com")).status == 201


async def test_asking_somebody_again_takes_no_other_seat_and_taking_back_frees_it(house: Installation) -> None:
    owner, org = await found(house)
    first = (await invite(owner, org, "again1@example.com")).json["id"]
    await invite(owner, org, "again2@example.com")
    assert (await invite(owner, org, "again1@example.com")).status == 200
    assert (await owner.post(f"/v1/orgs/{org}/invites/{first}/resend")).status == 200
    assert (await owner.delete(f"/v1/orgs/{org}/invites/{first}")).status == 204
    assert (await invite(owner, org, "again3@example.com")).status == 201


async def test_a_lapsed_invite_holds_no_seat_and_needs_one_to_live_again(house: Installation) -> None:
    owner, org = await found(house)
    lapsed = (await invite(owner, org, "lapsed@example.com")).json["id"]
    await house.rows(MOVE, uuid_of(org))
    assert [(await invite(owner, org, f"lively{n}@example.com")).status for n in range(2)] == [201, 201]
    assert (await owner.post(f"/v1/orgs/{org}/invites/{lapsed}/resend")).status == 402
    assert (await invite(owner, org, "lapsed@example.com")).status == 402


async def test_whoever_is_invited_takes_their_own_seat_when_all_are_taken(house: Installation) -> None:
    owner, org = await found(house)
    guest = await house.person()
    await invite(owner, org, guest.email)
    await invite(owner, org, "other@example.com")
    token = await house.mailed_token(guest.email)
    assert (await guest.post("/v1/invites/acceptance", {"token": token})).status == 200
    assert (await invite(owner, org, "late@example.com")).status == 402


async def test_of_many_invites_at_once_as_many_are_kept_as_there_are_seats(house: Installation) -> None:
    owner, org = await found(house)
    answers = await asyncio.gather(*(invite(owner, org, f"rush{n}@example.com") for n in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 2 + [402] * 10


async def test_of_a_list_of_invites_those_are_kept_for_which_there_are_seats(house: Installation) -> None:
    owner, org = await found(house)
    listed = [{"email": f"list{n}@example.com", "role": "member"} for n in range(4)]
    answer = await owner.post(f"/v1/orgs/{org}/invites/bulk", {"invites": listed})
    assert [one["status"] for one in answer.json["items"]] == [201, 201, 402, 402]
    assert answer.json["items"][3]["problem"]["code"] == "limit_reached"


async def test_a_smaller_plan_takes_nobodys_seat_away(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro")
    people = [await house.person() for _ in range(4)]
    for person in people:
        await add_member(house.runtime, org, person, "member")
    await give(house, org, "free")
    assert [(await person.get(f"/v1/orgs/{org}")).status for person in people] == [200] * 4
    assert (await invite(owner, org, "fifth@example.com")).status == 402
    for person in people[:3]:
        await owner.delete(f"/v1/orgs/{org}/members/{person.user_id}")
    assert (await invite(owner, org, "fifth@example.com")).status == 201
