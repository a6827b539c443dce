"""Closing organizations: who can, what is shut by it, what is said about it, and how it is undone."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from org_closing import Place, again, as_house, as_owner, closed, founded, user_of

from tenantry.accounts.problems import Blocker
from tenantry.assemble import registry as build_registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.refusals import OrgClosed
from tenantry.foundation.work import SystemWork, Work
from tenantry.orgs import actions
from tenantry.orgs.jobs.closure import MOST_TOLD
from tenantry.orgs.models import GRACE
from tenantry.orgs.problems import NotOwner
from tenantry.testing import Client, HandClock, Installation

# closing and opening


async def test_an_owner_closes_an_organization_by_typing_its_slug(clocked: Installation, clock: HandClock) -> None:
    place = await founded(clocked)
    answer = await place.close()
    assert answer.status == 200
    assert answer.json == (await place.owner.get(place.path)).json
    (row,) = await clocked.rows("select closed_at, purge_at from tenantry.orgs where id = $1", place.uuid)
    assert row["purge_at"] - row["closed_at"] == GRACE == timedelta(days=30)
    assert datetime.fromisoformat(answer.json["closes_at"]) == row["purge_at"]
    assert (await place.owner.get("/v1/orgs")).json["items"] == [answer.json]


async def test_an_owner_opens_it_again_and_nothing_was_lost(house: Installation) -> None:
    place = await founded(house)
    ben = await place.joined("member")
    before = (await ben.get(f"{place.path}/members")).json
    await place.close()
    answer = await place.reopen()
    assert (answer.status, answer.json["closes_at"]) == (200, None)
    assert (await ben.get(f"{place.path}/members")).json == before
    (row,) = await house.rows("select closed_at, purge_at from tenantry.orgs where id = $1", place.uuid)
    assert (row["closed_at"], row["purge_at"]) == (None, None)
    assert (await place.close()).status == 200


async def test_both_are_recorded_with_who_did_it_and_until_when(house: Installation) -> None:
    place = await founded(house)
    closes_at = (await place.close()).json["closes_at"]
    await place.reopen()
    said = "select kind, payload, person_id, actor from tenantry.events where org_id = $1 and kind = any ($2)"
    kinds = ["orgs.org_closed", "orgs.org_reopened"]
    shut, opened = sorted(await house.rows(said, place.uuid, kinds), key=lambda row: row["kind"])
    about = {"org_id": str(place.uuid), "user_id": str(user_of(place.owner))}
    payload = json.loads(shut["payload"])
    assert datetime.fromisoformat(payload.pop("purge_at")) == datetime.fromisoformat(closes_at)
    assert (payload, json.loads(opened["payload"])) == (about | {"version_after": 2}, about | {"version_after": 3})
    for row in (shut, opened):
        assert row["person_id"] == user_of(place.owner)
        actor = json.loads(row["actor"])
        assert (actor["person"], actor["org"]) == (about["user_id"], about["org_id"])


async def test_a_closing_and_an_opening_are_each_a_new_version(house: Installation) -> None:
    place = await founded(house)
    tags = [(await place.owner.get(place.path)).headers["etag"]]
    for ask in (place.close, place.reopen):
        await ask()
        tags.append((await place.owner.get(place.path)).headers["etag"])
    assert len(set(tags)) == 3


# who cannot


@pytest.mark.parametrize("role", ["admin", "member"])
async def test_only_an_owner_closes_and_opens(house: Installation, role: Any) -> None:
    place = await founded(house)
    other = await place.joined(role)
    assert (await place.close(other)).code == "forbidden"
    await place.close()
    assert (await place.reopen(other)).code == "forbidden"
    assert (await other.get(place.path)).json["closes_at"] is not None


async def test_another_owner_may_open_what_one_closed(house: Installation) -> None:
    place = await founded(house)
    other = await place.joined("owner")
    await place.close()
    assert (await place.reopen(other)).status == 200


async def test_a_stranger_learns_nothing_about_a_closed_organization(house: Installation) -> None:
    place, eve = await closed(house), await house.person()
    for ask in (place.close, place.reopen):
        assert (await ask(eve)).code == "not_found"
    assert (await eve.get(place.path)).code == "not_found"


async def test_the_slug_of_another_or_an_earlier_one_closes_and_opens_nothing(house: Installation) -> None:
    other, place = await founded(house), await founded(house)
    renamed = await place.owner.patch(place.path, {"slug": "its-new-name"})
    assert renamed.status == 200
    for wrong in (other.slug, place.slug, "nobody-is-called-so"):
        assert (await place.close(slug=wrong)).code == "wrong_slug"
    assert (await place.owner.get(place.path)).json["closes_at"] is None
    assert (await place.close(slug="its-new-name")).status == 200
    for wrong in (other.slug, place.slug):
        assert (await place.reopen(slug=wrong)).code == "wrong_slug"
    assert (await place.owner.get(place.path)).json["closes_at"] is not None


@pytest.mark.parametrize("body", [None, {}, {"slug": None}, {"slug": 7}, {"slug": "x" * 41}, {"slug": "a", "b": 1}])
async def test_bad_input_closes_nothing(house: Installation, body: Any) -> None:
    place = await founded(house)
    answer = await place.owner.post(f"{place.path}/closure", body)
    assert answer.status in (400, 422)
    assert (await place.owner.get(place.path)).json["closes_at"] is None


async def test_what_is_closed_is_not_closed_again_and_what_is_open_not_opened(house: Installation) -> None:
    place = await founded(house)
    assert (await place.reopen()).code == "org_not_closed"
    await place.close()
    assert (await place.close()).code == "org_closed"
    await place.reopen()
    assert (await place.reopen()).code == "org_not_closed"


# what others need first


@pytest.fixture
async def blocking() -> AsyncIterator[list[tuple[UUID, Blocker]]]:
    """What another domain answers about organizations; whoever takes from it unblocks them."""
    blockers: list[tuple[UUID, Blocker]] = []

    async def known(work: Work, org_id: UUID) -> Sequence[Blocker]:
        return [blocker for about, blocker in blockers if about == org_id]

    actions.what_blocks_org_closing.answered_by((known,))
    yield blockers
    # as it was: each domain gives its own answer again
    build_registry()


async def test_what_another_domain_still_needs_blocks_a_closing(
    house: Installation, blocking: list[tuple[UUID, Blocker]]
) -> None:
    place, other = await founded(house), await founded(house)
    unpaid = Blocker("open_invoice", "An invoice is not paid yet.", "inv_1")
    blocking.append((place.uuid, unpaid))
    answer = await place.close()
    assert (answer.status, answer.code) == (409, "org_closure_blocked")
    assert answer.json["blockers"] == [{"code": "open_invoice", "message": unpaid.message, "id": "inv_1"}]
    assert (await place.owner.get(place.path)).json["closes_at"] is None
    assert (await other.close()).status == 200
    blocking.clear()
    assert (await place.close()).status == 200


# what is shut


async def test_every_route_of_a_closed_organization_is_shut_but_the_declared_ones(house: Installation) -> None:
    place = await founded(house)
    ben = await place.joined("member")
    await place.close()
    inside = [route for route in house.registry.routes if route.in_org]
    assert len(inside) > 5
    opened = set()
    for route in inside:
        ids = {name: kind.text(kind.new()) for name, kind in route.ids.items()} | {"org": place.id}
        path = route.path.format_map(ids)
        body = {"slug": "not-its-own"} if route.path.endswith("/closure") else route.example
        asked = {"body": body if route.body is not None else None, "headers": {"if-match": "*"}}
        for who in (ben, place.owner):
            answer = await who.request(route.method, path, **asked)
            if route.even_closed:
                opened.add(f"{route.method} {route.path}")
                assert answer.code != "org_closed", (route.method, route.path, answer)
            else:
                assert (answer.status, answer.code) == (403, "org_closed"), (route.method, route.path, answer)
    assert opened == {"GET /v1/orgs/{org}", "DELETE /v1/orgs/{org}/closure"}


async def test_its_people_keep_their_accounts_and_their_other_organizations(house: Installation) -> None:
    place = await closed(house)
    other = await founded(house, "Other", place.owner)
    assert (await place.owner.patch(other.path, {"name": "Still here"})).status == 200
    assert (await place.owner.patch("/v1/users/me", {"name": "Ada King"})).status == 200


async def test_a_closed_organizations_slugs_stay_taken(house: Installation) -> None:
    place = await closed(house, "Stays Taken Inc")
    bob = await house.person()
    assert (await bob.post("/v1/orgs", {"name": "Bob", "slug": place.slug})).code == "slug_taken"


# bound tokens


def _claims(person: Client) -> dict[str, Any]:
    body = str(person.tokens["access_token"]).split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return read


async def _bound(place: Place, person: Client) -> Client:
    answer = await person.post("/v1/auth/switch-org", {"org": place.id})
    assert answer.status == 200, answer
    return person.signed_in(person.tokens | {"access_token": answer.json["access_token"]})


async def _refreshed(house: Installation, person: Client) -> Client:
    answer = await house.client.post("/v1/auth/refresh", {"refresh_token": person.tokens["refresh_token"]})
    assert answer.status == 200, answer
    return person.signed_in(answer.json)


async def test_a_bound_token_is_refused_and_a_refresh_drops_the_binding(house: Installation) -> None:
    place = await founded(house)
    bound = await _bound(place, place.owner)
    await place.close()
    for path in ("members", "closure"):
        method, body = ("GET", None) if path == "members" else ("POST", {"slug": place.slug})
        answer = await bound.request(method, f"{place.path}/{path}", body=body)
        assert (answer.status, answer.code) == (403, "org_closed")
    assert (await bound.post("/v1/auth/switch-org", {"org": place.id})).code == "not_found"
    free = await _refreshed(house, bound)
    assert (_claims(free)["org"], _claims(free)["role"]) == (None, None)
    assert (await free.get("/v1/users/me")).status == 200


async def test_a_bound_token_of_an_owner_opens_it_again(house: Installation) -> None:
    place = await founded(house)
    bound = await _bound(place, place.owner)
    await place.close()
    assert (await place.reopen(bound)).status == 200
    assert _claims(await _refreshed(house, bound))["org"] == place.id


# mails


async def _mailed(house: Installation, *people: Client) -> Counter[tuple[str, str]]:
    await house.drain_jobs()
    mine = {person.email for person in people}
    about = ("is closed", "is open again")
    return Counter((mail.to, mail.subject) for mail in await house.mails() if mail.to in mine and
                   mail.subject.endswith(about))  # fmt: skip


async def test_owners_are_told_of_closing_and_opening_and_nobody_else(house: Installation) -> None:
    place = await founded(house, "Dot.Com <b>&")
    other = await place.joined("owner")
    admin, member = await place.joined("admin"), await place.joined("member")
    closes_at = datetime.fromisoformat((await place.close()).json["closes_at"])
    told = "An organization of yours at Tenantry is closed"
    everybody = (place.owner, other, admin, member)
    assert await _mailed(house, *everybody) == {(place.owner.email, told): 1, (other.email, told): 1}
    mail = next(one for one in await house.mails() if (one.to, one.subject) == (other.email, told))
    assert f"{closes_at:%Y-%m-%d %H:%M}" in mail.text
    assert "<b>" not in (mail.html or "").partition("<body")[2].split("</h1>")[0].rpartition("<h1")[2]
    await place.reopen()
    opened = "An organization of yours at Tenantry is open again"
    assert await _mailed(house, *everybody) == {
        (person.email, subject): 1 for person in (place.owner, other) for subject in (told, opened)
    }
    assert await house.rows("select from tenantry.dead_letters") == []


async def test_a_closing_that_was_undone_before_the_mail_is_not_told(house: Installation) -> None:
    place = await closed(house)
    await place.reopen()
    told = await _mailed(house, place.owner)
    assert set(told) == {(place.owner.email, "An organization of yours at Tenantry is open again")}
    assert await house.rows("select from tenantry.jobs where kind = 'orgs.mail_closing'") == [], "none is tried again"


async def test_an_owner_whose_account_is_closed_is_told_nothing(house: Installation) -> None:
    place = await founded(house)
    gone = await place.joined("owner")
    assert (await gone.post("/v1/users/me/closure", {"password": "correct horse battery staple"})).status == 200
    await place.close()
    assert {to for to, _ in await _mailed(house, place.owner)} == {place.owner.email}
    assert not [mail for mail in await house.mails() if mail.to == gone.email and "organization" in mail.subject]


async def test_a_mail_that_comes_late_to_an_owner_who_was_demoted_is_not_sent(house: Installation) -> None:
    place = await founded(house)
    other = await place.joined("admin")
    async with SystemWork(as_house(house), reason="a test") as work:
        args = json.dumps({"org_id": str(place.uuid), "user_id": str(user_of(other))})
        work.enqueue(NewJob("orgs.mail_closing", args))
    await place.close()
    assert {to for to, _ in await _mailed(house, place.owner, other)} == {place.owner.email}


async def test_there_is_a_limit_to_how_many_are_told(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_TOLD <= 100
    monkeypatch.setattr("tenantry.orgs.jobs.closure.MOST_TOLD", 1)
    place = await founded(house)
    heirs = [await place.joined("owner") for _ in range(2)]
    own = f"{place.path}/members/{place.owner.user_id}"
    assert (await place.owner.patch(own, {"role": "admin"}, headers={"if-match": "*"})).status == 200
    assert (await place.close(heirs[0])).status == 200
    told = {to for to, _ in await _mailed(house, place.owner, *heirs)}
    assert told == {heirs[0].email}, "the first of those who are owners"


# at once


async def test_of_many_who_close_and_open_at_once_each_is_answered_by_what_was_true(house: Installation) -> None:
    place = await founded(house)
    owners = [place.owner, await place.joined("owner")]
    for _ in range(5):
        asked = [ask(by) for by in owners for ask in (place.close, place.reopen)]
        answers = await asyncio.gather(*asked)
        assert {answer.status for answer in answers} <= {200, 403, 409}, answers
        assert {answer.code for answer in answers} <= {None, "org_closed", "org_not_closed"}
    shut, opened = [
        (await house.rows("select from tenantry.events where org_id = $1 and kind = $2", place.uuid, kind))
        for kind in ("orgs.org_closed", "orgs.org_reopened")
    ]
    is_closed = (await place.owner.get(place.path)).json["closes_at"] is not None
    assert len(shut) - len(opened) == is_closed


async def _blocked(house: Installation, waiting: asyncio.Task[Any]) -> None:
    """Until a task's transaction waits for another one's lock."""
    async with asyncio.timeout(10):
        while not await house.rows("select from pg_locks where not granted"):
            assert not waiting.done()
            await asyncio.sleep(0.01)


async def test_of_two_closings_at_once_the_second_learns_of_the_first(house: Installation) -> None:
    place = await founded(house)
    async with await as_owner(place) as work:
        await actions.close_org(work, slug=place.slug)
        second = asyncio.create_task(place.close())
        await _blocked(house, second)
    assert (await second).code == "org_closed"
    assert len(await house.rows("select from tenantry.events where org_id = $1 and kind = 'orgs.org_closed'",
                                place.uuid)) == 1  # fmt: skip


async def test_of_two_openings_at_once_the_second_learns_of_the_first(house: Installation) -> None:
    place = await closed(house)
    async with await as_owner(place, even_closed=True) as work:
        await actions.reopen_org(work, slug=place.slug)
        second = asyncio.create_task(place.reopen())
        await _blocked(house, second)
    assert (await second).code == "org_not_closed"


async def test_an_owner_who_was_demoted_a_moment_ago_closes_nothing(house: Installation) -> None:
    place = await founded(house)
    await place.joined("owner")
    async with await as_owner(place) as work:
        change = await place.owner.patch(
            f"{place.path}/members/{place.owner.user_id}", {"role": "admin"}, headers={"if-match": "*"}
        )
        assert change.status == 200
        with pytest.raises(NotOwner):
            await actions.close_org(work, slug=place.slug)
    assert (await place.owner.get(place.path)).json["closes_at"] is None


async def test_a_rename_and_a_closing_by_the_old_slug_at_once_do_not_both_happen(house: Installation) -> None:
    place = await founded(house)
    async with await as_owner(place) as work:
        await actions.change_org(work, slug="another-name-by-now")
        closing = asyncio.create_task(place.close())
        await _blocked(house, closing)
    assert (await closing).code == "wrong_slug"


async def test_members_who_act_while_it_is_closed_are_done_before_or_refused(house: Installation) -> None:
    place = await founded(house)
    ben = await place.joined("admin")

    async def busily() -> list[int]:
        return [(await ben.patch(place.path, {"name": f"Acme {one}"})).status for one in range(20)]

    acting = asyncio.create_task(busily())
    await asyncio.sleep(0)
    assert (await place.close()).status == 200
    answers = await acting
    assert set(answers) <= {200, 403}
    assert answers == sorted(answers), "whoever was refused once is refused from then on"
    changes = "select from tenantry.events where org_id = $1 and kind = 'orgs.org_changed'"
    assert len(await house.rows(changes, place.uuid)) == answers.count(200)
    with pytest.raises(OrgClosed):
        async with await as_owner(place):
            pass


async def test_a_sign_in_after_the_closing_changes_nothing_about_it(house: Installation) -> None:
    place = await closed(house)
    ada = await again(house, place.owner)
    assert (await ada.get(f"{place.path}/members")).code == "org_closed"
    assert (await place.reopen(ada)).status == 200
