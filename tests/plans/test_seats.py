"""Seats: members and invites that wait share them, whoever is faster; nobody loses theirs by a smaller plan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from plan_kit import found, give, house_work, selling, uuid_of

from patience import until
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.domain import Registry
from tenantry.orgs import actions as orgs
from tenantry.plans import actions
from tenantry.plans.problems import LimitReached
from tenantry.testing import Client, Databases, Installation
from tenantry.testing.team import add_member

GROWING = """
default = "free"

[limits]
seats = "Members and invites"

[[plans]]
key = "free"
name = "Free"
limits = { seats = 3 }

[[plans]]
key = "team"
name = "Team"
seats = { least = 2, most = 6, grow = true }

[[plans]]
key = "endless"
name = "Endless"
seats = { grow = true }

[[plans]]
key = "flat"
name = "Flat"
limits = { seats = 2 }
seats = { grow = true }

[[plans]]
key = "fixed"
name = "Fixed"
seats = { most = 6 }
"""
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


# the last seat


async def taken(house: Installation, org: str) -> int:
    rows = "select user_id from tenantry.members where org_id = $1 union all select id from tenantry.invites"
    return len(await house.rows(f"{rows} where org_id = $1 and status = 'pending'", uuid_of(org)))


async def waiting(house: Installation, owner: Client, org: str, people: int) -> list[tuple[Client, str]]:
    """So many people with an invite each, and what their mails say."""
    guests = []
    for _ in range(people):
        guest = await house.person()
        assert (await invite(owner, org, guest.email)).status == 201
        guests.append((guest, await house.mailed_token(guest.email)))
    return guests


def user_of(person: Client) -> UUID:
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


async def accepting(guests: list[tuple[Client, str]]) -> list[int]:
    """The statuses that they get who all accept at once."""
    asked = (guest.post("/v1/invites/acceptance", {"token": token}) for guest, token in guests)
    return sorted(answer.status for answer in await asyncio.gather(*asked))


async def members(house: Installation, org: str) -> int:
    return len(await house.rows("select from tenantry.members where org_id = $1", uuid_of(org)))


async def test_of_many_who_accept_at_once_one_takes_the_last_seat(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", seats=7)
    await add_member(house.runtime, org, await house.person(), "member")
    guests = await waiting(house, owner, org, 5)
    await give(house, org, "pro", seats=3)
    assert await accepting(guests) == [200] + [402] * 4
    assert await members(house, org) == 3
    await give(house, org, "pro", seats=5)
    # who was let in may say so again
    assert await accepting(guests) == [200] * 3 + [402] * 2
    assert await members(house, org) == 5


@pytest.mark.parametrize("turn", range(6))
async def test_who_accepts_while_seats_are_given_back_is_in_before_or_not_at_all(
    house: Installation, turn: int
) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", seats=5)
    guests = await waiting(house, owner, org, 3)
    statuses, *_ = await asyncio.gather(accepting(guests), give(house, org, "pro", seats=2))
    let_in = statuses.count(200)
    # at least the one for whom there is a seat either way; nobody is turned out who was faster than the change
    assert statuses == [200] * let_in + [402] * (3 - let_in)
    assert await members(house, org) == 1 + let_in >= 2
    assert (await invite(owner, org, f"after{turn}@example.com")).status == 402
    assert set(await accepting(await waiting_still(guests, owner, org))) <= {402}
    assert await taken(house, org) == 4


async def waiting_still(guests: list[tuple[Client, str]], owner: Client, org: str) -> list[tuple[Client, str]]:
    """Those of them who are no members."""
    items = (await owner.get(f"/v1/orgs/{org}/members")).json["items"]
    inside = {one["user_id"] for one in items}
    return [one for one in guests if one[0].user_id not in inside]


@pytest.mark.parametrize("turn", range(4))
async def test_invites_while_seats_are_given_back_are_kept_before_or_not_at_all(house: Installation, turn: int) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", seats=5)
    asked = (invite(owner, org, f"race{turn}-{n}@example.com") for n in range(8))
    *answers, _ = await asyncio.gather(*asked, give(house, org, "pro", seats=2))
    kept = [answer.status for answer in answers].count(201)
    assert 1 <= kept <= 4
    assert await taken(house, org) == 1 + kept
    assert (await invite(owner, org, f"race{turn}-late@example.com")).status == 402


async def test_of_many_who_are_made_members_at_once_as_many_are_as_there_are_seats(house: Installation) -> None:
    _, org = await found(house)
    people = [await house.person() for _ in range(6)]
    ended = await asyncio.gather(
        *(add_member(house.runtime, org, person, "member") for person in people), return_exceptions=True
    )
    assert [type(one) for one in ended if one is not None] == [LimitReached] * 4
    assert await members(house, org) == 3


async def lowered(house: Installation, org: str, seats: int) -> int:
    """Give seats back; how many members there were when that was done."""
    async with house_work(house) as work:
        await actions.give_plan(work, org_id=uuid_of(org), plan="pro", source="subscription", seats=seats)
        return len(await work.connection.fetch("select from tenantry.members where org_id = $1", uuid_of(org)))


async def held_up_or_done(house: Installation, task: asyncio.Task[Any]) -> None:
    """Until somebody waits for a lock, or the task is through."""
    await until(lambda: _held_up_or_done(house, task))


async def _held_up_or_done(house: Installation, task: asyncio.Task[Any]) -> bool:
    return task.done() or bool(await house.rows("select from pg_locks where not granted"))


async def test_seats_are_given_back_after_whoever_is_on_their_way_in(house: Installation) -> None:
    _, org = await found(house)
    await give(house, org, "pro", seats=2)
    person = await house.person()
    async with house_work(house) as work:
        await orgs.add_member(work, org_id=uuid_of(org), user_id=user_of(person), role="member")
        giving_back = asyncio.create_task(lowered(house, org, 1))
        await held_up_or_done(house, giving_back)
    # whoever takes away from the seats has counted all who sit
    assert await giving_back == await members(house, org) == 2


async def test_nobody_gets_in_on_a_seat_that_is_being_given_back(house: Installation) -> None:
    owner, org = await found(house)
    await give(house, org, "pro", seats=2)
    [(guest, token)] = await waiting(house, owner, org, 1)
    async with house_work(house) as work:
        await actions.give_plan(work, org_id=uuid_of(org), plan="pro", source="subscription", seats=1)
        accepting_now = asyncio.create_task(guest.post("/v1/invites/acceptance", {"token": token}))
        await held_up_or_done(house, accepting_now)
    assert (await accepting_now).json["code"] == "limit_reached"
    assert await members(house, org) == 1


# seats that grow


@pytest.fixture(scope="module")
async def growing(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan whose seats grow to six, one whose grow without end, and one whose do not."""
    async with (
        databases.fresh() as url,
        selling(url, tmp_path_factory.mktemp("growing"), registry, GROWING) as running,
    ):
        yield running


async def seats_shown(owner: Client, org: str) -> Any:
    items = (await owner.get(f"/v1/orgs/{org}/entitlements")).json["items"]
    return next(one["value"] for one in items if one["feature_key"] == "seats")


async def invited(org: str, owner: Client, many: int) -> list[int]:
    """The statuses of so many invites, one after the other."""
    return [(await invite(owner, org, f"grow{n}-{uuid_of(org).hex}@example.com")).status for n in range(many)]


@pytest.mark.parametrize("source", ["subscription", "trial"])
async def test_seats_that_grow_are_taken_past_those_that_were_bought_up_to_the_most(
    growing: Installation, source: str
) -> None:
    owner, org = await found(growing)
    await give(growing, org, "team", seats=2, source=source)
    assert await invited(org, owner, 6) == [201] * 5 + [402]
    refused = (await invite(owner, org, "seventh@example.com")).json
    told = {key: refused[key] for key in ("code", "limit", "allowed", "used")}
    assert told == {"code": "limit_reached", "limit": "seats", "allowed": 6, "used": 6}
    # what was bought is what was bought, until it is raised
    assert await seats_shown(owner, org) == 2


async def test_without_a_most_they_grow_without_end(growing: Installation) -> None:
    owner, org = await found(growing)
    await give(growing, org, "endless", seats=1)
    assert await invited(org, owner, 8) == [201] * 8


async def test_who_bought_more_than_is_sold_by_now_has_what_they_bought(growing: Installation) -> None:
    owner, org = await found(growing)
    await give(growing, org, "team", seats=7)
    assert await invited(org, owner, 7) == [201] * 6 + [402]


@pytest.mark.parametrize(
    ("plan", "source"),
    [("fixed", "subscription"), ("team", "grant")],
    ids=["seats that do not grow", "an operator's grant"],
)
async def test_only_bought_seats_of_a_plan_that_says_so_grow(growing: Installation, plan: str, source: str) -> None:
    owner, org = await found(growing)
    await give(growing, org, plan, seats=3, source=source)
    assert await invited(org, owner, 3) == [201] * 2 + [402]


async def test_seats_that_an_operator_gives_do_not_grow_and_those_on_top_are_on_top_of_the_most(
    growing: Installation,
) -> None:
    owner, org = await found(growing)
    await give(growing, org, "team", seats=2)
    given: dict[str, Any] = {"org_id": uuid_of(org), "feature_key": "seats", "reason": "a test"}
    async with house_work(growing) as work:
        await actions.give_override(work, value=3, **given)
    assert await invited(org, owner, 3) == [201] * 2 + [402]
    async with house_work(growing) as work:
        await actions.lift_override(work, org_id=uuid_of(org), feature_key="seats")
        await actions.give_override(work, value=1, source="add_on", **given)
    # the first two are asked again, which takes no other seat
    assert await invited(org, owner, 7) == [200] * 2 + [201] * 4 + [402]


async def test_where_no_number_of_seats_was_bought_there_is_none_to_grow(growing: Installation) -> None:
    owner, org = await found(growing)
    await give(growing, org, "flat")
    assert await invited(org, owner, 2) == [201, 402]


async def test_of_many_who_grow_at_once_none_is_past_the_most(growing: Installation) -> None:
    owner, org = await found(growing)
    await give(growing, org, "team", seats=2)
    answers = await asyncio.gather(*(invite(owner, org, f"flood{n}@example.com") for n in range(12)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [402] * 7
    assert await taken(growing, org) == 6


async def test_when_the_subscription_ends_nobody_loses_a_seat_and_none_is_added(growing: Installation) -> None:
    owner, org = await found(growing)
    await give(growing, org, "team", seats=2)
    for _ in range(3):
        await add_member(growing.runtime, org, await growing.person(), "member")
    async with house_work(growing) as work:
        await actions.end_plan(work, org_id=uuid_of(org), source="subscription")
    assert await members(growing, org) == 4
    assert await invited(org, owner, 1) == [402]
