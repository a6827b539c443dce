"""Organizations that are not paid: what is refused in them and what is not, from which moment on, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from org_closing import Place, as_house, as_owner, founded, user_of

from tenantry.assemble import DOMAINS
from tenantry.assemble import registry as build_registry
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.permission import MEMBERS, Permission
from tenantry.foundation.problems import NotFound
from tenantry.foundation.refusals import OrgClosed, PaymentNeeded
from tenantry.foundation.routes import Route, Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import actions
from tenantry.testing import Client, Databases, HandClock, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STAYS_OPEN = {
    "DELETE /v1/orgs/{org}/members/me": "whoever wants to go may",
    "DELETE /v1/orgs/{org}/members/{user}": "fewer members cost less, and somebody may have to go at once",
    "DELETE /v1/orgs/{org}/invites/{invite}": "fewer seats cost less, and a link may have gone astray",
    "POST /v1/orgs/{org}/ownership-transfer": "the last owner cannot leave before; the next one may pay",
    "POST /v1/orgs/{org}/closure": "who does not want to pay ends it",
    "DELETE /v1/orgs/{org}/closure": "closed and opened again it is as restricted as before",
    "POST /v1/orgs/{org}/audit-log/export": "a way to read",
    "DELETE /v1/orgs/{org}/api-keys/{key}": "a key goes on reading, and one that leaked has to go at once",
    "DELETE /v1/orgs/{org}/webhook-endpoints/{endpoint}": "what is still told may be told to the wrong place",
}
"""What changes something and is open in an organization that is restricted; billing says its own."""
IN_ORGS = [route for route in build_registry().routes if route.in_org]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


async def restrict(place: Place, since: datetime | None = LONG_AGO) -> None:
    """What billing does when it learns of a payment, or of none."""
    async with SystemWork(as_house(place.house), reason="a test of payments") as work:
        await actions.restrict_org(work, org_id=place.uuid, restricted_from=since)


async def ask(who: Client, place: Place, route: Route) -> Response:
    """Ask an operation for nothing that is there, with the body that the document shows."""
    path = route.path.replace("{org}", place.id)
    for name, kind in route.ids.items():
        path = path.replace("{" + name + "}", kind.text(kind.new()))
    headers = {"if-match": "*"} if route.needs_match else {}
    return await who.request(route.method, path, body=route.example, headers=headers)


# what is refused


@pytest.fixture(scope="module")
async def unpaid(house: Installation) -> Place:
    """An organization with two members that is restricted."""
    place = await founded(house)
    await place.joined("admin")
    await restrict(place)
    return place


@pytest.mark.parametrize("route", [one for one in IN_ORGS if not one.reads], ids=name_of)
async def test_whatever_changes_something_is_refused_unless_it_is_declared_open(unpaid: Place, route: Route) -> None:
    answer = await ask(unpaid.owner, unpaid, route)
    if route.even_restricted:
        assert answer.code != "payment_needed", answer
        return
    assert (answer.status, answer.code) == (402, "payment_needed"), answer
    document = (await unpaid.house.client.get("/openapi.json")).json
    told = document["paths"][route.path][route.method.lower()]["responses"]["402"]
    assert "payment_needed" in told["content"]["application/problem+json"]["examples"]


def test_what_is_declared_open_is_what_is_listed_with_its_reason() -> None:
    found = {name_of(one) for one in IN_ORGS if one.even_restricted and one.tag != "billing"}
    assert found == set(STAYS_OPEN)


@pytest.mark.parametrize("route", [one for one in IN_ORGS if one.reads and not one.streamed], ids=name_of)
async def test_all_reading_is_open(unpaid: Place, route: Route) -> None:
    answer = await ask(unpaid.owner, unpaid, route)
    assert answer.code != "payment_needed", answer
    assert answer.status in {200, 404, 410, 422}, answer
    document = (await unpaid.house.client.get("/openapi.json")).json
    told = document["paths"][route.path]["get"]["responses"].get("402", {})
    assert "payment_needed" not in json.dumps(told)


async def test_it_can_be_followed_what_happens_in_it(unpaid: Place) -> None:
    answer = await unpaid.owner.request("HEAD", f"{unpaid.path}/events/stream")
    assert answer.status == 200


async def test_the_owner_learns_since_when_and_nothing_was_changed(house: Installation) -> None:
    place = await founded(house)
    assert (await place.owner.get(place.path)).json["restricted_from"] is None
    before = await place.owner.get(place.path)
    await restrict(place)
    assert (await place.owner.patch(place.path, {"name": "Other"})).code == "payment_needed"
    [listed] = (await place.owner.get("/v1/orgs")).json["items"]
    read = await place.owner.get(place.path, headers={"if-none-match": before.headers["etag"]})
    assert (read.status, read.json) == (200, before.json | {"restricted_from": "2020-01-01T00:00:00Z"})
    assert listed == read.json


async def test_a_stranger_does_not_learn_that_it_is_not_paid(unpaid: Place) -> None:
    eve = await unpaid.house.person()
    assert (await eve.patch(unpaid.path, {"name": "Mine"})).code == "not_found"


async def test_a_member_is_told_before_what_their_role_does_not_hold(unpaid: Place) -> None:
    ben = await unpaid.joined("member")
    assert (await ben.patch(unpaid.path, {"name": "Mine"})).code == "payment_needed"


async def test_another_organization_of_the_same_person_goes_on(unpaid: Place) -> None:
    other = await founded(unpaid.house, "Other", unpaid.owner)
    assert (await unpaid.owner.patch(other.path, {"name": "Renamed"})).status == 200
    await invited(other, "another@example.com")
    assert (await unpaid.owner.patch(unpaid.path, {"name": "Renamed"})).status == 402


async def test_verbs_are_refused_wherever_they_are_called_and_the_house_goes_on(unpaid: Place) -> None:
    with pytest.raises(PaymentNeeded):
        async with await as_owner(unpaid):
            pass
    newcomer = await unpaid.house.person()
    async with SystemWork(as_house(unpaid.house), reason="a test") as work:
        await actions.add_member(work, org_id=unpaid.uuid, user_id=user_of(newcomer), role="member")
    assert (await newcomer.get(unpaid.path)).status == 200


# what stays open


async def test_people_leave_and_are_removed_and_the_owner_hands_it_on_and_leaves(house: Installation) -> None:
    place = await founded(house)
    ada, ben, cleo = [await place.joined("admin") for _ in range(3)]
    await restrict(place)
    assert (await ada.delete(f"{place.path}/members/me")).status == 204
    assert (await place.owner.delete(f"{place.path}/members/{ben.user_id}")).status == 204
    handed = await place.owner.post(f"{place.path}/ownership-transfer", {"user_id": cleo.user_id})
    assert (handed.status, handed.json["role"]) == (200, "owner")
    assert (await place.owner.delete(f"{place.path}/members/me")).status == 204
    assert [one["user_id"] for one in (await cleo.get(f"{place.path}/members")).json["items"]] == [cleo.user_id]


async def test_an_invite_is_taken_back(house: Installation) -> None:
    place = await founded(house)
    path = f"{place.path}/invites"
    invite = (await place.owner.post(path, {"email": "gone@example.com", "role": "member"})).json["id"]
    await restrict(place)
    assert (await place.owner.post(f"{path}/{invite}/resend")).code == "payment_needed"
    assert (await place.owner.delete(f"{path}/{invite}")).status == 204


async def test_it_is_closed_and_opened_and_still_not_paid(house: Installation) -> None:
    place = await founded(house)
    await restrict(place)
    assert (await place.close()).status == 200
    assert (await place.owner.patch(place.path, {"name": "Other"})).code == "org_closed"
    reopened = await place.reopen()
    assert (reopened.status, reopened.json["restricted_from"]) == (200, "2020-01-01T00:00:00Z")
    assert (await place.owner.patch(place.path, {"name": "Other"})).code == "payment_needed"


async def test_who_is_open_to_the_restricted_is_not_open_to_the_closed(house: Installation) -> None:
    place = await founded(house)
    await restrict(place)
    await place.close()
    with pytest.raises(OrgClosed):
        async with await as_owner(place):
            pass


# when it begins and ends


async def test_it_begins_at_its_moment_by_itself(clocked: Installation, clock: HandClock) -> None:
    place = await founded(clocked)
    moment = clock.now + timedelta(days=3)
    await restrict(place, moment)
    read = (await place.owner.get(place.path)).json["restricted_from"]
    assert datetime.fromisoformat(read) == moment
    answers = []
    for seconds in (-1, 0, 1):
        clock.set(moment + timedelta(seconds=seconds))
        owner = await _again(place)
        answers.append((await owner.patch(place.path, {"name": f"At {seconds}"})).status)
    assert answers == [200, 402, 402]


async def test_paying_opens_it_at_once(house: Installation) -> None:
    place = await founded(house)
    await restrict(place)
    assert (await place.owner.patch(place.path, {"name": "Other"})).status == 402
    await restrict(place, None)
    answer = await place.owner.patch(place.path, {"name": "Other"})
    assert (answer.status, answer.json["restricted_from"]) == (200, None)


async def test_both_are_recorded_once_with_what_was_before(house: Installation) -> None:
    place = await founded(house)
    later = LONG_AGO + timedelta(days=7)
    for since in (None, LONG_AGO, LONG_AGO, later, None, None):
        await restrict(place, since)
    said = "select kind, payload from tenantry.events where org_id = $1 and kind like '%restricted' order by tx"
    found = [(row["kind"], json.loads(row["payload"])) for row in await house.rows(said, place.uuid)]
    about = {"org_id": str(place.uuid)}
    assert found == [
        ("orgs.org_restricted", about | {"restricted_from": "2020-01-01T00:00:00Z", "version_after": 2}),
        ("orgs.org_restricted", about | {"restricted_from": "2020-01-08T00:00:00Z", "version_after": 3}),
        ("orgs.org_unrestricted", about | {"version_after": 4}),
    ]
    log = (await place.owner.get(f"{place.path}/audit-log")).json["items"]
    told = [one for one in log if one["action"].startswith(("orgs:org:restricted", "orgs:org:unrestricted"))]
    assert [one["action"] for one in told] == ["orgs:org:unrestricted", "orgs:org:restricted", "orgs:org:restricted"]
    assert "2020-01-08" in json.dumps(told[0])
    assert "2020-01-01" in json.dumps(told[1])


async def test_what_is_not_there_cannot_be_restricted(house: Installation) -> None:
    place = await founded(house)
    await house.rows("delete from tenantry.orgs where id = $1 returning id", place.uuid)
    with pytest.raises(NotFound):
        await restrict(place)


async def test_of_many_who_say_the_same_at_once_one_is_recorded(house: Installation) -> None:
    place = await founded(house)
    await asyncio.gather(*(restrict(place) for _ in range(6)))
    said = "select from tenantry.events where org_id = $1 and kind = 'orgs.org_restricted'"
    assert len(await house.rows(said, place.uuid)) == 1


# whoever is invited


async def invited(place: Place, email: str) -> str:
    answer = await place.owner.post(f"{place.path}/invites", {"email": email, "role": "member"})
    assert answer.status == 201, answer
    return await place.house.mailed_token(email)


async def test_nobody_gets_in_while_it_is_not_paid_and_the_invite_waits(house: Installation) -> None:
    place, guest = await founded(house), await house.person()
    token = await invited(place, guest.email)
    await restrict(place)
    refused = await guest.post("/v1/invites/acceptance", {"token": token})
    assert (refused.status, refused.code) == (402, "payment_needed")
    assert "until it is paid" in refused.json["detail"]
    assert (await guest.get(place.path)).status == 404
    await restrict(place, None)
    assert (await guest.post("/v1/invites/acceptance", {"token": token})).status == 200


async def test_whoever_joined_before_may_accept_again_and_say_no_to_others(house: Installation) -> None:
    place, guest, other = await founded(house), await house.person(), await house.person()
    token, unwanted = await invited(place, guest.email), await invited(place, other.email)
    assert (await guest.post("/v1/invites/acceptance", {"token": token})).status == 200
    await restrict(place)
    assert (await guest.post("/v1/invites/acceptance", {"token": token})).status == 200
    [offer] = (await other.get("/v1/invites")).json["items"]
    assert (await other.post(f"/v1/invites/{offer['id']}/decline")).status == 204
    assert unwanted


async def test_nobody_signs_up_into_it(house: Installation) -> None:
    place = await founded(house)
    token = await invited(place, "signs.up@example.com")
    await restrict(place)
    body = {"email": "signs.up@example.com", "password": PASSWORD, "name": "Bob", "invite_token": token}
    assert (await house.client.post("/v1/auth/register", body)).code == "payment_needed"
    await restrict(place, None)
    assert (await house.client.post("/v1/auth/register", body)).status == 200


async def test_the_page_of_the_invite_says_so(house: Installation) -> None:
    place, guest = await founded(house), await house.person()
    token = await invited(place, guest.email)
    await restrict(place)
    browser = await house.browser().visit(f"/account/invite?token={token}")
    await browser.follow("Sign in to accept")
    await browser.submit(email=guest.email, password=PASSWORD)
    await browser.submit(button="Accept")
    assert (browser.status, "until it is paid" in browser.text) == (402, True), browser.text


async def test_whose_invite_is_not_theirs_does_not_learn_that_it_is_not_paid(house: Installation) -> None:
    place, guest, eve = await founded(house), await house.person(), await house.person()
    token = await invited(place, guest.email)
    await restrict(place)
    assert (await eve.post("/v1/invites/acceptance", {"token": token})).code == "invite_for_another"


async def _again(place: Place) -> Client:
    """The owner with a token of the moment."""
    answer = await place.house.client.post("/v1/auth/login", {"email": place.owner.email, "password": PASSWORD})
    assert answer.status == 200, answer
    return place.house.client.signed_in(answer.json)


# what other domains declare


PAYING = Permission("paying:write", "Do something in an organization.", roles=MEMBERS)
routes = Routes("paying")


class Done(Wire):
    """Whether it was done."""

    done: bool


@exchange(requires=PAYING)
async def ask_somebody(call: Call) -> None:
    """What an exchange does for which only the house can write."""
    async with SystemWork(call, reason="a test") as work:
        work.note("paying:asked", after={})


@routes.post("/orgs/{org}/paying/asked", requires=PAYING, answer_example={"done": True})
async def asked(call: Call) -> Done:
    """Ask somebody else, and write that down."""
    await ask_somebody(call)
    return Done(done=True)


@routes.post("/orgs/{org}/paying/asked-even-so", requires=PAYING, answer_example={"done": True}, even_restricted=True)
async def asked_even_so(call: Call) -> Done:
    """Ask somebody else, and write that down, also where nothing is paid."""
    await ask_somebody(call)
    return Done(done=True)


@routes.get("/orgs/{org}/paying/looked", requires=PAYING, answer_example={"done": True})
async def looked(call: Call) -> Done:
    """Read, and write down that somebody did."""
    org = call.actor.org
    assert org is not None
    async with OrgWork(call, org) as work:
        work.note("paying:looked", after={})
    return Done(done=True)


@routes.post("/orgs/{org}/paying/paid", requires=PAYING, answer_example={"done": True}, even_restricted=True)
async def paid(work: OrgWork) -> Done:
    """Pay."""
    work.note("paying:paid", after={})
    return Done(done=True)


@pytest.fixture(scope="module")
async def elsewhere(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """An organization that is restricted, in an installation with operations of another domain."""
    known = Registry((*DOMAINS, Domain(name="paying", needs=("orgs",), routes=routes, permissions=(PAYING,))))
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("paying"), registry=known) as running,
    ):
        place = await founded(running)
        await restrict(place)
        yield place


ANSWERS: dict[str, tuple[str, Any]] = {
    "asked": ("POST", (402, "payment_needed")),
    "asked-even-so": ("POST", (200, None)),
    "looked": ("GET", (200, None)),
    "paid": ("POST", (200, None)),
}


@pytest.mark.parametrize("operation", ANSWERS)
async def test_another_domain_is_held_to_what_it_declares(elsewhere: Place, operation: str) -> None:
    method, (status, code) = ANSWERS[operation]
    answer = await elsewhere.owner.request(method, f"{elsewhere.path}/paying/{operation}")
    assert (answer.status, answer.json.get("code")) == (status, code), answer
